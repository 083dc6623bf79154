"""The U-Net of 2015 beside a UNet of today, level by level."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ..figures.captions import AltText
from ..figures.colours import PALETTE
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.architecture import Stage, UNetComparison
from .made_from import made_from

_PLAIN, _ATTENDING = "#c9c9c9", PALETTE[5]
_ROW = 0.95
_WIDEST = 3.0  # of a box


@made_from("pipeline", calls=["pipeline_architecture"], part="beside_2015")
def unet_comparison(found: UNetComparison) -> Picture:
    """Draws two U-Nets level by level: left that of 2015, right this pipeline's.

    A row a level; in each U the way down stands left, the way up right, and what is at the bottom between them. A box
    is as wide as the square root of its channels, on one scale for both; the text gives channels and what its grid is
    before and after. Blocks with attention are orange, others grey. Dashed arrows are skips: cropped in 2015, whole
    and several a level here.

    Args:
        found: `sdx.pipeline_architecture(pipe).beside_2015`.

    Source: Ronneberger, Fischer & Brox 2015, Figure 1.
    """
    here = found.architecture
    levels = max(len(found.levels_2015), here.levels)
    widest = max([one.channels for one in found.levels_2015] + [stage.channels for stage in here.stages])
    with style():
        figure = Figure(figsize=(11.0, 0.62 * _ROW * levels + 1.2), layout="constrained")
        left, right = panel_grid(figure, 1, 2)[0]
        for ax, title in ((left, "U-Net, 2015"), (right, f"{here.unet} of the {here.pipeline}")):
            ax.set(xlim=(-7.6, 7.6), ylim=(-_ROW * levels + 0.3, 0.75))
            ax.set_title(title)
        for level, one in enumerate(found.levels_2015):
            size = _wide(one.channels, widest)
            down = f"{one.channels} ch\n{one.down[0]}² → {one.down[1]}²"
            bottom = one.up is None
            _block(left, 0.0 if bottom else -4.3, level, size, _PLAIN, down)
            if one.up is not None:
                _block(left, 4.3, level, size, _PLAIN, f"{one.channels} ch\n{one.up[0]}² → {one.up[1]}²")
                _skip(left, level, size, size, f"crop {one.cropped_from}² → {one.up[0]}²")
        for level in range(here.levels):
            down_, mid, up = (here.at(level, side) for side in ("down", "mid", "up"))
            for stage, x in ((down_, -4.3), (mid, 0.0), (up, 4.3)):
                if stage is not None:
                    _block(right, x, level, _wide(stage.channels, widest), _colour(stage), _text(stage))
            if down_ is not None and up is not None:
                sizes = _wide(down_.channels, widest), _wide(up.channels, widest)
                _skip(right, level, *sizes, f"{len(up.skips)} skips", over=mid is not None)
        handles = [Patch(color=_PLAIN, label="convolutions only"), Patch(color=_ATTENDING, label="with attention")]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    changed = "; ".join(f"{what}: {old}, now {new}" for what, old, new in found.changes[:1] + found.changes[7:])
    both = (
        f"The U-Net of 2015, {len(found.levels_2015)} levels of {found.levels_2015[0].channels} to "
        f"{found.levels_2015[-1].channels} channels, beside the {here.unet}, {here.levels} levels."
    )
    return Picture(
        figure=figure,
        data={
            "channels_2015": np.array([one.channels for one in found.levels_2015]),
            "channels": np.array([stage.channels for stage in here.stages]),
        },
        alt=AltText(f"{both} {changed}.", both),
        call=f"sdx.views.unet_comparison(sdx.pipeline_architecture(pipe, height={here.image[1]}, "
        f"width={here.image[2]}).beside_2015)",
    )


def _wide(channels: int, widest: int) -> float:
    return float(_WIDEST * (channels / widest) ** 0.5)


def _colour(stage: Stage) -> str:
    return _ATTENDING if stage.self_attention or stage.cross_attention else _PLAIN


def _text(stage: Stage) -> str:
    layers = {"res": stage.resnets, "self": stage.self_attention, "cross": stage.cross_attention}
    held = " + ".join(f"{number} {kind}" for kind, number in layers.items() if number)
    return f"{stage.channels} ch, {stage.grid[0]}×{stage.grid[1]}\n{held}"


def _block(ax: Axes, x: float, level: int, wide: float, colour: str, text: str) -> None:
    y = -_ROW * level
    ax.add_patch(Rectangle((x - wide / 2, y - 0.02), wide, 0.3, facecolor=colour, edgecolor="#666666", linewidth=0.6))
    ax.text(x, y - 0.06, text, ha="center", va="top", fontsize=6.5, linespacing=1.05)


def _skip(ax: Axes, level: int, from_wide: float, to_wide: float, text: str, *, over: bool = False) -> None:
    """An arrow across; `over` what stands in the middle."""
    y = -_ROW * level + (0.38 if over else 0.13)
    start, stop = -4.3 + from_wide / 2 + 0.05, 4.3 - to_wide / 2 - 0.05
    look: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 0.9}
    if over:
        start, stop = -4.3, 4.3
        for x in (start, stop):
            ax.plot([x, x], [y - 0.1, y], **look)
    ax.annotate("", (stop, y), (start, y), arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **look})
    ax.text(0, y + 0.03, text, ha="center", va="bottom", fontsize=6.5, color="#777777")
