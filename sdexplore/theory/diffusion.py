"""Closed forms of diffusion, each with its paper and equation. Numbers in, numbers out.

Notation: a noisy sample is x_t = a x_0 + b ε with a = √ᾱ, b = √(1−ᾱ) ("variance preserving", DDPM
Eq. 4). With σ = b / a, a = 1/√(σ²+1) and b = σ/√(σ²+1). Some schedulers (Euler, Heun, LMS …) hold
x_t / a = x_0 + σ ε instead ("variance exploding", Karras et al. 2022), flow matching (Lipman et al.
2022) holds x_t / (a + b) = (1−τ) x_0 + τ ε with τ = σ/(1+σ). σ is the same on all three scales.
"""

from typing import Final, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, UInt8

GREY: Final = 128
"""The level of red, green and blue in which pictures and maps show what is no number."""
Array: TypeAlias = Float[np.ndarray, "..."]
Space: TypeAlias = Literal["variance preserving", "variance exploding", "flow matching"]
PredictionType: TypeAlias = Literal["epsilon", "v_prediction", "sample", "flow_prediction", "edm"]


def signal_and_noise(sigmas: Array | float) -> tuple[Array | float, Array | float]:
    """Both scales of x_t, a = √ᾱ and b = √(1−ᾱ), from σ = b/a; σ = ∞ is pure noise, a = 0 and b = 1.

    Source: Karras et al. 2022, Table 1 (VP).
    """
    with np.errstate(divide="ignore"):  # 1/σ = ∞ at σ = 0 is meant: b = 0
        return 1.0 / np.hypot(1.0, sigmas), 1.0 / np.hypot(1.0, np.divide(1.0, sigmas))


def betas(
    beta_schedule: str,
    beta_start: float = 0.0001,
    beta_end: float = 0.02,
    num_train_timesteps: int = 1000,
    *,
    rescale_betas_zero_snr: bool = False,
) -> Float64[np.ndarray, " t"]:
    """β_t, the variance of the noise that training step t adds (DDPM Eq. 2); defaults are DDPM's section 4.

    "linear": DDPM. "scaled_linear": linear in √β, Stable Diffusion's (LDM's code). "squaredcos_cap_v2": a cosine for ᾱ
    (Nichol & Dhariwal 2021, Eq. 17). With `rescale_betas_zero_snr`, the last step holds noise alone (Lin et al. 2023,
    Algorithm 1). diffusers computes these in float32; ᾱ is their product, `alphas_cumprod`.

    Raises:
        ValueError: The schedule is none of these.
    """
    if beta_schedule == "linear":
        found = np.linspace(beta_start, beta_end, num_train_timesteps)
    elif beta_schedule == "scaled_linear":
        found = np.square(np.linspace(np.sqrt(beta_start), np.sqrt(beta_end), num_train_timesteps))
    elif beta_schedule == "squaredcos_cap_v2":
        share = np.arange(num_train_timesteps + 1) / num_train_timesteps
        bars = np.square(np.cos((share + 0.008) / 1.008 * np.pi / 2))
        found = np.minimum(1.0 - bars[1:] / bars[:-1], 0.999)
    else:
        raise ValueError(f"no beta_schedule {beta_schedule!r}: linear, scaled_linear or squaredcos_cap_v2")
    if not rescale_betas_zero_snr:
        return found
    root = np.sqrt(np.cumprod(1.0 - found))
    bars = np.square((root - root[-1]) * root[0] / (root[0] - root[-1]))
    return np.concatenate([1.0 - bars[:1], 1.0 - bars[1:] / bars[:-1]])


