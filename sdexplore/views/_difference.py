"""Two runs side by side: where they part, and what differs."""

from collections.abc import Mapping
from dataclasses import replace
from operator import index
from typing import SupportsIndex

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from ..analysis.difference import Difference
from ..analysis.difference import difference as difference_of
from ..analysis.trajectory import preview
from ..base.errors import TraceError
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN, SMALL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.names import steps_named
from ..figures.not_numbers import finite, reach_of, top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.titles import run_title, step_title
from ..strings.wording import listed, wording
from ..trace.one_frame import one_frame, shown_frame
from ..trace.record import spread
from ..trace.trace import Trace
from .made_from import made_from

_MOST = 7
_QUANTILE = 0.995  # of the differences, to which the scale reaches
_BAR = 0.9  # inches that the colour bar and the rows' names take


@made_from("trace")
def difference(a: Trace, b: Trace, *, frame: SupportsIndex | None = None) -> Picture:
    """Draws run a, run b and what differs, step by step: the picture that each predicts, and how far apart they are.

    First two rows: predicted x0 of a and of b at up to seven steps, by the linear preview (one square a latent pixel),
    and at the right the final pictures. Third row: root mean square over latent channels of x0 of b − x0 of a, on one
    scale from 0 to the 99.5 % quantile, printed at its colour bar, whose arrow says that what lies beyond has the
    colour of its end; at the right the pictures' absolute difference, mean over red, green and blue, in greys from 0
    to the largest, which stands beneath. Last: root mean square of x_t of b − x_t of a before each step and after
    the last, on the variance-preserving scale; the dashed line marks the step at which they part. Of videos it runs
    over all frames.

    Args:
        a, b: Two traces whose steps lie at the same timesteps.
        frame: Of videos, which frame of the latents is drawn; negative ones count from the end. None: the middle one.

    Raises:
        TraceError: As `sdx.difference`; or predicted x0 or the preview is missing, or the frame is beyond the video.
    """
    found, of = difference_of(a, b), (a, b)
    a, b = (one_frame(trace, frame) for trace in of)
    if len(found.x0) and (shown := shown_frame(a)) is not None:
        found = replace(found, x0=found.x0[:, shown.number])
    if not len(found.x0):
        raise TraceError(
            "difference: predicted x0 of both runs is needed; run with Record(latents=True, noise_pred=True)"
        )
    chosen = spread(tuple(range(a.num_steps)), _MOST)
    pictured = found.image is not None
    y, x = found.x0.shape[1:]
    columns = len(chosen) + pictured
    high = 3 * (BLOG_COLUMN - _BAR) / columns * y / x
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, high + 3.3), layout="constrained")
        titles = [listed((*run_title(t).split(chr(10)), *_apart(t, other))) for t, other in ((a, b), (b, a))]
        figure.suptitle("\n".join(f"{n}: {title}" for n, title in zip("ab", titles, strict=True)), fontsize=9)
        upper, lower = figure.subfigures(2, 1, height_ratios=(high + 0.9, 1.7), squeeze=False)[:, 0]
        apart = _panels(upper, a, b, found, chosen, pictured=pictured)
        ax = lower.subplots()
        title = wording("difference.distance")
        ax.plot(np.arange(len(found.distances)), finite(found.distances), "o-", color=PALETTE[0], ms=3, lw=1)
        if found.parted is not None:
            ax.axvline(found.parted, color="#888888", lw=0.8, ls="--")
            title = wording("difference.distance.parted", step=found.parted)
        ax.set_ylim(bottom=0.0)
        ax.set_title(title, fontsize=9, loc="left")
        ax.set_xlabel(wording("difference.before"), fontsize=SMALL)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    given = {} if frame is None else {"frame": index(frame)}
    return Picture(
        figure=figure,
        data={"x0": found.x0[list(chosen)], "distances": found.distances, "steps": np.array(chosen)},
        alt=wording(
            "difference.alt.pictures" if pictured else "difference.alt",
            a=in_words(a),
            b=in_words(b),
            steps=steps_named(chosen),
            of=a.num_steps,
            end=said(found.distances[-1]),
            **({"apart": f"{apart:.0f}"} if pictured else {}),
        ),
        caption=wording("difference.caption.never")
        if found.parted is None
        else wording("difference.caption", step=found.parted, of=a.num_steps),
        call=line_of_code("difference", f"a, b{options(given)}", *of),
    )


def _apart(trace: Trace, other: Trace) -> list[str]:
    """What this run was told and the other was told otherwise."""
    given, others = (t.call.get("arguments", {}) for t in (trace, other))
    return [f"{name} {drawable(_named(value), 40)}" for name, value in given.items() if others.get(name) != value]


def _named(value: object) -> str:
    """A value as the call has it; an object by its class, which is all that the call knows."""
    return str(value["object"] if isinstance(value, Mapping) and value.keys() == {"object"} else value)


def _panels(
    figure: SubFigure, a: Trace, b: Trace, found: Difference, chosen: tuple[int, ...], *, pictured: bool
) -> float:
    """Draws the three rows; returns the largest difference of the pictures, of 255."""
    axes = panel_grid(figure, 3, len(chosen) + pictured)
    for row, label in enumerate((wording("difference.x0", run="a"), wording("difference.x0", run="b"), "|b − a|")):
        row_label(axes[row, 0], label)
    shown = found.x0[list(chosen)]
    reach = reach_of(shown, _QUANTILE) or top_of(shown) or 1.0
    for column, step in enumerate(chosen):
        axes[0, column].set_title(step_title(a, step), fontsize=SMALL)
        for row, trace in enumerate((a, b)):
            axes[row, column].imshow(preview(trace, trace.recorded("pred_original_sample")[step]))
        drawn = axes[2, column].imshow(found.x0[step], cmap=SEQUENTIAL, vmin=0.0, vmax=reach)
    colour_bar(figure, drawn, list(axes[2, :]), label="RMS", extend="max", pad=0.01)
    apart = 0.0
    if pictured:
        first, second = (trace.recorded("image") for trace in (a, b))
        axes[0, -1].imshow(first)
        axes[1, -1].imshow(second)
        change = np.abs(second.astype(np.float32) - first).mean(axis=-1)
        apart = top_of(change)
        axes[2, -1].imshow(change, cmap="gray", vmin=0.0, vmax=apart or 255.0)
        axes[2, -1].set_xlabel(wording("difference.pixels", top=f"{apart:.0f}"), fontsize=SMALL)
        axes[0, -1].set_title(wording("panel.picture"), fontsize=SMALL)
    return apart
