"""The equations of DDPM as functions: noising, the posterior, the reverse step. Numbers in, numbers out.

ᾱ_t (`alpha_bar`) is the product of all α up to t. ᾱ_{t−1} (`alpha_bar_prev`) is the product up to the timestep that
the scheduler goes to: with fewer steps than in training, α_t = ᾱ_t / ᾱ_{t−1} spans several training steps. At the
picture itself ᾱ is 1. Every ᾱ must broadcast against the sample.

Source: Ho, Jain & Abbeel 2020, "Denoising Diffusion Probabilistic Models"; numbers are of its equations.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Array: TypeAlias = Float[np.ndarray, "..."]
Level: TypeAlias = Array | float


def alphas_cumprod(betas: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """ᾱ_t, the product of 1 − β_s over s up to t. Source: Eq. 4's notation."""
    return np.cumprod(1.0 - betas)


def add_noise(original_sample: Array, noise: Array, alpha_bar: Level) -> Array:
    """x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, the noised picture in one go. Source: Eq. 4."""
    return np.asarray(np.sqrt(alpha_bar) * original_sample + np.sqrt(1.0 - np.asarray(alpha_bar)) * noise)


def posterior_mean(sample: Array, original_sample: Array, alpha_bar: Level, alpha_bar_prev: Level) -> Array:
    """μ̃_t(x_t, x_0), the mean of x_{t−1} where x_0 is known; NaN where ᾱ_t = 1. Source: Eq. 7, left.

    At ᾱ_t = 1 the sample is the picture itself: there is no step to undo.
    """
    noise = 1.0 - np.asarray(alpha_bar)
    alpha = np.asarray(alpha_bar) / alpha_bar_prev
    with np.errstate(divide="ignore", invalid="ignore"):
        of_original = np.sqrt(alpha_bar_prev) * beta(alpha_bar, alpha_bar_prev) / noise
        of_sample = np.sqrt(alpha) * (1.0 - np.asarray(alpha_bar_prev)) / noise
        return np.asarray(of_original * original_sample + of_sample * sample)


def posterior_variance(alpha_bar: Level, alpha_bar_prev: Level) -> Array:
    """β̃_t = (1−ᾱ_{t−1})/(1−ᾱ_t) β_t, its variance ("fixed_small"); NaN where ᾱ_t = 1. Source: Eq. 7, right."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (1.0 - np.asarray(alpha_bar_prev)) / (1.0 - np.asarray(alpha_bar))
        return np.asarray(share * beta(alpha_bar, alpha_bar_prev))


def beta(alpha_bar: Level, alpha_bar_prev: Level) -> Array:
    """β_t = 1 − ᾱ_t/ᾱ_{t−1}, the other usual choice of the variance ("fixed_large"). Source: section 3.2."""
    return np.asarray(1.0 - np.asarray(alpha_bar) / alpha_bar_prev)


def reverse_mean(sample: Array, noise_pred: Array, alpha_bar: Level, alpha_bar_prev: Level) -> Array:
    """μ_θ(x_t, t) = (x_t − β_t/√(1−ᾱ_t) ε_θ) / √α_t, the mean of the model's step. Source: Eq. 11."""
    alpha = np.asarray(alpha_bar) / alpha_bar_prev
    noise = beta(alpha_bar, alpha_bar_prev) / np.sqrt(1.0 - np.asarray(alpha_bar)) * noise_pred
    return np.asarray((sample - noise) / np.sqrt(alpha))


def simple_loss(noise: Array, noise_pred: Array) -> float:
    """L_simple, the mean squared error of the predicted noise. Source: Eq. 14."""
    return float(np.square(np.asarray(noise, np.float64) - noise_pred).mean())
