"""x0 by closed form is the scheduler's own, for every scheduler that reports one; others against known noise."""

import diffusers
import numpy as np
import pytest
import torch
from tiny_pipelines import pndm, stable_diffusion

import sdexplore as sdx
from sdexplore.model import noise_levels
from sdexplore.theory import pred_original_sample

BASE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
REPORTING = (
    "DDIMScheduler",
    "DDPMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "LMSDiscreteScheduler",
    "LCMScheduler",
)
CONVERTING = (
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DEISMultistepScheduler",
    "UniPCMultistepScheduler",
    "SASolverScheduler",
)
KNOWN = (*REPORTING, *CONVERTING, "PNDMScheduler")


def scheduler(name, prediction_type="epsilon"):
    cls = getattr(diffusers, name)
    known = {**BASE, "prediction_type": prediction_type}
    return cls.from_config(known)


def walk(chosen, steps=6):
    """Runs a scheduler on a made-up model; yields (mark, sample, model output, its own x0 or None)."""
    chosen.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn((1, 4, 8, 8), generator=generator) * float(getattr(chosen, "init_noise_sigma", 1.0))
    for timestep in chosen.timesteps:
        output = torch.tanh(chosen.scale_model_input(sample, timestep)) + 0.1
        first = bool(getattr(chosen, "state_in_first_order", True))
        result = chosen.step(output, timestep, sample)
        mark = noise_levels.StepMark(timestep, getattr(chosen, "step_index", None), first)
        own = getattr(result, "pred_original_sample", None)
        yield mark, sample, output, getattr(result, "denoised", None) if own is None else own
        sample = result.prev_sample


def closed_form(chosen, mark, sample, output):
    (sigma,) = noise_levels.sigmas(chosen, [mark])
    kind, space = noise_levels.prediction_type(chosen), noise_levels.space(chosen)
    return pred_original_sample(sample.numpy(), output.numpy(), float(sigma), kind, space)


def error(mine, own):
    return float(np.abs(mine - own).max() / np.abs(own).max())


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", REPORTING)
def test_x0_is_the_schedulers_own(name, prediction_type):
    chosen = scheduler(name, prediction_type)
    checked = 0
    for mark, sample, output, own in walk(chosen):
        mine = closed_form(chosen, mark, sample, output)
        if name == "LCMScheduler":  # its `denoised` is mixed with x_t by the boundary condition of consistency models
            c_skip, c_out = chosen.get_scalings_for_boundary_condition_discrete(mark.timestep)
            mine = float(c_out) * mine + float(c_skip) * sample.numpy()
        assert error(mine, own.numpy()) < 5e-6
        checked += 1
    assert checked >= 6


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", CONVERTING)
def test_x0_is_what_the_solver_converts_the_output_to(name, prediction_type, monkeypatch):
    chosen = scheduler(name, prediction_type)
    original, converted = chosen.convert_model_output, []

    def keep(*args, **kwargs):
        converted.append(original(*args, **kwargs))
        return converted[-1]

    monkeypatch.setattr(chosen, "convert_model_output", keep)
    for mark, sample, output, _ in walk(chosen):
        mine = closed_form(chosen, mark, sample, output)
        expected = converted.pop()
        if name == "DEISMultistepScheduler":  # converts to epsilon instead
            (sigma,) = noise_levels.sigmas(chosen, [mark])
            a = 1 / np.sqrt(sigma**2 + 1)
            expected = (sample - sigma * a * expected) / a
        assert error(mine, expected.numpy()) < 2e-5


@pytest.mark.parametrize("name", KNOWN)
def test_known_noise_gives_the_known_picture_back(name):
    """An oracle that returns the noise of a known x0 at every step: x0 must come out as that picture."""
    chosen = scheduler(name)
    picture = np.random.default_rng(1).normal(size=(1, 4, 8, 8)).astype(np.float32)
    noise = np.random.default_rng(2).normal(size=(1, 4, 8, 8)).astype(np.float32)
    for mark, _, _, _ in walk(chosen):
        (sigma,) = noise_levels.sigmas(chosen, [mark])
        sample = picture + sigma * noise
        if noise_levels.space(chosen) == "variance preserving":
            sample = sample / np.sqrt(sigma**2 + 1)
        found = pred_original_sample(
            sample.astype(np.float32), noise, float(sigma), "epsilon", noise_levels.space(chosen)
        )
        assert np.allclose(found, picture, atol=2e-4)


@pytest.mark.parametrize("name", [*KNOWN, "EDMEulerScheduler"])
def test_a_run_with_each_scheduler(name):
    pipe = stable_diffusion()
    pipe.scheduler = pndm() if name == "PNDMScheduler" else getattr(diffusers, name).from_config(pipe.scheduler.config)
    expected = pipe("a cat", num_inference_steps=3, generator=torch.Generator().manual_seed(0)).images[0]
    trace = sdx.run(pipe, "a cat", num_inference_steps=3)
    assert np.array_equal(trace.image, np.asarray(expected))
    assert trace.num_steps == len(pipe.scheduler.timesteps)
    if name == "EDMEulerScheduler":  # not known: said, not guessed
        assert trace.pred_original_sample is None
        with pytest.raises(sdx.TraceError, match="noise levels"):
            trace.recorded("sigmas")
        return
    assert np.isfinite(trace.pred_original_sample).all()
    assert list(trace.decoded_x0) == list(trace.decoded)
    assert np.all(np.diff(trace.sigmas) <= 1e-6) or name.startswith("KDPM2")


def test_zero_terminal_snr_begins_with_noise_alone():
    pipe = stable_diffusion()
    options = {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config, **options)
    trace = sdx.run(pipe, "a cat", num_inference_steps=3)
    assert trace.sigmas[0] == np.inf
    assert np.isfinite(trace.sigmas[1:]).all()
    assert np.isfinite(trace.pred_original_sample).all()
    assert np.array_equal(trace.pred_original_sample[0], -trace.noise_pred[0])
