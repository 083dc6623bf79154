"""What a pipeline is made of, by size."""

import numpy as np
from matplotlib.figure import Figure

from ..base.display import count, size
from ..figures.captions import AltText
from ..figures.columns import BLOG_COLUMN
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..records.components import Component, Components
from .made_from import made_from

_ROW = 0.34


@made_from("pipeline", calls=["components"])
def components(parts: Components) -> Picture:
    """Draws the components of a pipeline, a bar each: its parameters, linear from 0 to the largest.

    Behind the bar stand the class and, for networks, parameters, number format, device and bytes. A component
    without parameters (tokenizer, scheduler) has no bar; one that the pipeline holds as null is grey. Beneath
    stand the facts of `sdx.components`.

    Args:
        parts: What `sdx.components(pipe)` returns.
    """
    rows = list(parts.values())
    facts = [f"{name}: {what}" for name, what in parts.summary.items()]
    most = max((row.parameters or 0 for row in rows), default=0) or 1
    with style():
        high = _ROW * len(rows) + 0.17 * len(facts) + 0.7
        figure = Figure(figsize=(BLOG_COLUMN, high), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        ax.barh(range(len(rows)), [(row.parameters or 0) / most for row in rows], color="#0072B2", height=0.62)
        for number, row in enumerate(rows):
            colour = "#8a8a8a" if row.class_name is None else "k"
            bar = (row.parameters or 0) / most
            ax.text(-0.02, number, drawable(row.name, 30), ha="right", va="center", color=colour)
            ax.text(bar + 0.015, number, drawable(_behind(row)), va="center", fontsize=8, color=colour)
        ax.set(xlim=(0, 2.1), ylim=(len(rows) - 0.4, -0.6))
        ax.set_title(f"{parts.pipeline}: {count(parts.parameters)} parameters, {size(parts.bytes)}", loc="left")
        if facts:
            figure.supxlabel("\n".join(drawable(fact, 120) for fact in facts), fontsize=7.5, x=0.02, ha="left")
    return Picture(
        figure=figure,
        data={row.name: np.array(row.parameters or 0) for row in rows},
        alt=AltText(
            f"The components of a {parts.pipeline}: "
            + "; ".join(f"{row.name}, {_behind(row).strip()}" for row in rows)
            + ".",
            f"The components of a {parts.pipeline}.",
        ),
        call="sdx.views.components(sdx.components(pipe))",
    )


def _behind(row: Component) -> str:
    if row.class_name is None:
        return "null"
    if row.parameters is None:
        return row.class_name
    where = ", ".join((*row.dtypes, *row.devices))
    return f"{row.class_name}: {count(row.parameters)} parameters, {where}, {size(row.bytes)}"
