"""Pipelines that draw in sizes of their own, whatever size is asked for: what is told before, what is refused."""

import more_transformers as more
import pytest
from diffusers import FluxKontextPipeline
from transformer_matrix import PROMPT, SUBJECTS

import sdexplore as sdx

FEW = {"num_inference_steps": 1, "max_sequence_length": 32}
LATENTS = sdx.Record(decode=0, cross_attention=False)


@pytest.fixture
def pixart():
    """For pictures of 256 × 256 pixels, as one of PixArt-Σ's sizes is."""
    pipe = more.pixart()
    pipe.transformer.register_to_config(sample_size=32)
    return pipe


@pytest.fixture
def sana():
    """For pictures of 512 × 512 pixels."""
    pipe = more.sana()
    pipe.transformer.register_to_config(sample_size=16)
    return pipe


@pytest.mark.parametrize("name", ["pixart", "sana"])
def test_a_picture_that_would_be_cut_is_refused_with_both_ways_out(name, request, monkeypatch):
    pipe = request.getfixturevalue(name)
    monkeypatch.setattr(type(pipe), "encode_prompt", lambda *_, **__: pytest.fail("something was computed"))
    with pytest.raises(sdx.RunError, match=rf"run\(height=128, width=96\): {type(pipe).__name__} draws") as error:
        sdx.run(pipe, PROMPT, height=128, width=96, **FEW)
    assert "use_resolution_binning=False" in str(error.value)
    height, width = (int(str(error.value).rpartition(side)[2].split(",")[0]) for side in ("give height=", " width="))
    monkeypatch.undo()
    trace = sdx.run(pipe, PROMPT, height=height, width=width, record=LATENTS, **FEW)
    assert trace.image.shape == (height, width, 3)


def test_a_picture_that_is_only_made_smaller_is_recorded_and_its_cost_is_of_what_is_drawn(pixart):
    record = sdx.Record(decode=0)
    trace = sdx.run(pixart, PROMPT, height=128, width=128, record=record, **FEW)
    assert trace.image.shape == (128, 128, 3)
    assert trace.latents.shape[-2:] == (32, 32)
    told = sdx.cost(pixart, record, prompt=PROMPT, height=128, width=128, **FEW).parts
    for name, layer in trace.cross_attention["cond"].items():
        assert told[f"cross_attention/{name}"] == layer.probs.nbytes
    assert told["latents"] == trace.latents.nbytes


def test_a_cost_is_of_the_shape_that_hunyuandit_chooses():
    pipe = more.hunyuandit()
    told = sdx.cost(pipe, LATENTS, prompt=PROMPT, height=64, width=48, num_inference_steps=1).parts
    assert told["latents"] == 2 * 4 * (1024 // 8) * (768 // 8) * 4


def test_latents_of_another_size_than_is_drawn_are_refused(pixart):
    trace = sdx.run(pixart, PROMPT, height=128, width=128, record=LATENTS, **FEW)
    hunyuan = more.hunyuandit()
    for call in (
        lambda pipe: sdx.invert(pipe, trace.image[:64, :64], PROMPT, num_inference_steps=1),
        lambda pipe: sdx.look(pipe, trace.image[:64, :64], PROMPT, t=500),
    ):
        with pytest.raises(sdx.RunError, match=r"height=64, width=64, latents=….*use_resolution_binning=False"):
            call(hunyuan)
    found = sdx.look(hunyuan, trace.image[:64, :64], PROMPT, t=500, use_resolution_binning=False)
    assert found.latents.shape[-2:] == (8, 8)


@pytest.mark.parametrize("name", ["flux", "chroma", "qwenimage", "flux2", "hunyuandit"])
def test_a_cost_is_of_the_size_that_is_left_where_the_pipeline_cuts_to_whole_tokens(name):
    subject = SUBJECTS[name]
    pipe, size = subject.make(), {"height": 72, "width": 56, "num_inference_steps": 1, **subject.call}
    trace = sdx.run(pipe, PROMPT, record=LATENTS, **size)
    assert trace.image.shape == (64, 48, 3)
    assert sdx.cost(pipe, LATENTS, prompt=PROMPT, **size).parts["latents"] == trace.latents.nbytes


def test_a_cost_is_of_the_area_to_which_kontext_enlarges():
    pipe = FluxKontextPipeline(**SUBJECTS["flux"].make().components)
    pipe.set_progress_bar_config(disable=True)
    size = {"height": 60, "width": 96, "num_inference_steps": 1, "max_sequence_length": 32, "max_area": 96 * 64}
    trace = sdx.run(pipe, PROMPT, record=LATENTS, **size)
    assert sdx.cost(pipe, LATENTS, prompt=PROMPT, **size).parts["latents"] == trace.latents.nbytes
