"""Every function that runs a pipeline restores it, however the run ends, and names itself in errors."""

import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import AttnProcessor
from plain_runs import PROMPT, hooks_of
from tiny_families import picture

import sdexplore as sdx
from sdexplore.model.runs.call import Call
from sdexplore.model.runs.provenance import described
from sdexplore.model.runs.session import Background, session
from sdexplore.model.series.queued_runs import compare_unless, run_unless
from sdexplore.model.series.rerun import rerun

FEW = sdx.Record(decode=0)
SHORT = {"record": FEW, "num_inference_steps": 2}


def cancelled_after(steps):
    """Says from the call of that number on that the run is cancelled."""
    asked = iter(range(steps))
    return lambda: next(asked, None) is None


@dataclass(frozen=True)
class Caller:
    """A function that runs the pipeline.

    Attributes:
        name: What the user called.
        call: Given a pipeline, calls it with further arguments.
        steps: Whether it takes `on_step`.
        cancels: Whether it takes `cancelled`.
    """

    name: str
    call: Any
    steps: bool = False
    cancels: bool = False


def made_again(pipe, **more):
    trace = sdx.run(pipe, PROMPT, **SHORT)
    other = {**trace.provenance["scheduler"], "class": "DDIMScheduler"}
    config = DDIMScheduler.from_config(pipe.scheduler.config).config
    other["config"] = {name: value for name, value in config.items() if not name.startswith("_")}
    call = {**trace.call, "arguments": {**trace.call["arguments"], **described(more)}}
    provenance = {**trace.provenance, "scheduler": other}
    return rerun(pipe, {"fingerprint": "x", "kind": "run", "call": call, "provenance": provenance}, more)


def inverted(pipe, **more):
    return sdx.invert(pipe, picture(), PROMPT, num_inference_steps=2, **more)


def never():
    return False


CALLERS = [
    Caller("run", lambda pipe, **more: sdx.run(pipe, PROMPT, **SHORT, **more), steps=True),
    Caller(
        "compare",
        lambda pipe, **more: sdx.compare(pipe, PROMPT, over={"scheduler": ["DDIM", "Euler"]}, **SHORT, **more),
        steps=True,
    ),
    Caller(
        "run",
        lambda pipe, cancelled=never, **more: run_unless(
            cancelled, pipe, PROMPT, scheduler="DDIM", told=lambda _: None, **SHORT, **more
        ),
        steps=True,
        cancels=True,
    ),
    Caller(
        "compare",
        lambda pipe, cancelled=never, **more: compare_unless(
            cancelled, pipe, PROMPT, over={"scheduler": ["DDIM"]}, told=lambda _: None, **SHORT, **more
        ),
        steps=True,
        cancels=True,
    ),
    Caller("reproduce", made_again),
    Caller("look", lambda pipe, **more: sdx.look(pipe, picture(), PROMPT, t=[300, 500], record=FEW, **more)),
    Caller("invert", inverted),
    Caller("redraw", lambda pipe, **more: sdx.redraw(pipe, inverted(pipe), **more)),
    Caller("occlusion", lambda pipe, **more: sdx.occlusion(pipe, sdx.run(pipe, PROMPT, **SHORT), steps=1, **more)),
    Caller(
        "clip_skip_ladder", lambda pipe, **more: sdx.clip_skip_ladder(pipe, PROMPT, (0, 1), **SHORT, **more), steps=True
    ),
    Caller(
        "interpolation",
        lambda pipe, **more: sdx.interpolation(pipe, PROMPT, "a dog", (0, 0.5), **SHORT, **more),
        steps=True,
    ),
    Caller("word_effect", lambda pipe, **more: sdx.word_effect(pipe, picture(), PROMPT, "photo", t=500, **more)),
]
NAMES = [f"{caller.name} in the background" if caller.cancels else caller.name for caller in CALLERS]


def state_of(pipe):
    """What a run must restore. Text encoders are left out: transformers leaves hooks of its own on them."""
    return {
        "scheduler": id(pipe.scheduler),
        "on the scheduler": sorted(vars(pipe.scheduler).keys() & {"step"}),
        "on the pipeline": sorted(vars(pipe).keys() & {"encode_prompt"}),
        "processors": {name: id(processor) for name, processor in pipe.unet.attn_processors.items()},
        "hooks": hooks_of(pipe.unet) + hooks_of(pipe.vae),
        "progress bar": dict(pipe._progress_bar_config),
        "dtype of the VAE": next(pipe.vae.parameters()).dtype,
    }


