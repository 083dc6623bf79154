"""Noise levels in real runs, which tracing does not change; test_scheduler_matrix.py has every scheduler."""

import diffusers
import numpy as np
import pytest
import torch
from tiny_pipelines import pndm, stable_diffusion

import sdexplore as sdx

KNOWN = ("PNDM", "HeunDiscrete", "UniPCMultistep", "EDMEuler", "TCD")


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KNOWN)
def test_a_run_with_a_scheduler_of_every_kind(pipe, name):
    pipe.scheduler = getattr(diffusers, f"{name}Scheduler").from_config(pndm().config)
    expected = pipe("a cat", num_inference_steps=3, generator=torch.Generator().manual_seed(0)).images[0]
    trace = sdx.run(pipe, "a cat", num_inference_steps=3)
    assert np.array_equal(trace.image, np.asarray(expected))
    assert trace.num_steps == len(pipe.scheduler.timesteps)
    assert np.isfinite(trace.pred_original_sample).all()
    assert list(trace.decoded_x0) == list(trace.decoded)
    assert np.all(np.diff(trace.sigmas) <= 1e-6)


def test_zero_terminal_snr_begins_with_noise_alone(pipe):
    options = {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pndm().config, **options)
    trace = sdx.run(pipe, "a cat", num_inference_steps=3)
    assert trace.sigmas[0] == np.inf
    assert np.isfinite(trace.sigmas[1:]).all()
    assert np.isfinite(trace.pred_original_sample).all()
    assert np.array_equal(trace.pred_original_sample[0], -trace.noise_pred[0])
