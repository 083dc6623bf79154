"""The way from noise to picture: which steps to look at, and latents as colours."""

import numpy as np
from jaxtyping import Float32, UInt8

from ..theory import linear_preview
from ..trace import Trace


def spread(steps: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most `most` of `steps`, evenly from first to last."""
    if len(steps) <= most:
        return steps
    return tuple(steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most))


def preview(trace: Trace, latents: Float32[np.ndarray, "channel y x"]) -> UInt8[np.ndarray, "y x 3"]:
    """The linear preview of latents on the variance-preserving scale: one pixel a latent pixel, clipped to 0..1.

    Raises:
        TraceError: The trace has no preview (stopped, or no VAE).
    """
    return linear_preview(latents, trace.recorded("latent_rgb"))
