"""What a pipeline is made of, by size."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.display import count, size, width
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.wrapping import wrapped
from ..records.components import Component, Components
from ..strings.wording import listed, worded, wording
from .made_from import made_from

_ROW, _LINE = 0.25, 0.16  # inches of a component, and of a fact
_SIZE, _HIGH = 8.5, 0.62  # points; of a row, how high a bar is
_CLASS, _BARS, _BAR, _KIND = 1.35, 3.75, 0.95, 6.75  # inches: where columns begin, a bar's most, where formats end
_INK, _FAINT, _HEAD = "k", "#8a8a8a", "#555555"
_LETTERS = 112.0  # of a fact in one line


@made_from("pipeline", calls=["components"])
def components(parts: Components) -> Picture:
    """Draws the components of a pipeline as a table, a row each, with a bar: parameters, linear from 0 to the largest.

    Columns are name, class, parameters, then number format and device, and bytes. A component
    without parameters (tokenizer, scheduler) has no bar; one that the pipeline holds as null is grey. Beneath
    stand the facts of `sdx.components`.

    Args:
        parts: What `sdx.components(pipe)` returns.
    """
    rows = list(parts.values())
    facts = [wording("components.facts")] * bool(parts.summary)
    for name, what in parts.summary.items():
        fact = wording("components.fact", name=worded(name), what=worded(what))
        facts += wrapped(fact, _LETTERS, width).split("\n")
    most = max((row.parameters or 0 for row in rows), default=0) or 1
    with style():
        high = _ROW * (len(rows) + 1) + _LINE * len(facts) + 0.55
        figure = Figure(figsize=(BLOG_COLUMN, high), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        bars = [_BAR * (row.parameters or 0) / most for row in rows]
        ax.barh(range(len(rows)), bars, left=_BARS, color="#0072B2", height=_HIGH)
        for number, (row, bar) in enumerate(zip(rows, bars, strict=True)):
            _row(ax, number, row, bar)
        if any(row.parameters is not None for row in rows):
            heads = ((_BARS, "parameters", "left"), (_KIND, "kind", "right"), (BLOG_COLUMN, "size", "right"))
            for x, name, way in heads:
                ax.text(x, -1, wording(f"components.{name}"), ha=way, va="center", fontsize=_SIZE, color=_HEAD)
        ax.set(xlim=(0, BLOG_COLUMN), ylim=(len(rows) - 0.4, -1.5))
        title = wording(
            "components.title", pipeline=parts.pipeline, parameters=count(parts.parameters), size=size(parts.bytes)
        )
        ax.set_title(title, loc="left", fontsize=10)
        if facts:
            figure.supxlabel("\n".join(map(drawable, facts)), fontsize=_SIZE, x=0.004, ha="left")
    alt = "components.alt" if rows else "components.alt.none"
    largest = [row.name for row in rows if row.parameters == most]
    return Picture(
        figure=figure,
        data={row.name: np.array(row.parameters or 0) for row in rows},
        alt=wording(alt, pipeline=parts.pipeline, rows=wording("list.semicolon").join(map(_said, rows))),
        caption=wording(
            "components.caption" if largest else "components.caption.plain",
            pipeline=parts.pipeline,
            largest=listed(largest),
        ),
        call="sdx.views.components(sdx.components(pipe))",
    )


def _row(ax: Axes, number: int, row: Component, bar: float) -> None:
    colour = _FAINT if row.class_name is None else _INK
    written = [(0.0, row.name, "left"), (_CLASS, row.class_name or "null", "left")]
    if row.parameters is not None:
        kind = ", ".join((*row.dtypes, *row.devices))
        written += [(_BARS + bar + 0.05, count(row.parameters), "left"), (_KIND, kind, "right")]
        written += [(BLOG_COLUMN, size(row.bytes), "right")]
    for x, text, way in written:
        ax.text(x, number, drawable(text, 36), ha=way, va="center", fontsize=_SIZE, color=colour)


def _said(row: Component) -> str:
    """A component as the alt text says it."""
    if row.class_name is None:
        return wording("components.row.null", name=row.name)
    if row.parameters is None:
        return wording("components.row.plain", name=row.name, class_name=row.class_name)
    return wording(
        "components.row.network",
        name=row.name,
        class_name=row.class_name,
        parameters=count(row.parameters),
        kind=", ".join((*row.dtypes, *row.devices)),
        size=size(row.bytes),
    )
