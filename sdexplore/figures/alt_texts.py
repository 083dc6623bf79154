"""What alt texts of several views say: the prompt, where a map peaks, what leads where."""

from collections.abc import Collection
from typing import Any

import numpy as np

from ..base.display import clip
from ..trace.one_frame import shown_frame
from ..trace.trace import Trace
from .titles import changed_in_words, noised_at


def in_words(trace: Trace, over: Collection[str] = ()) -> str:
    """The prompt as alt texts quote it, 'a cat', what the run changed, and that the picture was made black, if it was.

    Of one frame of a video, which frame it is.

    Of a run between two prompts both are named, and the weight, unless "weight" is in `over`.
    """
    made = trace.call.get("conditioning", {})
    if trace.unconditional:
        return "an unconditional model"
    if "other" in made:
        ends = f"the way from {clip(made['prompt'], 150)!r} to {clip(made['other'], 150)!r}"
        prompt = ends if "weight" in over else f"{ends} at weight {made['weight']:g}"
    else:
        prompt = "no prompt" if trace.prompt is None else repr(clip(trace.prompt, 200))
    black = " (a picture that the safety checker made black)" * any(trace.flags.values())
    changed = "" if "change" in over else changed_in_words(trace)
    shown = shown_frame(trace)
    return prompt + (f" ({changed})" if changed else "") + (f" ({shown})" if shown else "") + black


def way_of(trace: Trace) -> str:
    """From where to where the steps of a run lead, as alt texts say it: "from noise to the final picture"."""
    if trace.kind == "look":
        return f"in a given picture noised to t = {trace.timesteps[0]:g}"
    if trace.kind == "invert":
        return "from a given picture to the noise that it comes from"
    noised = noised_at(trace)
    begin = "noise" if noised is None else f"a given picture noised to {noised}"
    return f"from {begin} to {'where the run was stopped' if trace.image is None else 'the final picture'}"


def peak(name: str, pixels: np.ndarray) -> str:
    """Where a map has its peak and how high that is, in words; of what holds NaN or Inf, among its finite pixels."""
    finite = np.isfinite(pixels)
    if not finite.any():
        return f"{name} has no number"
    row, column = np.unravel_index(int(np.where(finite, pixels, -np.inf).argmax()), pixels.shape)
    vertical = ("top", "middle", "bottom")[min(2, int(3 * row / pixels.shape[0]))]
    horizontal = ("left", "centre", "right")[min(2, int(3 * column / pixels.shape[1]))]
    lost = "" if finite.all() else f" ({1 - finite.mean():.1%} of it are not numbers)"
    return f"{name} peaks at {pixels[row, column]:.3g}, {vertical} {horizontal}{lost}"


def said(value: float | np.floating[Any], form: str = ".3g") -> str:
    """A number as alt texts say it, by its format; "no number" for NaN, "infinite" for the infinities."""
    if np.isnan(value):
        return "no number"
    return f"{value:{form}}" if np.isfinite(value) else "infinite"
