"""The U-Net of 2015 beside a UNet of today, level by level."""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from ..figures.colours import PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.architecture import Architecture, Stage, UNetComparison
from ..strings.wording import counted, wording
from ._architecture_strokes import LINE, SMALL, Place, arrow
from .made_from import made_from

_PLAIN, _ATTENDING = "#c9c9c9", PALETTE[5]
_HALF, _ROW, _HIGH = 1.75, 0.98, 0.26  # inches: half the width of a U, from row to row, and of a box
_WIDEST = 0.95  # of a box
_WALL = 0.12  # from the outer edge of a U to the line that joins its levels
_WAY: Final[dict[str, Any]] = {"colour": "#7a7a7a", "width": 1.4}  # can be seen on a white and on a dark page
_SKIP: Final[dict[str, Any]] = {"color": "#7a7a7a", "linestyle": "--", "linewidth": 0.9}


@made_from("pipeline", calls=["pipeline_architecture"], part="beside_2015")
def unet_comparison(found: UNetComparison) -> Picture:
    """Draws two U-Nets level by level: left that of 2015, right this pipeline's.

    A row a level; in each U the way down stands left, the way up right, and what is at the bottom beneath both: here
    it works on the grid of the lowest level. Arrows are the way of the data, down, across and up again. A box
    is as wide as the square root of its channels, on one scale for both; the text gives channels and what its grid is
    before and after. Blocks with attention are orange, others grey. Dashed arrows are skips: cropped in 2015, whole
    and several a level here.

    Args:
        found: `sdx.pipeline_architecture(pipe).beside_2015`.

    Source: Ronneberger, Fischer & Brox 2015, Figure 1.
    """
    here, then = found.architecture, found.levels_2015
    rows = max(len(then), here.levels + (here.at(here.levels - 1, "mid") is not None))
    widest = max([one.channels for one in then] + [stage.channels for stage in here.stages])
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, _ROW * rows + 0.9), layout="constrained")
        left, right = panel_grid(figure, 1, 2)[0]
        titles = (
            wording("unet_comparison.2015"),
            wording("unet_comparison.here", unet=here.unet, pipeline=here.pipeline),
        )
        for ax, title in zip((left, right), titles, strict=True):
            ax.set(xlim=(-_HALF - 0.1, _HALF + 0.1), ylim=(0.4 - _ROW * rows, 0.3))
            ax.set_title(title)
        _draw_2015(left, found, widest)
        _draw_here(right, here, widest)
        handles = [
            Patch(color=_PLAIN, label=wording("unet_comparison.convolutions")),
            Patch(color=_ATTENDING, label=wording("unet_comparison.attention")),
            Line2D([], [], label=wording("architecture.skips"), **_SKIP),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    skips = 1 + sum(len(stage.skips) for stage in here.stages if stage.side == "down")
    attention = [sum(stage.self_attention for stage in here.stages), sum(s.cross_attention for s in here.stages)]
    return Picture(
        figure=figure,
        data={
            "channels_2015": np.array([one.channels for one in then]),
            "channels": np.array([stage.channels for stage in here.stages]),
        },
        alt=wording(
            "unet_comparison.alt",
            levels_2015=len(then),
            first=then[0].channels,
            last=then[-1].channels,
            skips_2015=len(then) - 1,
            unet=here.unet,
            levels=here.levels,
            channels=" → ".join(str(stage.channels) for stage in here.stages),
            skips=skips,
            own=attention[0],
            cross=attention[1],
        ),
        caption=wording("unet_comparison.caption"),
        call=f"sdx.views.unet_comparison(sdx.pipeline_architecture(pipe, height={here.image[1]}, "
        f"width={here.image[2]}).beside_2015)",
    )


def _draw_2015(ax: Axes, found: UNetComparison, widest: int) -> None:
    downs, ups, bottom = [], [], None
    for level, one in enumerate(found.levels_2015):
        wide = _wide(one.channels, widest)
        text = wording("unet_comparison.block", channels=one.channels, grid=f"{one.down[0]}² → {one.down[1]}²")
        if one.up is None:
            bottom = _block(ax, "mid", level, wide, _PLAIN, text)
            continue
        downs.append(_block(ax, "down", level, wide, _PLAIN, text))
        text = wording("unet_comparison.block", channels=one.channels, grid=f"{one.up[0]}² → {one.up[1]}²")
        ups.append(_block(ax, "up", level, wide, _PLAIN, text))
        _skip(ax, downs[-1], ups[-1], wording("unet_comparison.crop", sides=f"{one.cropped_from}² → {one.up[0]}²"))
    _joined(ax, downs, bottom, ups)


def _draw_here(ax: Axes, here: Architecture, widest: int) -> None:
    downs, ups, bottom = [], [], None
    for level in range(here.levels):
        down, mid, up = (here.at(level, side) for side in ("down", "mid", "up"))
        if down is not None:
            downs.append(_block(ax, "down", level, _wide(down.channels, widest), _colour(down), _text(down)))
        if up is not None:
            ups.append(_block(ax, "up", level, _wide(up.channels, widest), _colour(up), _text(up)))
        if mid is not None:  # beneath both
            bottom = _block(ax, "mid", level + 1, _wide(mid.channels, widest), _colour(mid), _text(mid))
        if down is not None and up is not None:
            _skip(ax, downs[-1], ups[-1], counted(len(up.skips), "skip"))
    _joined(ax, downs, bottom, ups)


def _wide(channels: int, widest: int) -> float:
    return float(_WIDEST * (channels / widest) ** 0.5)


def _colour(stage: Stage) -> str:
    return _ATTENDING if stage.self_attention or stage.cross_attention else _PLAIN


def _text(stage: Stage) -> str:
    """Channels and grid of a block, and beneath how many layers of each kind it holds."""
    attention = (("unet_comparison.self", stage.self_attention), ("unet_comparison.cross", stage.cross_attention))
    grid = f"{stage.grid[0]}×{stage.grid[1]}"
    lines = [
        wording("unet_comparison.block_here", channels=stage.channels, grid=grid),
        wording("unet_comparison.resnets", n=stage.resnets),
        " + ".join(wording(key, n=number) for key, number in attention if number),
    ]
    return "\n".join(filter(None, lines))


def _block(ax: Axes, side: str, row: int, wide: float, colour: str, text: str) -> Place:
    """A box with its text beneath: at the outer edge of the U, beside the line that joins the levels; or at bottom."""
    x = {"down": wide / 2 - _HALF, "mid": 0.0, "up": _HALF - wide / 2}[side]
    place = Place(x, -_ROW * row, wide, _HIGH)
    corner = (place.left, place.bottom)
    ax.add_patch(Rectangle(corner, wide, _HIGH, facecolor=colour, edgecolor="#666666", linewidth=0.6, zorder=2))
    at, way = {
        "down": (_WALL + 0.08 - _HALF, "left"),
        "mid": (0.0, "center"),
        "up": (_HALF - _WALL - 0.08, "right"),
    }[side]
    ax.text(at, place.bottom - 0.04, text, ha=way, va="top", fontsize=SMALL, linespacing=1.1, multialignment=way)
    return place


def _joined(ax: Axes, downs: list[Place], bottom: Place | None, ups: list[Place]) -> None:
    """The way of the data: down along the left wall, through the bottom, up along the right one."""
    left, right = _WALL - _HALF, _HALF - _WALL
    for a, b in pairwise(downs):
        arrow(ax, (left, a.bottom), (left, b.top), **_WAY)
    for b, a in pairwise(ups):
        arrow(ax, (right, a.top), (right, b.bottom), **_WAY)
    if bottom is not None and downs and ups:
        arrow(ax, (left, downs[-1].bottom), (left, bottom.y), (bottom.left, bottom.y), **_WAY)
        arrow(ax, (bottom.right, bottom.y), (right, bottom.y), (right, ups[-1].bottom), **_WAY)
    elif downs and ups:
        arrow(ax, (downs[-1].right, downs[-1].y), (ups[-1].left, ups[-1].y), **_WAY)


def _skip(ax: Axes, down: Place, up: Place, text: str) -> None:
    look = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **_SKIP}
    ax.annotate("", (up.left, up.y), (down.right, down.y), arrowprops=look)
    ax.text(0, down.y + 0.02, text, ha="center", va="bottom", fontsize=SMALL, color=LINE)
