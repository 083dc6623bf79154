"""What alt texts of several views say: the prompt, where a map peaks, what leads where."""

from collections.abc import Collection
from typing import Any

import numpy as np

from ..strings.wording import wording
from ..trace.one_frame import shown_frame
from ..trace.trace import Trace
from .names import quoted
from .titles import changed_in_words, noised_at


def in_words(trace: Trace, over: Collection[str] = ()) -> str:
    """The prompt as alt texts quote it, 'a cat', what the run changed, and that the picture was made black, if it was.

    Of one frame of a video, which frame it is.

    Of a run between two prompts both are named, and the weight, unless "weight" is in `over`.
    """
    made = trace.call.get("conditioning", {})
    if trace.unconditional:
        return wording("subject.unconditional")
    if "other" in made:
        ends = {"prompt": quoted(made["prompt"], 150), "other": quoted(made["other"], 150)}
        if "weight" in over:
            subject = wording("subject.between", **ends)
        else:
            subject = wording("subject.between.weight", **ends, weight=f"{made['weight']:g}")
    else:
        subject = wording("subject.no_prompt") if trace.prompt is None else quoted(trace.prompt)
    shown = shown_frame(trace)
    notes = (
        "" if "change" in over else changed_in_words(trace),
        "" if shown is None else shown.in_words(),
        wording("subject.black") if any(trace.flags.values()) else "",
    )
    for note in filter(None, notes):
        subject = wording("subject.noted", subject=subject, note=note)
    return subject


def way_of(trace: Trace) -> str:
    """From where to where the steps of a run lead, as alt texts say it: "from noise to the final picture"."""
    if trace.kind == "look":
        return wording("way.look", t=f"{trace.timesteps[0]:g}")
    if trace.kind == "invert":
        return wording("way.invert")
    noised = noised_at(trace)
    end = "" if trace.image is not None else ".stopped" if trace.call.get("stopped") else ".latents"
    return wording(f"way.{'noise' if noised is None else 'image'}{end}", noised=noised)


def peak(name: str, pixels: np.ndarray) -> str:
    """Where a map has its peak and how high that is, in words; of what holds NaN or Inf, among its finite pixels."""
    if not np.isfinite(pixels).any():
        return wording("peak.none", name=name)
    return wording("peak.at", name=name, peak=peak_place(pixels))


def peak_place(pixels: np.ndarray) -> str:
    """How high the peak of a map is and where: "0.25, top left"; "no number" where it has none."""
    finite = np.isfinite(pixels)
    if not finite.any():
        return wording("number.none")
    row, column = np.unravel_index(int(np.where(finite, pixels, -np.inf).argmax()), pixels.shape)
    vertical = ("top", "middle", "bottom")[min(2, int(3 * row / pixels.shape[0]))]
    horizontal = ("left", "centre", "right")[min(2, int(3 * column / pixels.shape[1]))]
    place, value = wording(f"place.{vertical}.{horizontal}"), f"{pixels[row, column]:.3g}"
    if finite.all():
        return wording("peak.place", value=value, place=place)
    return wording("peak.place.lost", value=value, place=place, lost=f"{1 - finite.mean():.1%}")


def said(value: float | np.floating[Any], form: str = ".3g") -> str:
    """A number as alt texts say it, by its format; "no number" for NaN, "infinite" for the infinities."""
    if np.isnan(value):
        return wording("number.none")
    return f"{value:{form}}" if np.isfinite(value) else wording("number.infinite")
