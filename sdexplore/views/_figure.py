"""What all views share: figures without pyplot, panels without ticks, colour maps, the line that made it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..display import clip
from ..picture import drawable, style
from ..trace import Trace

SEQUENTIAL: Final = "viridis"  # 0 upwards; even in lightness, legible to the colour-blind
DIVERGING: Final = "RdBu_r"  # signed values around 0
BLOG_COLUMN: Final = 7.5  # inches: what a wide figure is scaled to fit


@contextmanager
def panels(rows: int, columns: int, *, aspect: float = 1.0, top: float = 0.0) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure of rows × columns axes without ticks, each `aspect` (height / width) high, to fit a blog's column.

    Args:
        top: Inches for the title and what stands over the panels.
    """
    wide = min(2.4, max(1.0, BLOG_COLUMN / columns))
    with style():
        figure = Figure(figsize=(wide * columns + 0.5, (wide * aspect + 0.1) * rows + top + 0.4), layout="compressed")
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax in axes.flat:
            bare(ax)
        yield figure, axes


def bare(ax: Axes) -> None:
    """Takes ticks and frame away, so that only what is drawn shows."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def row_label(ax: Axes, text: str) -> None:
    """Names a row of panels at its left."""
    ax.set_ylabel(text, rotation=90, fontsize=9)


def step_title(trace: Trace, step: int) -> str:
    """A step as panels name it: its number, its timestep, its noise level."""
    t = trace.timesteps[step]
    sigma = "" if trace.sigmas is None else f", σ {trace.sigmas[step]:.3g}"
    return f"step {step}\nt {t:.0f}{sigma}"


def run_title(trace: Trace, over: Collection[str] = ()) -> str:
    """The run that a figure shows, in two lines: prompt, then model, scheduler, seed; without what is in `over`."""
    prompt = f"“{drawable(trace.prompt, 70)}”" if trace.prompt else "no prompt"
    facts = {
        "model": drawable(str(trace.provenance.get("model", "?"))),
        "scheduler": str(trace.provenance.get("scheduler", {}).get("class", "?")).removesuffix("Scheduler"),
        "seed": f"seed {trace.call.get('seed')}",
        "image": f"image {trace.call['image']}" if "image" in trace.call else "",
    }
    line = ", ".join(fact for name, fact in facts.items() if fact and name not in over)
    return line if "prompt" in over else f"{prompt}\n{line}"


def in_words(trace: Trace) -> str:
    """The prompt as alt texts quote it: 'a cat'."""
    return "no prompt" if trace.prompt is None else repr(clip(trace.prompt, 200))


def line_of_code(view: str, arguments: str, trace: Trace) -> str:
    """The call that makes a picture again; a comment names the trace."""
    return f"sdx.views.{view}({arguments})  # trace {trace.fingerprint}"


def options(given: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Keyword arguments that differ from their defaults, as code."""
    return "".join(f", {name}={value!r}" for name, value in given.items() if value != defaults[name])
