"""Names of rows and of colour bars: in two lines, or smaller, where there is no room for one."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import Any, Final

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from ..base.display import width
from .cells import Cells
from .columns import SMALL
from .panels import GAP, LOWEST, UPRIGHT
from .reusable_figure import lent
from .wrapping import breaks

_LETTER: Final = 0.56 / 72  # inches that a letter is wide on average, for each point of its size
_SHORT: Final = 0.7  # inches that a label may lie beside a row in one line
_ALONG: Final[dict[str, Any]] = {"rotation": 90, "ha": "center", "va": "top"}  # matplotlib's for labels at the right
_BESIDE: Final[dict[str, Any]] = {"rotation": 0, "ha": "left", "va": "center"}
_LYING: Final[dict[str, Any]] = {"rotation": 0, "ha": "right", "va": "center"}


def colour_bar(figure: FigureBase, drawn: Cells, beside: Any, label: str, **options: Any) -> None:  # noqa: ANN401  (matplotlib's)
    """Adds the scale of `drawn`, right of the panels `beside`; five numbers at most, since each takes a millisecond.

    A label that is much longer than the bar is set in two lines, and smaller or lying if they are too long as well.
    """
    words = _beside_bar(label, options.get("shrink", 1.0) * _high_of(np.ravel(beside)))

    def make() -> Colorbar:
        ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
        bar = figure.colorbar(drawn, ax=beside, ticks=ticks, **options)
        bar.set_label(**words)
        bar.ax.get_tightbbox = partial(_beside, bar.ax, bar.ax.get_tightbbox)  # type: ignore[method-assign]
        return bar

    sheet = lent.get()
    if sheet is None:
        make()
    else:
        sheet.bar(figure, make, (drawn, np.asarray(beside).tolist(), options), words)


def _high_of(beside: Iterable[Axes]) -> float:
    """Inches from the upper edge of the first of these panels to the lower edge of the last."""
    rows = {panel.get_subplotspec().rowspan.start: getattr(panel, "high", inf) for panel in beside}  # type: ignore[union-attr]
    return sum(max(high, LOWEST) + GAP for high in rows.values()) - GAP if len(rows) > 1 else sum(rows.values())


def _beside_bar(label: str, high: float) -> dict[str, Any]:
    """The label of a bar `high` inches high: in two lines where it is 1.5 times as long; lying where that is too."""
    size = float(rcParams["font.size"])
    if _long(label, size) <= 1.5 * high:
        return {"label": label, "fontsize": size, **_ALONG}
    label = _in_two(label)
    fitting = 1.5 * high / _long(label, 1.0)
    return {"label": label, "fontsize": min(size, max(SMALL, fitting)), **(_ALONG if fitting >= SMALL else _BESIDE)}


def _beside(
    bar: Axes,
    around: Callable[..., Bbox | None],
    renderer: Any = None,  # noqa: ANN401  (matplotlib's)
    *,
    for_layout_only: bool = False,
    **options: Any,  # noqa: ANN401
) -> Bbox | None:
    """The box of a colour bar; for the layout, only as high as the bar itself.

    A number at the end of the bar reaches half beyond it. The layout would make room for that, and panels would move
    by parts of a pixel from scale to scale.
    """
    found = around(renderer, for_layout_only=for_layout_only, **options)
    if found is None or not for_layout_only:
        return found
    return Bbox.from_extents(found.x0, bar.bbox.y0, found.x1, bar.bbox.y1)


def row_label(panel: Axes, text: str, *, size: float = 9.0) -> None:
    """Names a row of panels at its left, upright; in two lines where the row is too low for it, or lying."""
    room = getattr(panel, "high", inf) + GAP
    ways = (
        (text, UPRIGHT, room),
        (_in_two(text), UPRIGHT, room),
        (text, _LYING, _SHORT),
        (_in_two(text), _LYING, inf),
    )
    written, way = next((written, way) for written, way, room in ways if _long(written, size) <= room)
    panel.set_ylabel(written, fontsize=size, **way)


def _long(text: str, size: float) -> float:
    """About how long the longest line is, in inches."""
    return max(width(line) for line in text.split("\n")) * size * _LETTER


def _in_two(text: str) -> str:
    """`text` broken in two near its middle, where it may be broken; as it is where it has lines already."""
    places = [] if "\n" in text else list(breaks(text))
    if not places:
        return text
    middle = width(text) / 2
    end, start = min(places, key=lambda place: abs(width(text[: place[0]]) - middle))
    return f"{text[:end]}\n{text[start:]}"
