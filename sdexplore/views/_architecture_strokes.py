"""Boxes, arrows and lines with corners, in the units of the architecture's drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..figures.colours import PALETTE
from ..records.architecture import Shape

LINE = "#444444"
RESNET, SELF, CROSS, JOINT = "#a9a9a9", PALETTE[0], PALETTE[5], "#009e73"


@dataclass(frozen=True)
class Place:
    """Where a block of the denoiser stands: its middle and its size."""

    x: float
    y: float
    wide: float
    high: float


def box(ax: Axes, x: float, y: float, name: str, shape: Shape) -> None:
    """A white box at (x, y) with a name and a shape in it."""
    ax.add_patch(Rectangle((x - 0.36, y - 0.25), 0.72, 0.5, facecolor="white", edgecolor=LINE, linewidth=0.9, zorder=2))
    ax.text(x, y + 0.09, name, ha="center", va="center", fontsize=9, fontstyle="italic", zorder=3)
    ax.text(x, y - 0.12, "×".join(map(str, shape)), ha="center", va="center", fontsize=6.5, zorder=3)


def arrow(ax: Axes, start: tuple[float, float], stop: tuple[float, float], *, thin: bool = False) -> None:
    """An arrow between two points."""
    width = 0.7 if thin else 1.1
    ax.annotate(
        "", stop, start, arrowprops={"arrowstyle": "->", "color": LINE, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    )


def path(ax: Axes, points: Sequence[tuple[float, float]], colour: str = LINE) -> None:
    """A line with corners, an arrow at its end."""
    x, y = zip(*points[:-1], strict=True)
    ax.plot(x, y, color=colour, linewidth=1.1, solid_capstyle="round")
    look = {"arrowstyle": "->", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=look)
