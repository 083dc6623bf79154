"""Guidance put together again from its halves, on every kind of guidance that a pipeline has."""

import numpy as np
import pytest
import torch
from artists import again, equal, heat_maps, same_scale
from diffusers import StableDiffusionPAGPipeline
from diffusers.callbacks import SDCFGCutoffCallback
from tiny_families import as_family, instruct_pix2pix
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore import theory, views

FEW = sdx.Record(cross_attention=False, decode=0)


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def rescaled(pipe):
    return sdx.run(pipe, "a cat", num_inference_steps=3, guidance_scale=9.0, guidance_rescale=0.6, record=FEW)


def test_without_rescaling_the_halves_make_the_whole_to_the_bit(pipe):
    trace = sdx.run(pipe, "a cat", num_inference_steps=3, record=FEW)  # its own default scale, which no argument names
    found = sdx.guidance_steps(trace)
    assert found.steps == tuple(range(trace.num_steps))
    assert set(found.guidance_scale) == {7.5}
    assert np.all(found.residual == 0)
    assert np.all(found.spread == found.spread_after)


def test_rescaling_is_rebuilt_too(rescaled):
    found = sdx.guidance_steps(rescaled)
    assert np.all(found.residual < 1e-6)
    assert np.all(np.abs(found.spread_after - 1) < np.abs(found.spread - 1))
    np.testing.assert_allclose(found.spread_after, 0.6 + 0.4 * found.spread, rtol=1e-6)  # φ + (1 − φ) spread


def test_the_numbers_are_what_they_say(rescaled):
    found = sdx.guidance_steps(rescaled)
    u, c = (
        torch.from_numpy(np.array(half)).double().flatten(1)
        for half in (
            rescaled.noise_pred_uncond,
            rescaled.noise_pred_cond,
        )
    )
    np.testing.assert_allclose(found.cosine, torch.cosine_similarity(u, c).numpy(), rtol=1e-6)
    np.testing.assert_allclose(found.ratio, ((c - u).norm(dim=1) / c.norm(dim=1)).numpy(), rtol=1e-6)
    np.testing.assert_allclose(found.difference_rms, (c - u).square().mean(1).sqrt().numpy(), rtol=1e-6)
    assert found.difference.shape == (rescaled.num_steps, 8, 8)
    assert "residual" in repr(found)


def test_steps_after_the_cut_off_have_no_halves(pipe):
    trace = sdx.run(
        pipe,
        "a cat",
        num_inference_steps=4,
        record=FEW,
        callback_on_step_end=SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=1),
    )
    found = sdx.guidance_steps(trace)
    assert found.steps == (0, 1)
    assert np.all(found.residual == 0)
    np.testing.assert_array_equal(trace.noise_pred[2:], trace.noise_pred_cond[2:])
    whole = sdx.run(pipe, "a cat", num_inference_steps=4, record=FEW)
    assert sdx.difference(whole, trace).parted == 2


@pytest.mark.parametrize("arguments", [{}, {"pag_adaptive_scale": 0.001}, {"guidance_scale": 1.0}])
def test_perturbed_attention_guidance_is_rebuilt(pipe, arguments):
    pag = as_family(StableDiffusionPAGPipeline, pipe, pag_applied_layers=["mid"])
    trace = sdx.run(pag, "a cat", num_inference_steps=2, pag_scale=2.5, record=FEW, **arguments)
    if "guidance_scale" in arguments:
        with pytest.raises(sdx.TraceError, match="no classifier-free guidance"):
            sdx.guidance_steps(trace)
        return
    found = sdx.guidance_steps(trace)
    assert np.all(found.pag_scale > 0)
    assert np.all(found.residual < 1e-6)


def test_guidance_three_ways_is_refused_with_its_formula():
    from PIL import Image

    picture = Image.new("RGB", (64, 64), "red")
    trace = sdx.run(instruct_pix2pix(), "a cat", image=picture, num_inference_steps=2, record=FEW)
    with pytest.raises(sdx.TraceError, match="guided three ways"):
        sdx.guidance_steps(trace)


def test_a_trace_that_does_not_say_how_strongly_is_refused(rescaled):
    from dataclasses import replace

    silent = replace(rescaled, provenance={k: v for k, v in rescaled.provenance.items() if k != "guidance"})
    assert np.all(sdx.guidance_steps(silent).residual < 1e-6)  # its call names the scales
    mute = replace(silent, call={**silent.call, "arguments": {}})
    with pytest.raises(sdx.TraceError, match="does not say its guidance_scale"):
        sdx.guidance_steps(mute)


def test_the_view_draws_the_maps_and_the_curves(rescaled):
    from dataclasses import replace

    drawn = replace(rescaled, latent_rgb=np.zeros((5, 3), np.float32))
    picture, found = views.guidance_steps(drawn), sdx.guidance_steps(drawn)
    maps = [image for ax in picture.figure.axes for image in heat_maps(ax) if ax.get_label() != "<colorbar>"]
    same_scale(maps[: len(found.steps)], 0.0, float(found.difference.max()))
    share, angle, width = [ax for ax in picture.figure.axes if ax.get_xlabel() == "step"]
    np.testing.assert_allclose(share.lines[0].get_ydata(), found.ratio)
    np.testing.assert_allclose(np.cos(np.radians(angle.lines[0].get_ydata())), found.cosine, atol=1e-6)
    np.testing.assert_allclose(width.lines[0].get_ydata(), found.spread)
    np.testing.assert_allclose(width.lines[1].get_ydata(), found.spread_after)
    assert "guidance_scale 9, guidance_rescale 0.6" in picture.figure.get_suptitle()
    equal(picture, again(picture, trace=drawn))


def test_the_curves_of_one_step_are_marked_by_whole_steps(pipe):
    one = sdx.run(pipe, "a cat", num_inference_steps=1, record=FEW)
    curves = [ax for ax in views.guidance_steps(one).figure.axes if ax.get_xlabel() == "step"]
    assert all(tick == round(tick) for ax in curves for tick in ax.get_xticks())
    assert len(curves) == 3


def test_classifier_guidance_in_closed_form():
    eps, grad = np.random.default_rng(0).normal(size=(2, 1, 4, 2, 2))
    alpha_bar = 0.3
    sigma = np.sqrt((1 - alpha_bar) / alpha_bar)
    found = theory.classifier_guided(eps, grad, sigma, 2.0)
    np.testing.assert_allclose(found, eps - np.sqrt(1 - alpha_bar) * 2.0 * grad)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample", "flow_prediction", "edm"])
def test_an_output_moves_with_the_epsilon_that_it_means(kind):
    x, x0, eps = np.random.default_rng(1).normal(size=(3, 1, 4, 2, 2))
    del x
    sigma, data = 1.7, 0.5 if kind == "edm" else 1.0
    a, b = theory.signal_and_noise(sigma)
    sample = a * x0 + b * eps
    p, q = theory.original_sample_weights(sigma, kind, data)
    output = (x0 - p * sample) / q
    moved = output + theory.output_per_epsilon(sigma, kind, data) * 0.25
    back = theory.pred_epsilon(sample, p * sample + q * moved, sigma, "variance preserving")
    np.testing.assert_allclose(back, eps + 0.25)
