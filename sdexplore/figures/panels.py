"""Panels: axes that hold a picture, a map or a drawing; with labels, without ticks, quick to make and to draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Final, Literal

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.text import Text
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

from .cells import Cells, place_of
from .columns import column
from .reusable_figure import Unlike, drawn_on, next_of

LOWEST: Final = 0.3  # inches that a row is given at least: a label of two lines
GAP: Final = 0.1  # inches between rows
_BESIDE: Final = 0.5  # inches for the names of rows
UPRIGHT: Final[dict[str, Any]] = {
    "rotation": 90,
    "ha": "center",
    "va": "bottom",
}  # matplotlib's for labels at the left


class _Label:
    """An axis that shows nothing but its label."""

    label: Text
    along = 0.0  # degrees at which a label lies along the axis

    def set_clip_path(self, *_: object) -> None:
        """A label is not clipped, and nothing else is there."""

    def draw(self, renderer: Any) -> None:  # noqa: ANN401  (matplotlib's)
        """As matplotlib's."""
        if self.label.get_text():
            super().draw(renderer)  # type: ignore[misc]  # an axis's

    def get_tightbbox(self, renderer: Any = None, *, for_layout_only: bool = False) -> Bbox | None:  # noqa: ANN401
        """As matplotlib's."""
        if not self.label.get_text():
            return None
        # For the layout, matplotlib takes a label to be no longer than its axis, which one that lies beside it is not.
        along = for_layout_only and self.label.get_rotation() == self.along
        found: Bbox | None = super().get_tightbbox(renderer, for_layout_only=along)  # type: ignore[misc]
        return found


class _Across(_Label, XAxis):
    """An axis with a label and without ticks, whose making is most of the cost of an axis."""

    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815  (matplotlib's names)


class _Up(_Label, YAxis):
    along = 90.0
    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815


class Panel(Axes):
    """Axes with a title and labels, without ticks, frame and grid; what `imshow` draws is a `Cells`."""

    high: float = inf  # inches of what is drawn in it; infinite where it is not known
    _before: "Iterator[Cells] | None" = None  # earlier images, where the panel is filled again

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _Across(self, clear=False), _Up(self, clear=False)

    def _gen_axes_spines(self, *_: object) -> dict[str, Any]:
        return {}

    def grid(self, *_: object, **__: object) -> None:
        """Does nothing: a panel has no grid."""

    def clear(self) -> None:
        """As matplotlib's."""
        super().clear()
        self.patch.set_visible(False)  # the page is behind it
        for axis in (self.xaxis, self.yaxis):
            axis.set_major_locator(NullLocator())

    def imshow(  # type: ignore[override]
        self,
        X: np.ndarray,  # noqa: N803  (matplotlib's name)
        *,
        cmap: Any = None,  # noqa: ANN401  (whatever matplotlib takes for one)
        norm: Normalize | None = None,
        vmin: float | None = None,
        vmax: float | None = None,
        alpha: float | None = None,
        extent: tuple[float, float, float, float] | None = None,
        interpolation: Literal["nearest", "bilinear"] = "nearest",
    ) -> "Cells":
        """Draws an array (y, x) in colours, or a picture (y, x, 3 or 4), one square a cell.

        Of matplotlib's options it takes those that views use. "bilinear" draws quantities (y, x) smoothly between the
        centres of their cells.
        """
        norm = norm or Normalize(vmin, vmax)
        way = (cmap, type(norm), interpolation, extent is None)
        if self._before is None:
            cells = Cells(self, cmap=cmap, norm=norm, interpolation=interpolation, extent=extent)
            cells.way = way
            cells.set_clip_path(self.patch)
            self.add_image(cells)
        else:
            cells = next_of(self._before)
            if cells.way != way or type(norm) is not Normalize:
                raise Unlike
        cells.show(X, norm)
        cells.set_alpha(alpha)
        place = extent or place_of(X)
        if self._before is None or tuple(cells.get_extent()) != place:
            cells.set_extent(place)  # which the limits of the panel follow
        self.set_aspect("equal")
        return cells

    @property
    def bare(self) -> bool:
        """Whether there is nothing but labels and what `imshow` drew."""
        return not (self.lines or self.texts or self.patches or self.collections or self.artists or self.child_axes)

    @property
    def left(self) -> bool:
        """Whether something from the last picture was not drawn again."""
        return self._before is not None and next(self._before, None) is not None

    def start_again(self) -> None:
        """Removes the labels; from now on `imshow` draws into its earlier images, in the same order."""
        self.title.set_text("")
        for axis in (self.xaxis, self.yaxis):
            axis.set_label_text("", fontsize=rcParams["axes.labelsize"])
            axis.labelpad = rcParams["axes.labelpad"]
        self.yaxis.label.set(**UPRIGHT)
        self._before = iter([image for image in self.images if isinstance(image, Cells)])


@contextmanager
def panels(
    rows: int, columns: int, *, aspect: float = 1.0, top: float = 0.0, least: float = 0.7, of: type[Axes] = Panel
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure of rows × columns panels, each `aspect` (height / width) high, to fit the column.

    Args:
        of: What each is; matplotlib's `Axes` where rows and columns have names, which are tick labels.
        top: Inches for the title and what stands over the panels.
        least: Least width of a panel in inches; the figure may become wider than the column.
    """
    wide = min(2.4, max(least, (column().inches - _BESIDE) / columns))

    def make() -> tuple[Figure, np.ndarray]:
        high = max(wide * aspect, LOWEST) + GAP
        figure = Figure(figsize=(wide * columns + _BESIDE, high * rows + top + 0.4), layout="compressed")
        axes = panel_grid(figure, rows, columns, of=of)
        for panel in axes.flat:
            panel.high = wide * aspect
        return figure, axes

    with drawn_on((rows, columns, aspect, top, wide, of), make) as (figure, axes):
        yield figure, axes


def panel_grid(figure: FigureBase, rows: int = 1, columns: int = 1, *, of: type[Axes] = Panel) -> np.ndarray:
    """Panels in rows and columns that share a figure, or a part of one; an array (row, column) of them."""
    return figure.subplots(rows, columns, squeeze=False, subplot_kw={"axes_class": of})
