"""Closed forms of diffusion, each with its paper and equation. Numbers in, numbers out.

Notation: a noisy sample is x_t = a x_0 + b ε with a = √ᾱ, b = √(1−ᾱ) ("variance preserving", DDPM
Eq. 4). With σ = b / a, a = 1/√(σ²+1) and b = σ/√(σ²+1). Some schedulers (Euler, Heun, LMS …) hold
x_t / a = x_0 + σ ε instead ("variance exploding", Karras et al. 2022), flow matching (Lipman et al.
2022) holds x_t / (a + b) = (1−τ) x_0 + τ ε with τ = σ/(1+σ); all three carry the same σ.
"""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

Array: TypeAlias = Float[np.ndarray, "..."]
Space: TypeAlias = Literal["variance preserving", "variance exploding", "flow matching"]
PredictionType: TypeAlias = Literal["epsilon", "v_prediction", "sample", "flow_prediction", "edm"]


def signal_and_noise(sigmas: Array | float) -> tuple[Array | float, Array | float]:
    """Both scales of x_t, a = √ᾱ and b = √(1−ᾱ), from σ = b/a; σ = ∞ is pure noise, a = 0 and b = 1.

    Source: Karras et al. 2022, Table 1 (VP).
    """
    with np.errstate(divide="ignore"):  # 1/σ = ∞ at σ = 0 is meant: b = 0
        return 1.0 / np.hypot(1.0, sigmas), 1.0 / np.hypot(1.0, np.divide(1.0, sigmas))


def variance_preserving(sample: Array, sigma: Array | float, space: Space) -> Array:
    """`sample` on the variance-preserving scale, where every x_t of unit-variance data has unit variance.

    `sigma` must broadcast against `sample`.
    """
    a, b = signal_and_noise(sigma)
    if space == "variance exploding":
        return np.asarray(sample * a)
    return np.asarray(sample * (a + b)) if space == "flow matching" else sample


def pred_original_sample(
    sample: Array,
    model_output: Array,
    sigma: Array | float,
    prediction_type: PredictionType,
    space: Space,
    sigma_data: float = 1.0,
) -> Array:
    """x_0 as the model predicts it from x_t: the scheduler's `pred_original_sample`, never clipped.

    epsilon: (x_t − b ε)/a, DDPM (Ho et al. 2020) Eq. 15. v_prediction: a x_t − b v, progressive
    distillation (Salimans & Ho 2022) appendix D. sample: the output itself. flow_prediction: of v = ε − x_0,
    (x_t − b v)/(a + b), which on flow matching's own scale is x − τ v (Lipman et al. 2022; Liu et al. 2022).
    edm: c_skip x + c_out F with x = x_t / a (Karras et al. 2022, Eq. 7 and Table 1); a v_prediction with σ_data ≠ 1
    is that with −F. Schedulers that clip or threshold x_0 (`clip_sample`, `thresholding`) differ by that alone.

    Args:
        sample: x_t in `space`; any shape.
        model_output: What the scheduler was given, after guidance; shape of `sample`.
        sigma: σ = √(1−ᾱ)/√ᾱ; must broadcast against `sample`.
        sigma_data: Standard deviation of the data that EDM's preconditioning assumes.
    """
    a, b = signal_and_noise(sigma)
    x = variance_preserving(sample, sigma, space)
    if prediction_type == "epsilon":
        return (x - b * model_output) / a
    if prediction_type == "flow_prediction":
        return (x - b * model_output) / (a + b)
    if prediction_type == "edm" or (prediction_type == "v_prediction" and sigma_data != 1.0):
        sign = 1.0 if prediction_type == "edm" else -1.0
        spread = np.hypot(b, sigma_data * a)  # √(σ² + σ_data²) times a
        return np.asarray(sigma_data**2 * a * x / np.square(spread) + sign * sigma_data * b * model_output / spread)
    if prediction_type == "v_prediction":
        return a * x - b * model_output
    return model_output


def pred_epsilon(sample: Array, original_sample: Array, sigma: Array | float, space: Space) -> Array:
    """ε = (x_t − a x_0)/b, the noise that is left in x_t if x_0 is what it hides; any parametrisation.

    DDIM (Song et al. 2020) Eq. 12's "direction pointing to x_t", without its factor. At σ = 0 nothing is left to
    divide: the result is not finite there.
    """
    a, b = signal_and_noise(sigma)
    return np.asarray((variance_preserving(sample, sigma, space) - a * original_sample) / b)


def snr(sigma: Array | float) -> Array | float:
    """Signal-to-noise ratio a²/b² = ᾱ/(1−ᾱ) = 1/σ².

    Source: Kingma et al. 2021 (Variational Diffusion Models), Eq. 2; log-SNR is its natural logarithm, −2 ln σ.
    """
    with np.errstate(divide="ignore"):  # σ = 0: no noise, an infinite ratio
        return np.divide(1.0, np.square(sigma))


def guided(noise_pred_uncond: Array, noise_pred_cond: Array, guidance_scale: float) -> Array:
    """Classifier-free guidance, ε_u + s (ε_c − ε_u): s = 1 is the conditional prediction alone.

    Source: Ho & Salimans 2022, Eq. 6, with their w = s − 1; diffusers' `guidance_scale` is s.
    """
    return np.asarray(noise_pred_uncond + guidance_scale * (noise_pred_cond - noise_pred_uncond))


def rescaled(noise_pred: Array, noise_pred_cond: Array, guidance_rescale: float) -> Array:
    """The guided prediction with its spread pulled back to the conditional one's by φ = `guidance_rescale`.

    One sample, any shape; the standard deviations run over the whole of it.
    Source: Lin et al. 2023 (2305.08891), Eqs. 15 and 16.
    """
    matched = noise_pred * (noise_pred_cond.std() / noise_pred.std())
    return np.asarray(guidance_rescale * matched + (1.0 - guidance_rescale) * noise_pred)


def linear_preview(
    latents: Float[np.ndarray, "channel y x"], latent_rgb: Float[np.ndarray, "features 3"]
) -> UInt8[np.ndarray, "y x 3"]:
    """RGB of latents on the variance-preserving scale by [latents, 1] @ latent_rgb, clipped to 0..1, as uint8."""
    rgb = np.moveaxis(latents, 0, -1) @ latent_rgb[:-1] + latent_rgb[-1]
    return np.asarray((np.clip(rgb, 0.0, 1.0) * 255).round(), np.uint8)
