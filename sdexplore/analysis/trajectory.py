"""From noise to picture: which steps to look at, and latents as colours."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from ..base.errors import SdexploreError, TraceError
from ..strings.wording import why_of
from ..theory import linear_preview
from ..trace.frame_axis import middle_of
from ..trace.step_decoding import VAE
from ..trace.trace import Trace

LINEAR: Final = "linear"
"""What a figure writes beneath a linear preview."""


def preview(trace: Trace, latents: Float32[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "y x 3"]:
    """The linear preview of latents on the variance-preserving scale: one pixel a latent pixel, clipped to 0..1.

    Of a video it shows the middle frame.

    Raises:
        TraceError: The trace has no preview (stopped, or no VAE).
    """
    return linear_preview(middle_of(latents), trace.recorded("latent_rgb"))


class StepPicture(NamedTuple):
    """What a step looks like, and by what.

    Attributes:
        pixels: A decoded picture, or the linear preview, one pixel a latent pixel.
        by: "VAE", the name of another decoder, or "linear".
        why: Why it is not decoded by the VAE although it should be; "" where nothing is wrong.
    """

    pixels: UInt8[np.ndarray, "Y X 3"]
    by: str
    why: str = ""

    @property
    def mark(self) -> str:
        """What a figure says beneath the picture; "" for the pipeline's own VAE."""
        return "" if self.by == VAE else self.by


def step_picture(trace: Trace, step: int, *, x0: bool, decode: bool = True) -> StepPicture:
    """What x_t before `step`, or its predicted x0, looks like: decoded; else the linear preview.

    Args:
        decode: Whether a step is decoded that was not decoded before.

    Raises:
        TraceError: The step is beyond the run, or the trace holds neither decoded pictures nor latents.
    """
    step, why = trace.check_step(step), ""
    try:
        if (found := trace.picture_of_step(step, x0=x0, decode=decode)) is not None:
            return StepPicture(*found)
    except SdexploreError as error:
        why = why_of(error)
    if decode and not why and step in trace.decoded:
        why = trace.undecodable or ""
    latents = trace.recorded("pred_original_sample")[step] if x0 else trace.scaled_latents(step)
    return StepPicture(preview(trace, latents), LINEAR, why)


def step_pictures(
    trace: Trace, steps: Sequence[int], *, decode: bool = True
) -> tuple[list[StepPicture], list[StepPicture]]:
    """x_t and predicted x0 of some steps; no x0 where the trace holds none. What is missing is decoded with a bar.

    Raises:
        TraceError: As `step_picture`.
    """
    if decode and trace.undecodable is None:
        with suppress(TraceError):  # each picture then says why it is not decoded
            trace.decode([step for step in steps if trace.picture_of_step(step, decode=False) is None])
    noisy = [step_picture(trace, step, x0=False, decode=decode) for step in steps]
    if trace.pred_original_sample is None:
        return noisy, []
    return noisy, [step_picture(trace, step, x0=True, decode=decode) for step in steps]


def predicted_pictures(
    trace: Trace, steps: Sequence[int], *, decode: bool = True
) -> tuple[list[UInt8[np.ndarray, "Y X 3"]], str]:
    """The predicted x0 of `steps` as pictures of one kind, to be seen side by side, and that kind.

    Args:
        decode: Whether steps that were not decoded before are decoded now, as `views.denoising` does. Else it depends
            on what was looked at before whether all of them are there.

    Returns:
        A picture a step and "decoded" where the VAE decodes every one of them. Else a picture a step by another decoder
        and its name, where it decoded them all; else all by the linear preview, "linear"; no pictures where the trace
        has neither.
    """
    there = {step: trace.picture_of_step(step, x0=True, decode=False) for step in steps}
    if decode and trace.undecodable is None and (None in (kinds := _kinds(there)) or len(kinds) > 1):
        with suppress(SdexploreError):  # then the linear preview
            found = {step: one or trace.picture_of_step(step, x0=True) for step, one in there.items()}
            if others := [step for step, one in found.items() if one is not None and one[1] != VAE]:
                found |= {step: (one, VAE) for step, one in trace.decode(others).decoded_x0.items()}
            there = found
    if len(kinds := _kinds(there)) == 1 and (by := kinds.pop()) is not None:
        return [one[0] for one in there.values() if one is not None], "decoded" if by == VAE else by
    if trace.pred_original_sample is None or trace.latent_rgb is None:
        return [], LINEAR
    return [preview(trace, trace.pred_original_sample[step]) for step in steps], LINEAR


def are_decoded(trace: Trace, steps: Sequence[int]) -> bool:
    """Whether the pictures of the predicted x0 of `steps` are all there: a view that shows them waits for none."""
    return all(trace.picture_of_step(step, x0=True, decode=False) is not None for step in steps)


def _kinds(pictures: Mapping[int, tuple[np.ndarray, str] | None]) -> set[str | None]:
    """What made the pictures; None where there is one that was not made."""
    return {None if one is None else one[1] for one in pictures.values()}
