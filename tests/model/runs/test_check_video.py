"""What a video pipeline is asked for and no trajectory of one video from text can hold: refused before the run."""

import diffusers as df
import numpy as np
import pytest
import torch
from tiny_videos import SIZES, animatediff, cogvideox, wan, wan_of_two

import sdexplore as sdx

PROMPT = "a cat on a mat"


@pytest.fixture(scope="module", params=[cogvideox, wan, animatediff])
def pipe(request):
    made = request.param()
    made.test_call = {**SIZES[request.param.__name__], "num_inference_steps": 1}
    return made


def refused(pipe, monkeypatch, match, **given):
    """The run is refused with such words, and the pipeline is not called."""
    with monkeypatch.context() as patch:
        patch.setattr(type(pipe), "encode_prompt", lambda *_, **__: pytest.fail("the pipeline was called"))
        with pytest.raises(sdx.RunError, match=match):
            sdx.run(pipe, **{"prompt": PROMPT, **pipe.test_call, **given})


@pytest.mark.parametrize(
    "asked",
    [
        {"cross_attention": "heads"},
        {"queries": True},
        {"self_attention": (2,)},
        {"layers": ("blocks.0",)},
        {"columns": "all"},
        {"roles": ("cond", "uncond")},
        {"word_attention": True},
        {"concepts": ("cat",)},
        {"features": ("blocks.0",)},
        {"statistics": True},
    ],
)
def test_attention_that_is_asked_for_is_refused_by_name(pipe, monkeypatch, asked):
    (name,) = asked
    refused(pipe, monkeypatch, rf"^run\(record=Record\({name}=.*frames.*Leave it out", record=sdx.Record(**asked))
    (obstacle,) = sdx.doctor(pipe, sdx.Record(**asked)).obstacles
    assert name in obstacle


@pytest.mark.parametrize("record", [sdx.Record(), sdx.Record(decode=0), sdx.Record(cross_attention=False)])
def test_the_default_asks_for_no_attention_of_a_video(pipe, record):
    trace = sdx.run(pipe, PROMPT, record=record, **pipe.test_call)
    assert not trace.cross_attention
    assert trace.frames is not None


@pytest.mark.parametrize("frames", [0, -1, 2.5, True, "nine", 10**9])
def test_a_number_of_frames_is_a_whole_number(pipe, monkeypatch, frames):
    refused(pipe, monkeypatch, r"num_frames=.*whole number from 1", num_frames=frames)


def test_frames_that_the_pipeline_would_round_are_refused(monkeypatch):
    for make in (cogvideox, wan):
        pipe = make()
        pipe.test_call = {}
        refused(pipe, monkeypatch, r"run\(num_frames=10\).*give 9 or 13", num_frames=10)


def test_sides_that_the_pipeline_would_round_are_refused(monkeypatch):
    for make in (cogvideox, wan):
        pipe = make()
        pipe.test_call = SIZES[make.__name__]
        refused(pipe, monkeypatch, r"run\(height=40\).*multiples of 16 pixels; give 32 or 48", height=40)


def test_videos_that_the_pipeline_would_not_make_are_refused(pipe, monkeypatch):
    if isinstance(pipe, df.WanPipeline):
        assert len(sdx.run(pipe, PROMPT, num_videos_per_prompt=2, **pipe.test_call)) == 2
    else:
        refused(pipe, monkeypatch, r"num_videos_per_prompt=2\).*ignores it", num_videos_per_prompt=2)


def test_latents_have_the_order_of_the_pipeline(pipe, monkeypatch):
    channels, frames = (16, 3) if isinstance(pipe, df.WanPipeline) else (4, 3)
    right = torch.randn(1, channels, frames, 2, 4)
    right = right.transpose(1, 2) if isinstance(pipe, df.CogVideoXPipeline) else right
    trace = sdx.run(pipe, PROMPT, latents=right, **pipe.test_call)
    ordered = right.transpose(1, 2) if isinstance(pipe, df.CogVideoXPipeline) else right
    assert np.array_equal(trace.latents[0], ordered[0].numpy())
    for wrong in (right[:, :, :1], right.transpose(3, 4), torch.randn(1, channels, 2, 4), "noise"):
        refused(pipe, monkeypatch, r"run\(latents=…\).*this call needs \(video, ", latents=wrong)


def test_changes_guides_and_other_prompts_are_refused(pipe, monkeypatch):
    refused(pipe, monkeypatch, r"change=.*draws a video", change=sdx.Reweight("cat", 2.0))
    refused(pipe, monkeypatch, r"guide=.*draws a video", guide=len)
    refused(pipe, monkeypatch, r"prompt_at", prompt_at={1: "a dog"})


def test_questions_about_a_picture_are_refused(pipe):
    trace = sdx.run(pipe, PROMPT, **pipe.test_call)
    for name, ask in {
        "look": lambda: sdx.look(pipe, trace.image, PROMPT, t=500),
        "invert": lambda: sdx.invert(pipe, trace.image, PROMPT),
        "occlusion": lambda: sdx.occlusion(pipe, trace),
        "attribution": lambda: sdx.attribution(pipe, trace),
        "head_effects": lambda: sdx.head_effects(pipe, trace, "cat"),
    }.items():
        with pytest.raises(sdx.RunError, match=rf"^{name} asks about one picture"):
            ask()
    with pytest.raises(sdx.InspectionError, match=r"^pipeline_architecture: .*draws videos"):
        sdx.pipeline_architecture(pipe)


def test_pipelines_that_begin_with_a_picture_are_refused_by_name(monkeypatch):
    parts = cogvideox().components
    pipe = df.CogVideoXVideoToVideoPipeline(**parts)
    pipe.test_call = {}
    refused(pipe, monkeypatch, "cannot observe this CogVideoXVideoToVideoPipeline: .*CogVideoXPipeline")
    assert any("CogVideoXPipeline" in one for one in sdx.doctor(pipe).obstacles)


def test_animatediff_draws_one_trajectory(monkeypatch):
    pipe = animatediff()
    pipe.test_call = SIZES["animatediff"]
    pipe.enable_free_init(num_iters=2)
    refused(pipe, monkeypatch, r"FreeInit.*pipe\.disable_free_init\(\)")
    pipe.disable_free_init()
    pipe.enable_free_noise(context_length=2, context_stride=1)
    refused(pipe, monkeypatch, r"FreeNoise.*pipe\.disable_free_noise\(\)")
    pipe.disable_free_noise()
    assert sdx.run(pipe, PROMPT, num_inference_steps=1, **pipe.test_call).video


def test_a_second_transformer_that_is_compiled_hears_no_hook_and_is_refused(monkeypatch):
    pipe = wan_of_two()
    pipe.test_call = SIZES["wan"]
    pipe.transformer_2 = torch.compile(pipe.transformer_2, backend="eager")
    refused(pipe, monkeypatch, r"compiled by torch.compile.*pipe\.transformer_2 = pipe\.transformer_2\._orig_mod")


def test_a_wan_without_its_second_transformer_is_refused(monkeypatch):
    pipe = wan(boundary_ratio=0.8)
    pipe.test_call = SIZES["wan"]
    refused(pipe, monkeypatch, "boundary_ratio=0.8, and transformer_2")
