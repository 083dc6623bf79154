"""Classifier guidance by a user's own function: the gradient is right, and nothing else is touched."""

import numpy as np
import pytest
import torch
from tiny_families import stable_diffusion_2
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.runs.classifier_guidance import guide_of

FEW = sdx.Record(cross_attention=False, decode=0)
STEPS = {"num_inference_steps": 3, "record": FEW}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def towards_one(step):
    """log p of a Gaussian around x0 = 1."""
    return -(step.pred_original_sample - 1).square().sum(dim=(1, 2, 3)) / 2


def epsilon_shift(trace, scale, log_p_gradient_of_x0):
    """By hand: −√(1−ᾱ) s ∇_{x_t} log p, with ∂x0/∂x_t = 1/√ᾱ."""
    sigma = trace.sigmas.reshape(-1, 1, 1, 1)
    a, b = 1 / np.sqrt(1 + sigma**2), sigma / np.sqrt(1 + sigma**2)
    return -b * scale * log_p_gradient_of_x0 / a


def before(trace):
    """x0 as it was before the guide, by DDPM's Eq. 15."""
    sigma = trace.sigmas.reshape(-1, 1, 1, 1)
    x = np.stack([trace.scaled_latents(step) for step in range(trace.num_steps)])
    return (x - sigma / np.sqrt(1 + sigma**2) * trace.noise_pred_before_guide) * np.sqrt(1 + sigma**2)


@pytest.mark.parametrize("scheduler", ["DDIM", "Heun"])
def test_the_noise_prediction_moves_by_algorithm_2(pipe, scheduler):
    own = pipe.scheduler
    (trace,) = sdx.compare(pipe, "a cat", over={"scheduler": [scheduler]}, guide=towards_one, guide_scale=0.01, **STEPS)
    assert pipe.scheduler is own
    expected = epsilon_shift(trace, 0.01, 1 - before(trace))
    np.testing.assert_allclose(trace.noise_pred - trace.noise_pred_before_guide, expected, atol=2e-4, rtol=1e-3)
    assert trace.call["arguments"]["guide"] == {"object": "towards_one"}
    assert trace.call["arguments"]["guide_scale"] == 0.01
    assert np.all(sdx.guidance_steps(trace).residual == 0)  # held against what the guide got


def test_v_prediction_moves_by_as_much_in_its_own_terms():
    pipe = stable_diffusion_2()
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, rescale_betas_zero_snr=False)
    trace = sdx.run(pipe, "a cat", guide=lambda step: torch.ones_like(step.latents), guide_scale=0.1, **STEPS)
    sigma = trace.sigmas.reshape(-1, 1, 1, 1)
    a, b = 1 / np.sqrt(1 + sigma**2), sigma / np.sqrt(1 + sigma**2)
    epsilons = [a * out + b * trace.latents[:-1] for out in (trace.noise_pred_before_guide, trace.noise_pred)]
    np.testing.assert_allclose(epsilons[1] - epsilons[0], np.broadcast_to(-b * 0.1, epsilons[0].shape), atol=1e-5)


def test_guiding_leads_there_and_is_the_callers_own_scale(pipe):
    plain = sdx.run(pipe, "a cat", **STEPS)
    led = sdx.run(pipe, "a cat", guide=lambda step: 0.02 * towards_one(step), **STEPS)
    same = sdx.run(pipe, "a cat", guide=towards_one, guide_scale=0.02, **STEPS)
    np.testing.assert_allclose(led.noise_pred, same.noise_pred, atol=1e-5)
    assert np.square(led.latents[-1] - 1).mean() < np.square(plain.latents[-1] - 1).mean()


def test_what_a_guide_sees(pipe):
    seen = []

    def look(step):
        seen.append(step)
        assert step.latents.shape == step.pred_original_sample.shape == (2, 4, 8, 8)
        picture = step.decode()
        assert picture.shape == (2, 3, 64, 64)
        return picture.mean(dim=(1, 2, 3))

    traces = sdx.run(pipe, ["a cat", "a dog"], guide=look, **STEPS)
    assert [step.step for step in seen] == list(range(traces[0].num_steps))
    np.testing.assert_allclose([step.sigma for step in seen], traces[0].sigmas)
    for image, trace in enumerate(traces):
        found = np.stack([step.pred_original_sample[image].detach().numpy() for step in seen])
        np.testing.assert_allclose(found, before(trace), atol=2e-4)
        assert not np.array_equal(trace.noise_pred, trace.noise_pred_before_guide)


def test_none_leaves_a_call_as_it_is_and_no_guide_leaves_the_run(pipe):
    expected = pipe("a cat", num_inference_steps=3, generator=torch.Generator().manual_seed(0)).images[0]
    idle = sdx.run(pipe, "a cat", guide=lambda _: None, **STEPS)
    assert np.array_equal(idle.image, np.asarray(expected))
    np.testing.assert_array_equal(idle.noise_pred, idle.noise_pred_before_guide)
    plain = sdx.run(pipe, "a cat", **STEPS)
    assert plain.noise_pred_before_guide is None
    assert "guide" not in plain.call["arguments"]
    with pytest.raises(sdx.TraceError, match=r"it needs run\(guide=…\)"):
        plain.recorded("noise_pred_before_guide")


def test_a_guided_trace_is_a_file_like_any_other(pipe, tmp_path):
    trace = sdx.run(pipe, "a cat", guide=towards_one, guide_scale=0.01, **STEPS)
    again = sdx.Trace.load(trace.save(tmp_path / "guided.safetensors")).verify()
    np.testing.assert_array_equal(again.noise_pred_before_guide, trace.noise_pred_before_guide)


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (lambda _: 3.0, "guide returned float"),
        (lambda step: step.latents[:, :1], r"guide returned \(1, 1, 8, 8\)"),
        (lambda step: step.latents.detach().sum(), "does not depend on the sample"),
    ],
)
def test_what_is_no_guide_is_refused_and_the_pipeline_is_as_before(pipe, guide, message):
    step, own = pipe.scheduler.step, dict(vars(pipe.scheduler))
    with pytest.raises(sdx.RunError, match=message):
        sdx.run(pipe, "a cat", guide=guide, **STEPS)
    assert pipe.scheduler.step == step
    assert "step" not in vars(pipe.scheduler)
    assert own.keys() <= vars(pipe.scheduler).keys()
    assert not any(module._forward_hooks for module in pipe.unet.modules())


def test_a_guide_is_a_function_and_its_scale_a_number(pipe):
    with pytest.raises(sdx.RunError, match="guide is a function of a GuideStep"):
        guide_of(pipe, "a classifier", 1.0, "run")
    with pytest.raises(sdx.RunError, match="guide_scale is a number"):
        guide_of(pipe, towards_one, True, "run")  # noqa: FBT003  (a mistake)


def test_an_error_of_the_guides_own_comes_through(pipe):
    def broken(step):
        return step.latents.sum() / torch.zeros(0)[0]

    with pytest.raises(IndexError):
        sdx.run(pipe, "a cat", guide=broken, **STEPS)
    assert "step" not in vars(pipe.scheduler)
