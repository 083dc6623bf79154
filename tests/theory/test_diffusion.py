"""Closed forms compared with their definitions, and with torch."""

from itertools import product

import numpy as np
import pytest
import torch

from sdexplore.theory import (
    ddpm,
    guided,
    linear_preview,
    pred_epsilon,
    pred_original_sample,
    rescaled,
    signal_and_noise,
    variance_preserving,
)

SPACES = ("variance preserving", "variance exploding")
SIGMAS = np.array([0.0, 1e-3, 0.03, 1.0, 14.6146, 157.4, 4096.0])


def of_known(sigma, space, seed=0):
    """x_t by definition, beside the x0, ε and v that it is made of."""
    x0, eps = np.random.default_rng(seed).normal(size=(2, 4, 8, 12))
    alpha_bar = 1 / (1 + sigma**2)
    a, b = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    sample = x0 + sigma * eps if space == "variance exploding" else a * x0 + b * eps
    return sample, {"sample": x0, "epsilon": eps, "v_prediction": a * eps - b * x0}


def test_signal_and_noise_are_the_roots_of_alpha_bar():
    alpha_bar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0).numpy()
    a, b = signal_and_noise(np.sqrt(1 - alpha_bar) / np.sqrt(alpha_bar))
    np.testing.assert_allclose(a, np.sqrt(alpha_bar), rtol=1e-13)
    np.testing.assert_allclose(b, np.sqrt(1 - alpha_bar), rtol=1e-13)


def test_signal_and_noise_reach_from_no_noise_to_nothing_else_without_a_warning():
    a, b = signal_and_noise(np.array([0.0, 1e-300, 1e300, np.inf]))
    np.testing.assert_array_equal(a, [1, 1, 1e-300, 0])
    np.testing.assert_allclose(b, [0, 1e-300, 1, 1])
    assert signal_and_noise(np.float64(1.0)) == pytest.approx((0.5**0.5, 0.5**0.5))


def test_the_variance_preserving_scale_is_the_same_from_either_space():
    for sigma in SIGMAS:
        preserving, exploding = (of_known(sigma, space)[0] for space in SPACES)
        np.testing.assert_allclose(variance_preserving(exploding, sigma, SPACES[1]), preserving, atol=1e-12)
        assert variance_preserving(preserving, sigma, SPACES[0]) is preserving


def test_unit_variance_stays_unit_variance():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=(1000, 1000)) + 5.0 * rng.normal(size=(1000, 1000))
    assert variance_preserving(sample, 5.0, "variance exploding").std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("space", "prediction_type"), list(product(SPACES, ("epsilon", "v_prediction", "sample"))))
def test_x0_comes_back_from_x_t(space, prediction_type):
    for sigma in SIGMAS:
        sample, outputs = of_known(sigma, space)
        found = pred_original_sample(sample, outputs[prediction_type], sigma, prediction_type, space)
        np.testing.assert_allclose(found, outputs["sample"], atol=1e-11 * max(1, sigma))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_x0_takes_a_sigma_for_each_step(prediction_type):
    rows = [of_known(sigma, SPACES[1], seed=i) for i, sigma in enumerate(SIGMAS)]
    sample, output, x0 = (
        np.stack(part) for part in zip(*((s, o[prediction_type], o["sample"]) for s, o in rows), strict=True)
    )
    sigma = SIGMAS.reshape(-1, 1, 1, 1)
    found = pred_original_sample(sample, output, sigma, prediction_type, SPACES[1])
    assert found.shape == sample.shape
    np.testing.assert_allclose(found, x0, atol=1e-8)


def test_x0_of_pure_noise_by_velocity_is_minus_v():
    sample, v = np.random.default_rng(0).normal(size=(2, 4, 8, 12))
    found = pred_original_sample(sample, v, np.inf, "v_prediction", "variance preserving")
    np.testing.assert_array_equal(found, -v)


def test_guidance_is_an_extrapolation():
    uncond, cond = np.random.default_rng(0).normal(size=(2, 4, 8, 12))
    np.testing.assert_array_equal(guided(uncond, cond, 0.0), uncond)
    np.testing.assert_allclose(guided(uncond, cond, 1.0), cond, atol=1e-15)
    w = 6.5  # Ho & Salimans' own form: (1 + w) ε_c − w ε_u
    np.testing.assert_allclose(guided(uncond, cond, 1 + w), (1 + w) * cond - w * uncond, atol=1e-13)


@pytest.mark.parametrize("phi", [0.0, 0.7, 1.0])
def test_rescaling_is_torch_s_own(phi):
    uncond, cond = torch.randn(2, 1, 4, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cfg = uncond + 7.5 * (cond - uncond)
    # as in Lin et al., listing in appendix, and diffusers' rescale_noise_cfg
    matched = cfg * (cond.std(dim=[1, 2, 3], keepdim=True) / cfg.std(dim=[1, 2, 3], keepdim=True))
    expected = phi * matched + (1 - phi) * cfg
    found = rescaled(cfg[0].numpy(), cond[0].numpy(), phi)
    np.testing.assert_allclose(found, expected[0].numpy(), rtol=1e-12)
    if phi == 1.0:
        assert torch.from_numpy(found).std().item() == pytest.approx(cond.std().item())


def test_where_an_equation_divides_by_nothing_it_is_not_finite_and_silent():
    ones = np.ones((4, 8, 8))
    assert np.isnan(rescaled(ones, ones, 0.7)).all()
    assert not np.isfinite(pred_epsilon(ones, ones, 0.0, "variance preserving")).any()
    assert np.isnan(ddpm.posterior_mean(ones, ones, 1.0, 1.0)).all()
    assert np.isnan(ddpm.posterior_variance(1.0, 1.0))


def test_the_linear_preview_is_a_matrix_and_an_offset_clipped():
    latents = np.zeros((2, 1, 3), np.float32)
    latents[:, 0, 1] = (1.0, 2.0)
    latents[:, 0, 2] = (-100.0, 100.0)
    matrix = np.array([[0.1, 0.0, 1.0], [0.2, 0.0, 1.0], [0.25, 0.5, 0.0]], np.float32)
    picture = linear_preview(latents, matrix)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [[[64, 128, 0], [191, 128, 255], [255, 128, 0]]])


@pytest.mark.filterwarnings("error")
def test_a_pixel_with_a_channel_that_is_no_number_is_grey_and_leaves_the_others():
    latents = np.random.default_rng(3).normal(size=(4, 3, 3)).astype(np.float32)
    matrix = np.random.default_rng(4).uniform(size=(5, 3)).astype(np.float32)
    whole = linear_preview(latents, matrix)
    latents[1, 0, 2], latents[3, 2, 1] = np.nan, -np.inf
    broken = linear_preview(latents, matrix)
    grey = np.zeros((3, 3), bool)
    grey[0, 2] = grey[2, 1] = True
    assert (broken[grey] == 128).all()
    assert (broken[~grey] == whole[~grey]).all()
