"""What all views share: figures without pyplot, panels without ticks, colour maps, the line that made it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..picture import drawable, style
from ..trace import Trace

SEQUENTIAL: Final = "viridis"  # 0 upwards; even in lightness, legible to the colour-blind
DIVERGING: Final = "RdBu_r"  # signed values around 0
BLOG_COLUMN: Final = 7.5  # inches: what a wide figure is scaled to fit


@contextmanager
def panels(
    rows: int, columns: int, *, aspect: float = 1.0, cell: float | None = None, top: float = 0.0
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure of rows × columns axes without ticks, each `aspect` (height / width) high.

    Args:
        cell: Width of a panel in inches; by default what fits a blog's column, 1 to 2.4.
        top: Inches for the title and what stands over the panels.
    """
    wide = cell or min(2.4, max(1.0, BLOG_COLUMN / columns))
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


def run_title(trace: Trace) -> str:
    """The run that a figure shows, in one line: prompt, model, scheduler, seed."""
    scheduler = trace.provenance.get("scheduler", {}).get("class", "?").removesuffix("Scheduler")
    prompt = f"“{drawable(trace.prompt, 70)}”" if trace.prompt else "no prompt"
    image = f", image {trace.call['image']}" if "image" in trace.call else ""
    return f"{prompt}\n{trace.provenance.get('model', '?')}, {scheduler}, seed {trace.call.get('seed')}{image}"


def line_of_code(view: str, arguments: str, trace: Trace | None = None) -> str:
    """The call that makes a picture again; a comment names the trace."""
    mark = f"  # trace {trace.fingerprint}" if trace is not None else ""
    return f"sdx.views.{view}({arguments}){mark}"


def options(given: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Keyword arguments that differ from their defaults, as code."""
    return "".join(f", {name}={value!r}" for name, value in given.items() if value != defaults[name])
