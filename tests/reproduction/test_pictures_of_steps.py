"""Figures of steps made again: what was decoded then is decoded now, and the linear preview stands where it stood."""

import gc
import json

import pytest
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.base.errors import SdexploreError

CALL = {"num_inference_steps": 4, "height": 64, "width": 64, "record": sdx.Record(decode=2)}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def stored(trace, tmp_path):
    return sdx.Trace.load(trace.save(tmp_path / "cat.safetensors"))


def stored_undecoded(trace, tmp_path):
    trace.decode(1)
    return sdx.Trace.load(trace.save(tmp_path / "cat.safetensors", decode=False))


def looked_at(trace, _):
    trace.decode([0, 2])
    return trace


FIGURES = [
    (stored, lambda trace: sdx.views.denoising(trace, [0, 1, 2])),  # the file has the Record's steps
    (stored, sdx.views.denoising),
    (stored, lambda trace: sdx.animation(trace, steps=[0, 1])),
    (stored_undecoded, sdx.views.denoising),
    (looked_at, lambda trace: sdx.views.denoising(trace, decode=False)),
    (looked_at, lambda trace: sdx.views.guidance(trace, [0, 2], decode=False)),
    (looked_at, lambda trace: sdx.views.denoising(trace, [0, 1, 2])),
]


@pytest.mark.parametrize("number", range(len(FIGURES)))
def test_a_figure_with_linear_previews_is_the_same(tmp_path, pipe, number):
    how, draw = FIGURES[number]
    trace = how(sdx.run(pipe, "a cat", seed=5, **CALL), tmp_path)
    drawn = draw(trace)
    if trace.undecodable is None:
        trace.decode()  # after it was drawn, so that the figure knows nothing of it
    sdx.Article("steps-made-again", root=tmp_path).add(drawn, key="steps")
    made = sdx.reproduce(tmp_path / "images" / "steps-made-again" / "001.json", pipe)
    assert made.same, made


def test_a_figure_without_pictures_of_steps_decodes_none_of_them(tmp_path, pipe):
    trace = sdx.run(pipe, "a cat", seed=5, **CALL)
    trace.decode()
    sdx.Article("steps-made-again", root=tmp_path).add(sdx.views.attention(trace, ["cat"]), key="words")
    decodings = []
    hook = pipe.vae.decoder.register_forward_hook(lambda *_: decodings.append(1))
    made = sdx.reproduce(tmp_path / "images" / "steps-made-again" / "001.json", pipe)
    assert made.same
    assert len(decodings) == 1  # the run's own picture
    (again,) = made.traces
    assert set(again.decoded) == set(trace.decoded)
    assert all((again.decoded[step] == trace.decoded[step]).all() for step in trace.decoded)
    hook.remove()
    assert len(decodings) == 1 + len(trace.decoded)


def test_pictures_of_steps_are_there_when_the_pipeline_was_loaded_for_it(tmp_path):
    mini = sdx.load("mini")
    trace = sdx.run(mini, "a cat", seed=5, **CALL)
    trace.decode()
    sdx.Article("steps-made-again", root=tmp_path).add(sdx.views.attention(trace, ["cat"]), key="words")
    (again,) = sdx.reproduce(tmp_path / "images" / "steps-made-again" / "001.json").traces
    gc.collect()  # the pipeline is gone
    assert all((again.decoded_x0[step] == trace.decoded_x0[step]).all() for step in trace.decoded_x0)


def test_pictures_by_another_decoder_are_named(tmp_path, pipe):
    trace = stored_undecoded(sdx.run(pipe, "a cat", seed=5, **CALL), tmp_path)
    trace.decode(0, with_=pipe.vae)
    sdx.Article("steps-made-again", root=tmp_path).add(sdx.views.denoising(trace, [0]), key="steps")
    made = sdx.reproduce(tmp_path / "images" / "steps-made-again" / "001.json", pipe)
    assert any("AutoencoderKL" in said for said in made.found)


@pytest.mark.parametrize(
    "pictures",
    [[], {}, {"named": [0], "decoded": [0], "decoded_x0": "all"}, {"named": [9], "decoded": [], "decoded_x0": []}],
)
def test_a_sidecar_with_damaged_steps_is_refused(tmp_path, pipe, pictures):
    trace = sdx.run(pipe, "a cat", seed=5, **CALL)
    sdx.Article("steps-made-again", root=tmp_path).add(sdx.views.denoising(trace, [0]), key="steps")
    sidecar = tmp_path / "images" / "steps-made-again" / "001.json"
    facts = json.loads(sidecar.read_text())
    facts["traces"][0]["pictures"] = pictures
    sidecar.write_text(json.dumps(facts))
    with pytest.raises(SdexploreError, match=r"damaged|no step 9"):
        sdx.reproduce(sidecar, pipe)


def test_an_older_sidecar_says_nothing_of_steps(tmp_path, pipe):
    trace = sdx.run(pipe, "a cat", seed=5, **CALL)
    sdx.Article("steps-made-again", root=tmp_path).add(sdx.views.denoising(trace), key="steps")
    sidecar = tmp_path / "images" / "steps-made-again" / "001.json"
    facts = json.loads(sidecar.read_text())
    del facts["traces"][0]["pictures"]
    sidecar.write_text(json.dumps(facts))
    assert sdx.reproduce(sidecar, pipe).same
