"""Closed forms of diffusion, each with its paper and equation. Numbers in, numbers out.

`diffusion` has the notation: ᾱ, σ and τ, and the three scales on which schedulers hold a sample.
"""

from .ddpm import add_noise, alphas_cumprod, beta, posterior_mean, posterior_variance, reverse_mean, simple_loss
from .diffusion import (
    GREY,
    PredictionType,
    Space,
    betas,
    classifier_guided,
    guided,
    linear_preview,
    norm_kept,
    original_sample_weights,
    output_per_epsilon,
    perturbed_attention_guided,
    pred_epsilon,
    pred_original_sample,
    rescaled,
    sigma_of_alpha_bar,
    signal_and_noise,
    snr,
    variance_preserving,
)
from .embeddings import cosine_similarity, slerp, timestep_embedding

__all__ = [
    "GREY",
    "PredictionType",
    "Space",
    "add_noise",
    "alphas_cumprod",
    "beta",
    "betas",
    "classifier_guided",
    "cosine_similarity",
    "guided",
    "linear_preview",
    "norm_kept",
    "original_sample_weights",
    "output_per_epsilon",
    "perturbed_attention_guided",
    "posterior_mean",
    "posterior_variance",
    "pred_epsilon",
    "pred_original_sample",
    "rescaled",
    "reverse_mean",
    "sigma_of_alpha_bar",
    "signal_and_noise",
    "simple_loss",
    "slerp",
    "snr",
    "timestep_embedding",
    "variance_preserving",
]
