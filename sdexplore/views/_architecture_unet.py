"""The UNet in the middle of the architecture: its blocks in the shape of a U, their layers and their skips."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from ..records.architecture import Stage
from ..strings.wording import wording
from ._architecture_strokes import CROSS, RESNET, SELF, SMALL, Place, arrow

_TOP, _LOW = 3.5, 1.02  # middles of the highest and the lowest blocks
_TALLEST, _LEAST, _WIDEST = 0.6, 0.2, 0.75  # of a block
_EDGE = 0.03  # from a block's edge to the arrow that leaves it
_SKIP: Final[dict[str, Any]] = {"color": "#666666", "linestyle": "--", "linewidth": 0.9}


def draw_unet(ax: Axes, stages: Sequence[Stage], left: float, right: float) -> list[Place]:
    """Draws the blocks and their skips; where each stands. What is at the bottom stands beneath its level."""
    rows = [stage.level + (stage.side == "mid") for stage in stages]
    pitch = (_TOP - _LOW) / max(1, *rows)
    tallest = max(stage.grid[0] for stage in stages)
    column = (right - left) / len(stages)
    most = max(len(stripes(stage)) for stage in stages)
    places = []
    for number, (stage, row) in enumerate(zip(stages, rows, strict=True)):
        layers = stripes(stage)
        high = max(_LEAST, _TALLEST * (stage.grid[0] / tallest) ** 0.5)
        wide = min(_WIDEST, 0.92 * column) * max(0.35, len(layers) / most)
        place = Place(left + (number + 0.5) * column, _TOP - row * pitch, wide, high)
        places.append(place)
        one = place.wide / len(layers)
        for index, colour in enumerate(layers):
            corner = (place.left + index * one, place.bottom)
            ax.add_patch(Rectangle(corner, one * 0.86, high, facecolor=colour, linewidth=0))
        deep = max(stage.transformers, default=0)
        repeated = f"×{deep}\n" if deep > 1 else ""
        text = f"{repeated}{stage.channels}\n{stage.grid[0]}×{stage.grid[1]}"
        ax.text(place.x, place.top + 0.02, text, ha="center", va="bottom", fontsize=SMALL, linespacing=1.05, zorder=3)
    for a, b in pairwise(places):
        _joined(ax, a, b)
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


def legend_of(stages: Sequence[Stage]) -> list[Artist]:
    """What the colours of these blocks' layers and the dashed arrows mean."""
    there = {colour for stage in stages for colour in stripes(stage)}
    names = ((RESNET, "architecture.residual"), (SELF, "attention.self"), (CROSS, "attention.cross"))
    found: list[Artist] = [Patch(color=colour, label=wording(key)) for colour, key in names if colour in there]
    if any(stage.skips for stage in stages):
        found.append(Line2D([], [], label=wording("architecture.skips"), **_SKIP))
    return found


def bring_keys(ax: Axes, stages: Sequence[Stage], places: Sequence[Place], bus: float) -> float | None:
    """Arrows of keys and values from the height `bus` to every block with cross-attention; where the first one is.

    They come from below, beside the arrow that joins a block with its neighbour; None without cross-attention.
    """
    beside = {"down": -0.15, "mid": 0.0, "up": 0.15}
    crossed = [(s, p) for s, p in zip(stages, places, strict=True) if s.cross_attention]
    at = [(place.x + beside[stage.side] * place.wide, place.bottom) for stage, place in crossed]
    for x, y in at:
        arrow(ax, (x, bus), (x, y), colour=CROSS)
    return min((x for x, _ in at), default=None)


def _joined(ax: Axes, a: Place, b: Place) -> None:
    """The way of the data from a block to the next: down and to the right, or to the right and up."""
    if b.y < a.y and a.right - _EDGE < b.left:
        arrow(ax, (a.right - _EDGE, a.bottom), (a.right - _EDGE, b.y), (b.left, b.y))
    elif b.y > a.y and a.right < b.left + _EDGE:
        arrow(ax, (a.right, a.y), (b.left + _EDGE, a.y), (b.left + _EDGE, b.bottom))
    else:
        arrow(ax, (a.right, a.y), (b.left, b.y))


def _skip(ax: Axes, stages: Sequence[Stage], places: Sequence[Place], number: int) -> None:
    """An arrow from the way down to a block on the way up, through the free middle of the U."""
    stage, to = stages[number], places[number]
    start = next((p for s, p in zip(stages, places, strict=True) if s.side == "down" and s.level == stage.level), None)
    if start is None:
        return
    y = to.y + 0.28 * to.high
    ax.annotate(
        "", (to.left, y), (start.right, y), arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **_SKIP}
    )
    text = f"×{len(stage.skips)}"
    ax.text((start.right + to.left) / 2, y + 0.02, text, ha="center", va="bottom", fontsize=SMALL, color=_SKIP["color"])
