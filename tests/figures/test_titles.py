"""Titles name the model; a pipeline that was made of parts has no name, and is called by its class."""

import pytest
import synthetic
from dashboards import Page
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

CLASS = "StableDiffusionImg2ImgPipeline"


@pytest.fixture(scope="module")
def trace():
    made = synthetic.trace()
    return made.altered(provenance={**made.provenance, "model": "unknown", "pipeline": CLASS})


def test_a_run_without_a_model_s_name_is_called_by_its_pipeline_s_class(trace, tmp_path):
    article = sdx.Article("made-of-parts", root=tmp_path).add(trace, key="picture")
    explorer = sdx.explore(trace)
    said = {
        "title": sdx.views.denoising(trace, decode=False).figure.get_suptitle(),
        "repr": repr(trace),
        "caption": article.pictures["picture"].caption,
        "page": sdx.page(trace, tmp_path / "run.html").read_text(),
        "dashboard": Page(explorer).heading,
        "components": Page(explorer).open("Components").text,
    }
    explorer.close()
    for where, text in said.items():
        assert CLASS in text, where
        assert "unknown" not in text, where


def test_a_model_s_name_and_none_at_all_stay():
    made = synthetic.trace()
    assert "synthetic" in sdx.views.denoising(made, decode=False).figure.get_suptitle()
    nothing = made.altered(provenance={})
    assert "?" in repr(nothing).partition("\n")[0]


def test_a_pipeline_of_parts_is_called_by_its_class_in_what_is_made_of_it():
    pipe = type(whole := stable_diffusion())(**whole.components)
    explorer = sdx.explore(pipe)
    assert Page(explorer).heading.startswith("StableDiffusionPipeline ·")
    explorer.close()
    assert "of StableDiffusionPipeline" in repr(sdx.schedule(pipe))
    assert sdx.run(pipe, "a cat", num_inference_steps=1, height=64, width=64).provenance["model"] == "unknown"
