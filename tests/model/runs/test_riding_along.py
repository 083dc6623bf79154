"""Sources that ride along: what they cannot ride beside is refused before the run; what is kept is the user's alone."""

import numpy as np
import pytest
import torch
from double_pipelines import STEPS
from tiny_families import img2img, picture
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

CAT, DOG = "a cat and a rocket", "a dog and a rocket"
KEEP = sdx.Keep(CAT)


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def source(pipe):
    return sdx.run(pipe, CAT, **STEPS)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"guide": lambda _: None}, "guide"),
        ({"prompt_at": {2: "a dog"}}, "prompt_at"),
        ({"ip_adapter_image": picture()}, "ip_adapter_image"),
        ({"negative_prompt_embeds": torch.zeros(1, 77, 32)}, "negative_prompt_embeds"),
    ],
)
def test_what_it_cannot_ride_beside_is_refused(pipe, more, said):
    with pytest.raises(sdx.RunError, match=f"^run.*{said}"):
        sdx.run(pipe, DOG, change=KEEP, **more, **STEPS)


def test_a_pipeline_that_begins_with_a_picture_is_refused():
    with pytest.raises(sdx.RunError, match="image"):
        sdx.run(img2img(), DOG, change=KEEP, image=picture(), **STEPS)


def test_embeddings_have_no_words_to_align(pipe):
    embeds = pipe.encode_prompt("a cat", "cpu", 1, do_classifier_free_guidance=False)[0]
    with pytest.raises(sdx.RunError, match="text"):
        sdx.run(pipe, change=KEEP, prompt_embeds=embeds, guidance_scale=1.0, **STEPS)


def test_a_source_that_was_made_otherwise_is_refused(pipe, source):
    with pytest.raises(sdx.RunError, match="guidance_scale"):
        sdx.run(pipe, DOG, change=sdx.Keep(source), guidance_scale=3.0, **STEPS)
    edited = sdx.run(pipe, DOG, change=KEEP, **STEPS)
    with pytest.raises(sdx.RunError, match=edited.fingerprint):
        sdx.Keep(edited)
    looked = sdx.look(pipe, source.image, CAT, t=200)
    with pytest.raises(sdx.RunError, match="look"):
        sdx.Patch(looked, "mid_block")


def test_words_of_a_blend_stand_in_one_of_the_prompts(pipe):
    with pytest.raises(sdx.TokenError, match="'pig'"):
        sdx.run(pipe, DOG, change=sdx.Keep(CAT, blend=["dog", "pig"]), **STEPS)


def test_a_trace_and_its_prompt_and_seed_are_one_source(pipe, source):
    by_trace = sdx.run(pipe, DOG, change=sdx.Keep(source), **STEPS)
    by_prompt = sdx.run(pipe, DOG, change=KEEP, **STEPS)
    np.testing.assert_array_equal(by_trace.latents, by_prompt.latents)
    assert by_trace.provenance["changed"][0]["deviation"] < 1e-3
    assert "deviation" not in by_prompt.provenance["changed"][0]


def test_negative_prompts_and_several_images_of_one_prompt(pipe):
    given = {"negative_prompt": "a pig", "num_images_per_prompt": 2, "change": KEEP, **STEPS}
    traces = sdx.run(pipe, DOG, **given)
    assert [trace.call["image"] for trace in traces] == [0, 1]
    assert {trace.prompt for trace in traces} == {DOG}
    alone = sdx.run(pipe, DOG, **{**given, "num_images_per_prompt": 1, "seed": 4})
    np.testing.assert_allclose(traces[1].latents, alone.latents, atol=1e-3)
    assert traces[0].call["arguments"]["num_images_per_prompt"] == 2
    assert traces[0].call["prompt"] == DOG
    assert set(traces[0].tokens["uncond"]["tokenizer"].different_words) == {"a", "pig"}


def test_latents_that_are_given_are_the_sources_too(pipe):
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    given = sdx.run(pipe, DOG, change=KEEP, latents=noise, **STEPS)
    np.testing.assert_array_equal(given.latents, sdx.run(pipe, DOG, change=KEEP, **STEPS).latents)


def test_files_hold_the_users_images_alone(pipe, tmp_path):
    sdx.run(pipe, [DOG, CAT], change=KEEP, to=tmp_path / "both", **STEPS)
    assert len(list((tmp_path / "both").glob("*.safetensors"))) == 2
