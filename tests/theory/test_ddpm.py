"""DDPM's equations compared with Bayes' rule, with simulation, and with a scheduler that may be wrong."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.models.embeddings import get_timestep_embedding
from tiny_pipelines import ddpm as ddpm_pipeline
from unchecked import unchecked

import sdexplore as sdx
from sdexplore import theory
from sdexplore.theory import ddpm

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
BARS = theory.alphas_cumprod(BETAS)


def test_noising_in_one_go_is_noising_step_by_step():
    """Means and variances of q(x_t | x_{t−1}), composed t times."""
    mean, variance = 1.0, 0.0
    for t, beta in enumerate(BETAS):
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        if t in (0, 10, 999):
            assert theory.add_noise(np.ones(1), np.zeros(1), BARS[t])[0] == pytest.approx(mean)
            assert theory.add_noise(np.zeros(1), np.ones(1), BARS[t])[0] ** 2 == pytest.approx(variance)


@pytest.mark.parametrize("t", [1, 10, 500, 999])
def test_the_posterior_is_bayes_rule(t):
    """q(x_{t−1} | x_t, x_0) as the product of two Gaussians in x_{t−1}, by adding precisions."""
    x0, x_t = np.random.default_rng(t).normal(size=(2, 5))
    alpha = 1 - BETAS[t]
    forward = alpha / BETAS[t], x_t / np.sqrt(alpha)  # q(x_t | x_{t−1}) seen as a function of x_{t−1}
    prior = 1 / (1 - BARS[t - 1]), np.sqrt(BARS[t - 1]) * x0
    precision = forward[0] + prior[0]
    mean = (forward[0] * forward[1] + prior[0] * prior[1]) / precision
    np.testing.assert_allclose(theory.posterior_mean(x_t, x0, BARS[t], BARS[t - 1]), mean, rtol=1e-9)
    assert theory.posterior_variance(BARS[t], BARS[t - 1]) == pytest.approx(1 / precision)
    assert theory.beta(BARS[t], BARS[t - 1]) == pytest.approx(BETAS[t])


@pytest.mark.parametrize("t", [0, 1, 500, 999])
def test_equation_11_is_equation_7_of_equation_15(t):
    x_t, eps = np.random.default_rng(t).normal(size=(2, 5))
    before = BARS[t - 1] if t else 1.0
    sigma = np.sqrt((1 - BARS[t]) / BARS[t])
    x0 = theory.pred_original_sample(x_t, eps, sigma, "epsilon", "variance preserving")
    found = theory.reverse_mean(x_t, eps, BARS[t], before)
    np.testing.assert_allclose(found, theory.posterior_mean(x_t, x0, BARS[t], before), rtol=1e-9)
    if t == 0:
        np.testing.assert_allclose(found, x0, rtol=1e-12)  # the last step gives the picture


def test_the_simple_loss_is_a_mean_square():
    assert theory.simple_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 2.0


@pytest.fixture(scope="module")
def pipe():
    return ddpm_pipeline()


@pytest.mark.parametrize("steps", [None, 7])
def test_the_equations_are_the_scheduler_s(pipe, steps):
    found = sdx.equation_checks(pipe, num_inference_steps=steps)
    assert list(found) == ["Eq. 4", "Eq. 15", "Eq. 7", "Eq. 11", "Eq. 7, variance", "3.2, variance"]
    assert len(found.timesteps) == (steps or 1000)
    assert found.timesteps[-1] == 0
    for one in found.values():
        assert len(one.float32) == len(one.float64) == len(one.size) == len(found.timesteps)
        assert one.float32.max() < 5e-4
        assert one.float64.max() < 1e-11
    assert found["Eq. 11"].size.min() > 0.1
    assert found["Eq. 11"].float32.max() > 0  # two ways of computing never round alike everywhere
    assert "1,000 timesteps" in repr(found) or steps
    with pytest.raises(sdx.TraceError, match=r"'Eq\. 12' was not checked"):
        found["Eq. 12"]


@pytest.mark.parametrize(
    ("name", "equations"),
    [
        ("reverse_mean", {"Eq. 11"}),
        ("posterior_mean", {"Eq. 7"}),
        ("add_noise", {"Eq. 4"}),
        ("posterior_variance", {"Eq. 7, variance"}),
        ("beta", {"3.2, variance"}),
    ],
)
def test_a_wrong_equation_is_found_out(pipe, monkeypatch, name, equations):
    real = getattr(ddpm, name)
    monkeypatch.setattr(ddpm, name, lambda *arguments: real(*arguments) * (1 + 1e-6))
    found = sdx.equation_checks(pipe, num_inference_steps=5)
    wrong = {equation for equation, one in found.items() if one.float64.max() > 1e-11}
    assert equations <= wrong <= equations | {"Eq. 7", "Eq. 11", "Eq. 7, variance"}


def test_what_cannot_be_checked_is_refused(tiny):
    with pytest.raises(sdx.RunError, match="num_inference_steps=0"):
        sdx.equation_checks(tiny, num_inference_steps=0)
    unhinted = unchecked("model.inspection.equation_checks")
    with pytest.raises(sdx.RunError, match=r"num_inference_steps=2\.5\): a whole number from 1 to 1000"):
        unhinted.equation_checks(tiny, num_inference_steps=2.5)
    for timesteps in ([], ["x"]):
        with pytest.raises(sdx.RunError, match="name at least one timestep"):
            unhinted.time_embedding(tiny, timesteps)
    tiny.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(sdx.InspectionError, match="has no betas"):
        sdx.equation_checks(tiny)


@pytest.mark.parametrize(("flip", "shift", "dim"), [(True, 0.0, 320), (False, 1.0, 128), (True, 0.0, 33)])
def test_sinusoids_are_diffusers_but_for_the_rounding_of_their_frequencies(flip, shift, dim):
    t = np.array([0.0, 0.5, 1.0, 37.0, 500.0, 999.0])
    options = {"flip_sin_to_cos": flip, "downscale_freq_shift": shift}
    found = theory.timestep_embedding(t, dim, **options)
    expected = get_timestep_embedding(torch.from_numpy(t), dim, **options).numpy()
    assert found.shape == expected.shape == (6, dim)
    rounding = 1.2e-7 * np.maximum(1, t)[:, None]  # one part in 2^23 of t · ω
    assert (np.abs(found - expected) <= rounding).all()


def test_the_unet_s_own_time_is_the_closed_form(tiny, pipe):
    for one in (tiny, pipe):
        found = sdx.time_embedding(one)
        assert found.deviation < 1.2e-4
        with torch.no_grad():
            projected = one.unet.time_proj(torch.tensor([0, 10, 999]))
            learned = one.unet.time_embedding(projected).numpy()
        np.testing.assert_allclose(found.learned[[0, 10, 999]], learned, atol=1e-5)
    some = sdx.time_embedding(tiny, [3, 4])
    assert some.timesteps.tolist() == [3, 4]
    assert some.similarity()[0, 1] == pytest.approx(float(found.similarity()[3, 4]), abs=0.2)
    assert "3 and 4" in repr(some)


def test_slerp_turns_at_even_speed_and_keeps_the_length_between():
    a, b = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [-1.0, 1e-9]])
    for weight in (0.0, 0.25, 1.0):
        (x, y), _ = theory.slerp(a, b, weight)
        assert np.degrees(np.arctan2(y, x)) == pytest.approx(90 * weight)
        assert np.hypot(x, y) == pytest.approx(2.0)
    parallel = theory.slerp(np.array([[1.0, 1.0]]), np.array([[3.0, 3.0]]), 0.5)
    np.testing.assert_allclose(parallel, [[2.0, 2.0]])
    opposite = theory.slerp(np.array([[1.0, 0.0]]), np.array([[-1.0, 0.0]]), 0.25)
    np.testing.assert_allclose(opposite, [[0.5, 0.0]])
    zero = theory.slerp(np.zeros((1, 2)), np.ones((1, 2)), 0.5)
    np.testing.assert_allclose(zero, [[0.5, 0.5]])


def test_a_vector_of_zeros_is_like_nothing():
    found = theory.cosine_similarity(np.array([[1.0, 0.0], [0.0, 0.0], [-2.0, 0.0]]))
    np.testing.assert_allclose(found, [[1, 0, -1], [0, 0, 0], [-1, 0, 1]])
