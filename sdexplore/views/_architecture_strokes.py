"""Boxes and arrows of the architecture's drawing, in its units, which are inches."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..figures.colours import PALETTE
from ..figures.font_families import drawable
from ..records.architecture import Shape

LINE: Final = "#444444"
RESNET, SELF, CROSS, JOINT = "#a9a9a9", PALETTE[0], PALETTE[5], "#009e73"
CROSS_INK: Final = "#a34700"  # the orange of CROSS, dark enough for letters
SMALL: Final = 8.5  # points; in an article's column a letter of 8.25 is 11 pixels high
_LARGE, _PITCH = 11.0, 0.145  # points; inches from line to line of SMALL
BOX: Final = 0.95  # inches that a box with a symbol and a shape is wide
_HIGH = 0.44


@dataclass(frozen=True)
class Place:
    """Where something stands: its middle and its size."""

    x: float
    y: float
    wide: float
    high: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.wide / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.wide / 2

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.y + self.high / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y - self.high / 2


def box(ax: Axes, x: float, y: float, name: str, shape: Shape) -> Place:
    """A white box at (x, y) with a name, which may be a symbol of TeX, and a shape in it."""
    place = _white(ax, Place(x, y, BOX, _HIGH))
    ax.text(x, y + 0.09, name, ha="center", va="center", fontsize=_LARGE, zorder=3)
    ax.text(x, y - 0.12, "×".join(map(str, shape)), ha="center", va="center", fontsize=SMALL, zorder=3)
    return place


def lines_box(ax: Axes, x: float, y: float, wide: float, lines: Sequence[str]) -> Place:
    """A white box at (x, y), as wide as `wide`, with these lines in it."""
    place = _white(ax, Place(x, y, wide, height_of(lines)))
    for number, line in enumerate(lines):
        middle = place.top - 0.06 - (number + 0.5) * _PITCH
        size = _LARGE if line.startswith("$") else SMALL  # so that an index can be read
        ax.text(x, middle, line, ha="center", va="center", fontsize=size, zorder=3)
    return place


def height_of(lines: Sequence[str]) -> float:
    """How high a box with these lines is."""
    return _PITCH * len(lines) + 0.12


def _white(ax: Axes, place: Place) -> Place:
    corner = (place.left, place.bottom)
    ax.add_patch(
        Rectangle(corner, place.wide, place.high, facecolor="white", edgecolor=LINE, linewidth=0.9, zorder=2.5)
    )
    return place


def arrow(ax: Axes, *points: tuple[float, float], colour: str = LINE, width: float = 1.1) -> None:
    """A line through these points, with corners, and the head of an arrow whose tip is at the last."""
    if len(points) > 2:  # noqa: PLR2004  (there are corners)
        x, y = zip(*points[:-1], strict=True)
        ax.plot(x, y, color=colour, linewidth=width, solid_capstyle="round", zorder=1.2)
    look: dict[str, Any] = {"arrowstyle": "-|>,head_width=0.22,head_length=0.42", "color": colour, "linewidth": width}
    look |= {"shrinkA": 0, "shrinkB": 0, "joinstyle": "miter"}
    ax.annotate("", points[-1], points[-2], arrowprops=look, zorder=2.6)


def in_lines(name: str, most: int) -> list[str]:
    """A name in code as lines of at most `most` letters, broken before a capital or behind an underscore."""
    lines = [""]
    for part in re.split(r"(?<=[a-z0-9])(?=[A-Z])|(?<=_)", name):
        if lines[-1] and len(lines[-1]) + len(part) > most:
            lines.append("")
        lines[-1] += part
    return [drawable(line, most + 2) for line in lines]
