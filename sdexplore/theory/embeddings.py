"""Closed forms of embeddings: sinusoids of a timestep, cosine similarity, spherical interpolation."""

import math

import numpy as np
from jaxtyping import Float, Float32


def timestep_embedding(
    timesteps: Float[np.ndarray, " t"],
    embedding_dim: int,
    *,
    flip_sin_to_cos: bool = False,
    downscale_freq_shift: float = 1.0,
    max_period: float = 10000.0,
) -> Float32[np.ndarray, "t {embedding_dim}"]:
    """The sinusoidal embedding of timesteps: [sin(t ω_i), cos(t ω_i)], ω_i = max_period^(−i / (half − shift)).

    The numbers are computed in float64 and rounded once. diffusers' `get_timestep_embedding` rounds ω_i to float32
    before the multiplication by t, so that it differs by up to 6e-5 at t near 1000. An odd dimension ends in a zero.

    Args:
        timesteps: May be fractional.
        flip_sin_to_cos: Cosines first, as Stable Diffusion's UNets have it; DDPM's own code has sines first.
        downscale_freq_shift: 1 in DDPM's code, 0 in Stable Diffusion's.

    Source: Vaswani et al. 2017, section 3.5; Ho et al. 2020 (DDPM), appendix B.
    """
    half = embedding_dim // 2
    frequencies = np.exp(-math.log(max_period) * np.arange(half) / (half - downscale_freq_shift))
    angles = np.asarray(timesteps, np.float64)[:, None] * frequencies
    halves = (np.cos(angles), np.sin(angles)) if flip_sin_to_cos else (np.sin(angles), np.cos(angles))
    found = np.concatenate(halves, axis=1)
    return np.pad(found, ((0, 0), (0, embedding_dim % 2))).astype(np.float32)


def cosine_similarity(vectors: Float[np.ndarray, "*more row width"]) -> Float[np.ndarray, "*more row row"]:
    """The cosine of the angle between every two rows, −1 to 1; 0 where a row holds only zeros."""
    long = vectors.astype(np.float64)
    norms = np.linalg.norm(long, axis=-1, keepdims=True)
    unit = np.divide(long, norms, out=np.zeros_like(long), where=norms > 0)
    return np.asarray(np.clip(unit @ np.swapaxes(unit, -1, -2), -1.0, 1.0), vectors.dtype)


def slerp(
    a: Float[np.ndarray, "*more width"], b: Float[np.ndarray, "*more width"], weight: float
) -> Float[np.ndarray, "*more width"]:
    """From vectors `a` (weight 0) to `b` (weight 1) along the arc between them; each vector lies along the last axis.

    sin((1−w)θ)/sin θ · a + sin(wθ)/sin θ · b, with θ the angle between the two. Vectors that are parallel to 1e-6
    go along the straight line, since the arc's formula divides 0 by 0 there. So do opposite vectors, between which no
    arc is unique.

    Source: Shoemake 1985.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(x, axis=-1, keepdims=True) * np.linalg.norm(y, axis=-1, keepdims=True)
    cosine = np.divide((x * y).sum(-1, keepdims=True), norms, out=np.ones_like(norms), where=norms > 0)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    curved = sine > 1e-6  # noqa: PLR2004  (below it float64 has no digits left)
    safe = np.where(curved, sine, 1.0)
    of_a = np.where(curved, np.sin((1 - weight) * angle) / safe, 1 - weight)
    of_b = np.where(curved, np.sin(weight * angle) / safe, weight)
    return np.asarray(of_a * x + of_b * y, a.dtype)