def meddling(pipe, then):
    """A callback of diffusers that changes what pipelines change for a while, and ends the run."""

    def callback(_pipe, _step, _timestep, values):
        pipe.unet.set_attn_processor(AttnProcessor())
        pipe.vae.to(torch.float64)
        then()
        return values

    return callback


def raising(error):
    def fail():
        raise error

    return fail


ENDS = [
    pytest.param(caller, end, id=f"{name}-{getattr(end, '__name__', end)}")
    for caller, name in zip(CALLERS, NAMES, strict=True)
    for end in ("success", "stop", "cancelled", ZeroDivisionError, KeyboardInterrupt)
    if (end != "stop" or caller.steps) and (end != "cancelled" or caller.cancels)
]


@pytest.mark.parametrize(("caller", "end"), ENDS)
def test_the_pipeline_is_restored_whatever_ends_the_run(tiny, caller, end):
    tiny.set_progress_bar_config(disable=True, desc="mine")
    before = state_of(tiny)
    if end == "success":
        assert caller.call(tiny) is not None
    elif end == "stop":
        with pytest.raises(sdx.Stopped) as stopped:
            caller.call(tiny, on_step=lambda progress: progress.stop())
        assert stopped.value.trace.num_steps == 1
    elif end == "cancelled":
        with pytest.raises(sdx.Stopped) as stopped:
            caller.call(tiny, cancelled=cancelled_after(1))
        assert stopped.value.trace.num_steps == 2
    else:
        with pytest.raises(end):
            caller.call(tiny, callback_on_step_end=meddling(tiny, raising(end())))
    assert state_of(tiny) == before
    with session(tiny, function="run"):  # the lock is free
        pass


@pytest.mark.parametrize("caller", CALLERS, ids=NAMES)
def test_an_error_names_the_function_that_the_user_called(tiny, caller):
    with pytest.raises(sdx.RunError, match=rf"^{caller.name}\(nonsense=…\): .* takes no 'nonsense'"):
        caller.call(tiny, nonsense=1)


@pytest.mark.parametrize("name", ["compare", "look", "invert", "redraw", "clip_skip_ladder", "interpolation"])
def test_one_image_a_run_is_asked_for_by_name_before_anything_is_computed(tiny, name, monkeypatch):
    call = next(caller.call for caller in CALLERS if caller.name == name)
    if name == "redraw":
        call = partial(sdx.redraw, inversion=inverted(tiny))
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.RunError, match=rf"^{name}: .* 2 images.*num_images_per_prompt"):
        call(tiny, num_images_per_prompt=2)


def test_a_scheduler_that_has_no_such_name_is_refused_before_the_first_run(tiny, monkeypatch):
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.LoadError, match="'Eular'"):
        sdx.compare(tiny, PROMPT, over={"scheduler": ["DDIM", "Eular"]}, **SHORT)


def test_a_session_may_run_several_calls_of_one_turn(tiny):
    calls = [Call(PROMPT, {"num_inference_steps": 1}, seed=seed, record=FEW) for seed in (0, 1)]
    with session(tiny, *calls, function="run") as running:
        first, second = (running.run_one(call) for call in calls)
    assert not np.array_equal(first.latents[0], second.latents[0])
    assert np.array_equal(second.latents, sdx.run(tiny, PROMPT, seed=1, record=FEW, num_inference_steps=1).latents)


def test_a_background_hears_of_its_turn_and_hides_the_progress_bar(tiny):
    tiny.set_progress_bar_config(desc="mine")
    heard = []
    background = Background(never, begun=lambda: heard.append(dict(tiny._progress_bar_config)))
    with session(tiny, function="run", background=background):
        pass
    assert heard == [{"desc": "mine", "disable": True}]
    assert tiny._progress_bar_config == {"desc": "mine"}


def test_a_look_waits_for_a_run_and_sees_the_own_scheduler(tiny):
    """A run of another thread with an exchanged scheduler does not lend it to the look."""
    alone = sdx.look(tiny, picture(), PROMPT, t=500, record=FEW)
    other = DDIMScheduler.from_config(tiny.scheduler.config, prediction_type="v_prediction")
    begun, found = threading.Event(), []

    def looks():
        begun.wait()
        found.append(sdx.look(tiny, picture(), PROMPT, t=500, record=FEW))

    thread = threading.Thread(target=looks)
    thread.start()
    call = Call(PROMPT, {"num_inference_steps": 3}, record=FEW, scheduler=other, on_step=lambda _: begun.set())
    with session(tiny, call, function="run") as running:
        running.run(call)
    thread.join()
    assert found[0].provenance["scheduler"]["prediction_type"] == "epsilon"
    assert np.array_equal(found[0].pred_original_sample, alone.pred_original_sample)
