"""The UNet in the middle of the architecture: its blocks in the shape of a U, their layers and their skips."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..records.architecture import Stage
from ._architecture_strokes import CROSS, RESNET, SELF, Place, arrow

_MOST_SKIPS = 4  # channels named on a skip


def draw_unet(ax: Axes, stages: Sequence[Stage], left: float, right: float) -> list[Place]:
    """Draws the blocks and their skips; where each stands."""
    levels = max(stage.level for stage in stages)
    tallest = max(stage.grid[0] for stage in stages)
    column = (right - left) / len(stages)
    most = max(len(stripes(stage)) for stage in stages)
    places = []
    for number, stage in enumerate(stages):
        layers = stripes(stage)
        high = max(0.3, 0.85 * (stage.grid[0] / tallest) ** 0.5)
        y = 3.95 - (3.95 - 1.95) * stage.level / max(1, levels)
        place = Place(left + (number + 0.5) * column, y, 0.92 * column * max(0.35, len(layers) / most), high)
        places.append(place)
        one = place.wide / len(layers)
        for index, colour in enumerate(layers):
            corner = (place.x - place.wide / 2 + index * one, y - high / 2)
            ax.add_patch(Rectangle(corner, one * 0.86, high, facecolor=colour, linewidth=0))
        deep = max(stage.transformers, default=0)
        repeated = f" ×{deep}" if deep > 1 else ""
        ax.text(place.x, y + high / 2 + 0.03, f"{stage.channels}{repeated}", ha="center", va="bottom", fontsize=7.5)
        grid = f"{stage.grid[0]}×{stage.grid[1]}"
        ax.text(place.x, y - high / 2 - 0.03, grid, ha="center", va="top", fontsize=7, color="#555555")
    for (before, a), (after, b) in zip(
        zip(stages, places, strict=True), list(zip(stages, places, strict=True))[1:], strict=False
    ):
        del before, after
        arrow(ax, (a.x + a.wide / 2, a.y), (b.x - b.wide / 2, b.y), thin=True)
    for number, stage in enumerate(stages):
        if stage.side == "up" and stage.skips:
            _skip(ax, stages, places, number)
    return places


def stripes(stage: Stage) -> list[str]:
    """Colours of a block's layers in their order: residual blocks, an attention after each that has one."""
    found: list[str] = []
    attention = [SELF] * bool(stage.self_attention) + [CROSS] * bool(stage.cross_attention)
    many = len(stage.transformers) or stage.self_attention
    for number in range(stage.resnets):
        # The bottom begins with a residual block and attends before the second.
        found += [RESNET] + (attention if number < many else [])
    return found or [RESNET]


def _skip(ax: Axes, stages: Sequence[Stage], places: Sequence[Place], number: int) -> None:
    """An arrow from the way down to a block on the way up, through the free middle of the U."""
    stage, to = stages[number], places[number]
    start = next((p for s, p in zip(stages, places, strict=True) if s.side == "down" and s.level == stage.level), None)
    if start is None:
        return
    widths = [str(shape[0]) for shape in stage.skips[:_MOST_SKIPS]] + ["…"] * (len(stage.skips) > _MOST_SKIPS)
    look: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 0.9}
    a, b = start.x + start.wide / 2 + 0.02, to.x - to.wide / 2 - 0.02
    y = to.y + 0.28 * to.high
    if any(one.side == "mid" and one.level == stage.level for one in stages):  # the bottom stands in the way: above it
        a, b, y = start.x, to.x, to.y + to.high / 2 + 0.24
        for x in (a, b):
            ax.plot([x, x], [to.y + to.high / 2 + 0.17, y], **look)
    arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **look}
    ax.annotate("", (b, y), (a, y), arrowprops=arrow)
    ax.text((a + b) / 2, y + 0.02, ", ".join(widths), ha="center", va="bottom", fontsize=6.5, color="#777777")
