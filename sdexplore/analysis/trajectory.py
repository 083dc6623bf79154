"""From noise to picture: which steps to look at, and latents as colours."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from ..theory import linear_preview
from ..trace.trace import Trace


def spread(steps: Sequence[int], most: int) -> tuple[int, ...]:
    """At most `most` of `steps`, evenly from first to last; one alone is the last."""
    if len(steps) <= most:
        return tuple(steps)
    if most == 1:
        return (steps[-1],)
    return tuple(steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most))


def preview(trace: Trace, latents: Float32[np.ndarray, "channel y x"]) -> UInt8[np.ndarray, "y x 3"]:
    """The linear preview of latents on the variance-preserving scale: one pixel a latent pixel, clipped to 0..1.

    Raises:
        TraceError: The trace has no preview (stopped, or no VAE).
    """
    return linear_preview(latents, trace.recorded("latent_rgb"))


def step_picture(trace: Trace, step: int, *, x0: bool) -> tuple[UInt8[np.ndarray, "Y X 3"], bool]:
    """What x_t before `step`, or its predicted x0, looks like; and whether that is only the linear preview.

    Raises:
        TraceError: The step is beyond the run, or the trace holds neither decoded pictures nor latents.
    """
    step = trace.check_step(step)
    decoded = trace.decoded_x0 if x0 else trace.decoded
    if step in decoded:
        return decoded[step], False
    latents = trace.recorded("pred_original_sample")[step] if x0 else trace.scaled_latents(step)
    return preview(trace, latents), True


def predicted_pictures(
    trace: Trace, steps: Sequence[int]
) -> tuple[list[UInt8[np.ndarray, "Y X 3"]], Literal["decoded", "linear"]]:
    """The predicted x0 of `steps` as pictures of one kind, to be seen side by side, and that kind.

    Returns:
        A picture a step and "decoded" where every one of them was decoded by the VAE; else all by the linear preview,
        "linear"; no pictures where the trace has neither.
    """
    if all(step in trace.decoded_x0 for step in steps):
        return [trace.decoded_x0[step] for step in steps], "decoded"
    if trace.pred_original_sample is None or trace.latent_rgb is None:
        return [], "linear"
    return [preview(trace, trace.pred_original_sample[step]) for step in steps], "linear"