def sigma_of_alpha_bar(alpha_bar: Array | float) -> Array | float:
    """σ = √(1−ᾱ)/√ᾱ, noise per signal; infinite at ᾱ = 0. The inverse of `signal_and_noise`."""
    with np.errstate(divide="ignore"):
        return np.sqrt(np.divide(1.0 - np.asarray(alpha_bar), alpha_bar))


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
    is the same with −F. Schedulers that clip or threshold x_0 (`clip_sample`, `thresholding`) differ by that alone.

    Args:
        sample: x_t in `space`; any shape.
        model_output: What the scheduler was given, after guidance; shape of `sample`.
        sigma: σ = √(1−ᾱ)/√ᾱ; must broadcast against `sample`.
        sigma_data: Standard deviation of the data that EDM's preconditioning assumes.
    """
    of_sample, of_output = original_sample_weights(sigma, prediction_type, sigma_data)
    if prediction_type == "sample":
        return model_output
    return np.asarray(of_sample * variance_preserving(sample, sigma, space) + of_output * model_output)


def original_sample_weights(
    sigma: Array | float, prediction_type: PredictionType, sigma_data: float = 1.0
) -> tuple[Array | float, Array | float]:
    """(p, q) with x_0 = p x_t + q output, x_t on the variance-preserving scale; see `pred_original_sample`."""
    a, b = signal_and_noise(sigma)
    with np.errstate(divide="ignore"):  # where there is noise alone, x_0 does not follow from ε
        if prediction_type == "epsilon":
            return np.divide(1.0, a), -np.divide(b, a)
        if prediction_type == "flow_prediction":
            return 1.0 / (a + b), -b / (a + b)
    if prediction_type == "v_prediction" and sigma_data == 1.0:
        return a, -b
    if prediction_type == "sample":
        return 0.0 * a, 1.0 + 0.0 * a
    spread = np.hypot(b, sigma_data * a)  # √(σ² + σ_data²) times a
    sign = 1.0 if prediction_type == "edm" else -1.0
    return sigma_data**2 * a / np.square(spread), sign * sigma_data * b / spread


def output_per_epsilon(sigma: float, prediction_type: PredictionType, sigma_data: float = 1.0) -> float:
    """By how much the model's output changes if the ε that it stands for changes by 1 at the same x_t; 1 for epsilon.

    x_0 = (x_t − b ε)/a then changes by −b/a, and the output by −b/a divided by its own weight in x_0.
    """
    a, b = signal_and_noise(sigma)
    _, of_output = original_sample_weights(sigma, prediction_type, sigma_data)
    return float(-b / (a * of_output))


def pred_epsilon(sample: Array, original_sample: Array, sigma: Array | float, space: Space) -> Array:
    """ε = (x_t − a x_0)/b, the noise in x_t if x_0 is the picture in it; for every prediction type.

    This is the "direction pointing to x_t" of DDIM (Song et al. 2020), Eq. 12, without its factor. At σ = 0 there is no
    noise, and the result is not finite.
    """
    a, b = signal_and_noise(sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(variance_preserving(sample, sigma, space) - a * original_sample, b))


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


def norm_kept(noise_pred: Array, noise_pred_cond: Array, axes: int | tuple[int, ...]) -> Array:
    """A guided prediction with the norm along `axes` that the prompt's own has; as Qwen-Image and Lumina2 guide."""
    own, wanted = (np.sqrt(np.square(one).sum(axes, keepdims=True)) for one in (noise_pred, noise_pred_cond))
    return np.asarray(noise_pred * (wanted / own))


def rescaled(noise_pred: Array, noise_pred_cond: Array, guidance_rescale: float) -> Array:
    """The guided prediction, its standard deviation moved towards the conditional one's by φ = `guidance_rescale`.

    The input is one sample of any shape; each standard deviation is taken over all of it. The result is not finite
    where the guided prediction is the same everywhere.
    Source: Lin et al. 2023 (2305.08891), Eqs. 15 and 16.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        matched = noise_pred * (noise_pred_cond.std() / noise_pred.std())
        return np.asarray(guidance_rescale * matched + (1.0 - guidance_rescale) * noise_pred)


def linear_preview(
    latents: Float[np.ndarray, "channel y x"], latent_rgb: Float[np.ndarray, "features 3"]
) -> UInt8[np.ndarray, "y x 3"]:
    """RGB of latents on the variance-preserving scale by [latents, 1] @ latent_rgb, clipped to 0..1, as uint8.

    A pixel with NaN or Inf in a channel is grey (`GREY`), as in maps.
    """
    rgb = np.moveaxis(np.nan_to_num(latents, posinf=0.0, neginf=0.0), 0, -1) @ latent_rgb[:-1] + latent_rgb[-1]
    pixels = np.asarray((np.clip(rgb, 0.0, 1.0) * 255).round(), np.uint8)
    pixels[~np.isfinite(latents).all(axis=0)] = GREY
    return pixels


def perturbed_attention_guided(
    noise_pred: Array, noise_pred_cond: Array, noise_pred_perturbed: Array, pag_scale: float
) -> Array:
    """`noise_pred` pushed away from the prediction with perturbed self-attention, by s (ε_c − ε_p).

    Source: Ahn et al. 2024 (Perturbed-Attention Guidance), Eq. 16; diffusers adds it to classifier-free guidance.
    """
    return np.asarray(noise_pred + pag_scale * (noise_pred_cond - noise_pred_perturbed))


def classifier_guided(noise_pred: Array, gradient: Array, sigma: Array | float, guide_scale: float = 1.0) -> Array:
    """ε̂ = ε − √(1−ᾱ) s ∇ log p(y | x_t): classifier guidance for DDIM-like sampling.

    Args:
        noise_pred: ε.
        gradient: ∇ log p with respect to x_t on the variance-preserving scale.

    Source: Dhariwal & Nichol 2021, Algorithm 2 and Eq. 14; their s is `guide_scale`.
    """
    _, b = signal_and_noise(sigma)
    return np.asarray(noise_pred - b * guide_scale * gradient)
