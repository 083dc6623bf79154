"""A call of the same pipeline from elsewhere goes through, stays out of the record, and ends a run that it disturbs."""

import copy
import os
import threading

import numpy as np
import pytest
import torch
from plain_runs import PROMPT, hooks_of, plain

import sdexplore as sdx

FEW = {"record": sdx.Record(decode=0), "num_inference_steps": 3}


def test_a_call_of_another_thread_goes_through_and_ends_the_run_by_name_and_step(tiny, tmp_path):
    tiny_alone = plain(tiny, num_inference_steps=2)
    found = []

    def elsewhere(progress):
        if progress.step == 1:
            thread = threading.Thread(
                target=lambda: found.append(plain(tiny, num_inference_steps=2)), name="another cell"
            )
            thread.start()
            thread.join()

    target = tmp_path / "trace.safetensors"
    with pytest.raises(sdx.RunError, match=r"in thread 'another cell' .* after step \d of the observed run"):
        sdx.run(tiny, PROMPT, on_step=elsewhere, to=target, **FEW)
    assert np.array_equal(found[0], tiny_alone)
    assert not target.exists()
    assert hooks_of(tiny.unet) == []
    assert not vars(tiny.scheduler).keys() & {"step", "set_timesteps"}
    assert "decode" not in vars(tiny.vae)
    assert np.array_equal(plain(tiny, num_inference_steps=2), tiny_alone)


@pytest.mark.parametrize("how", ["on_step", "callback_on_step_end"])
def test_a_call_from_within_the_run_goes_through_and_ends_it(tiny, how):
    expected, found = plain(tiny, num_inference_steps=1), []

    def nested(*given):
        if not found:
            found.append(None)
            found[0] = plain(tiny, num_inference_steps=1)
        return given[-1]

    with pytest.raises(sdx.RunError, match=r"in thread 'MainThread' .* after step 0 of the observed run"):
        sdx.run(tiny, PROMPT, **{how: nested}, **FEW)
    assert np.array_equal(found[0], expected)


def test_the_denoiser_alone_called_between_steps_disturbs_nothing(tiny):
    alone = sdx.run(tiny, PROMPT, **FEW)

    def looks(pipe, _step, timestep, values):
        pipe.unet(values["latents"], timestep, torch.zeros(1, 77, 32))
        return values

    trace = sdx.run(tiny, PROMPT, callback_on_step_end=looks, **FEW)
    assert list(trace.noise_preds) == list(alone.noise_preds)
    assert np.array_equal(trace.latents, alone.latents)
    for layer, attention in alone.cross_attention["cond"].items():
        assert np.array_equal(trace.cross_attention["cond"][layer].probs, attention.probs)


def test_a_deep_copy_made_in_mid_run_draws_and_leaves_the_record_alone(tiny):
    alone, expected, copies = sdx.run(tiny, PROMPT, **FEW), plain(tiny, num_inference_steps=2), []

    def copies_itself(progress):
        if progress.step == 0:
            copies.append(copy.deepcopy(tiny))
            copies.append(plain(copies[0], num_inference_steps=2))

    trace = sdx.run(tiny, PROMPT, on_step=copies_itself, **FEW)
    assert np.array_equal(copies[1], expected)
    assert np.array_equal(trace.latents, alone.latents)
    assert np.array_equal(trace.image, alone.image)
    copied = copies[0]
    assert np.array_equal(plain(copied, num_inference_steps=2), expected)
    assert copied.scheduler.step.__self__ is copied.scheduler
    assert sdx.run(copied, PROMPT, record=sdx.Record(decode=0), num_inference_steps=2).num_steps > 1


def test_a_forked_process_draws_and_leaves_the_record_alone(tiny, tmp_path):
    alone, expected, drawn = sdx.run(tiny, PROMPT, **FEW), plain(tiny, num_inference_steps=1), tmp_path / "drawn.npy"
    torch.set_num_threads(1)

    def forks(progress):
        if progress.step == 0:
            child = os.fork()
            if child == 0:
                try:
                    np.save(drawn, plain(tiny, num_inference_steps=1))
                finally:
                    os._exit(0)
            os.waitpid(child, 0)

    trace = sdx.run(tiny, PROMPT, on_step=forks, **FEW)
    assert np.array_equal(trace.latents, alone.latents)
    assert np.array_equal(np.load(drawn), expected)
