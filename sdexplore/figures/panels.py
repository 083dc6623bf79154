"""Panels: axes that hold a picture, a map or a drawing, with labels and without ticks; quickly made and drawn."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import floor, inf
from typing import Any, Final, Literal

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import Bbox
from PIL import Image

from ..base.display import width
from .reusable_figure import Unlike, drawn_on, lent, next_of

BLOG_COLUMN: Final = 7.5  # inches: what a wide figure is scaled to fit
_LETTER: Final = 0.56 / 72  # inches that a letter is wide on average, for each point of its size
_LOWEST: Final = 0.3  # inches that a row is given at least: a label of two lines
_GAP: Final = 0.1  # inches between rows
_SHORT: Final = 0.7  # inches that a label may lie beside a row in one line
_UPRIGHT: Final[dict[str, Any]] = {
    "rotation": 90,
    "ha": "center",
    "va": "bottom",
}  # matplotlib's for labels at the left
_LYING: Final[dict[str, Any]] = {"rotation": 0, "ha": "right", "va": "center"}


class _Label:
    """What an axis does whose only mark is its label, if it has one."""

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
    """A label, and not even a list of ticks: to make those is most of what an axis costs."""

    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815  (matplotlib's names)


class _Up(_Label, YAxis):
    along = 90.0
    majorTicks = minorTicks = ()  # type: ignore[assignment]  # noqa: N815


class Panel(Axes):
    """Axes with a title and labels, without ticks, frame and grid; what `imshow` draws is a `Cells`."""

    high: float = inf  # inches of what is drawn in it; where nothing is known of that, there is room enough
    _before: "Iterator[Cells] | None" = None  # what stood here, where the panel is filled again

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _Across(self, clear=False), _Up(self, clear=False)

    def _gen_axes_spines(self, *_: object) -> dict[str, Any]:
        return {}

    def grid(self, *_: object, **__: object) -> None:
        """There is none."""

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
        """Whether something stands here that was not drawn again."""
        return self._before is not None and next(self._before, None) is not None

    def start_again(self) -> None:
        """Takes the labels off; from now on `imshow` draws into what it drew before, in the same order."""
        self.title.set_text("")
        for axis in (self.xaxis, self.yaxis):
            axis.set_label_text("", fontsize=rcParams["axes.labelsize"])
            axis.labelpad = rcParams["axes.labelpad"]
        self.yaxis.label.set(**_UPRIGHT)
        self._before = iter([image for image in self.images if isinstance(image, Cells)])


class Cells(AxesImage):
    """An array drawn cell by cell; where cells are smaller than pixels, a pixel has the mean of those that lie in it.

    matplotlib's "nearest" shows one of them and drops the rest, and takes ten times as long. Quantities (floats) are
    averaged before they get their colour, labels (integers) and pictures after.
    """

    way: tuple[Any, ...] = ()
    _shown: np.ndarray | None = None
    _of_shown: dict[tuple[Any, ...], np.ndarray]

    def show(self, array: np.ndarray, norm: Normalize) -> None:
        """Takes the array and the limits of `norm`, which are its own where that has none."""
        if array is not self._shown or array.flags.writeable:
            self.set_data(array)
            self._shown, self._of_shown = array, {}
        if array.ndim == 2:  # noqa: PLR2004  (a picture has its colours)
            norm.autoscale_None(self.get_array())  # type: ignore[arg-type]  # whatever set_data made of it
        if norm is not self.norm:
            self.set_clim(norm.vmin, norm.vmax)

    def make_image(
        self,
        renderer: Any,  # noqa: ANN401  (matplotlib's)
        magnification: float = 1.0,
        unsampled: bool = False,  # noqa: FBT001, FBT002  (as matplotlib's)
    ) -> tuple[np.ndarray, float, float, Any]:
        """As matplotlib's: pixels (y, x, 4) uint8 from the lowest row up, the place of their corner, no transform."""
        left, right, bottom, top = self.get_extent()
        box = Bbox([[left, bottom], [right, top]]).transformed(self.get_transform()).extents
        panel = np.asarray(self.axes.bbox.extents)
        x0, y0, x1, y1 = (floor(edge * magnification + 0.5) for edge in box)
        cut = (box[:2] < panel[:2] - 0.5).any() or (box[2:] > panel[2:] + 0.5).any()
        if unsampled or cut or x0 >= x1 or y0 >= y1 or isinstance(self.get_alpha(), np.ndarray):
            return super().make_image(renderer, magnification, unsampled)
        return self._pixels(x1 - x0, y1 - y0)[::-1], x0 / magnification, y0 / magnification, None

    def _pixels(self, wide: int, high: int) -> np.ndarray:
        """The pixels (y, x, 4) of a place of that size, the upper row first; a picture's are kept."""
        array: Any = self.get_array()
        place = (wide, high, self.get_alpha(), self.get_interpolation())
        if array.ndim == 2:  # noqa: PLR2004
            return self._made(array, wide, high)
        if place not in self._of_shown:
            self._of_shown[place] = self._made(array, wide, high)
        return self._of_shown[place]

    def _made(self, array: Any, wide: int, high: int) -> np.ndarray:  # noqa: ANN401  (masked or not)
        rows, columns, *channels = array.shape
        how = Image.Resampling.BOX if wide < columns or high < rows else Image.Resampling.NEAREST
        if self.get_interpolation() == "bilinear":
            how = Image.Resampling.BILINEAR
        can_be_averaged = array.dtype == np.uint8 if channels else array.dtype.kind == "f"
        if how != Image.Resampling.NEAREST and can_be_averaged and not np.ma.is_masked(array):
            array = _resized(np.asarray(array, np.uint8 if channels else np.float32), wide, high, how)
        pixels = np.asarray(self.to_rgba(array, alpha=self.get_alpha(), bytes=True))
        return pixels if pixels.shape[:2] == (high, wide) else _resized(pixels, wide, high, how)


def _resized(array: np.ndarray, wide: int, high: int, kind: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(array)).resize((wide, high), kind))


def place_of(array: np.ndarray) -> tuple[float, float, float, float]:
    """The extent of an array (y, x, …) that is drawn a cell a unit: for what is to cover it, on a grid of its own."""
    high, wide = array.shape[:2]
    return (-0.5, wide - 0.5, high - 0.5, -0.5)


@contextmanager
def panels(
    rows: int, columns: int, *, aspect: float = 1.0, top: float = 0.0, least: float = 1.0, of: type[Axes] = Panel
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure of rows × columns panels, each `aspect` (height / width) high, to fit a blog's column.

    Args:
        of: What each is; matplotlib's `Axes` where rows and columns have names, which are tick labels.
        top: Inches for the title and what stands over the panels.
        least: Inches that a panel is wide at least, though the figure then outgrow the column.
    """
    wide = min(2.4, max(least, BLOG_COLUMN / columns))

    def make() -> tuple[Figure, np.ndarray]:
        high = max(wide * aspect, _LOWEST) + _GAP
        figure = Figure(figsize=(wide * columns + 0.5, high * rows + top + 0.4), layout="compressed")
        axes = panel_grid(figure, rows, columns, of=of)
        for panel in axes.flat:
            panel.high = wide * aspect
        return figure, axes

    with drawn_on((rows, columns, aspect, top, least, of), make) as (figure, axes):
        yield figure, axes


def panel_grid(figure: FigureBase, rows: int = 1, columns: int = 1, *, of: type[Axes] = Panel) -> np.ndarray:
    """Panels in rows and columns that share a figure, or a part of one; an array (row, column) of them."""
    return figure.subplots(rows, columns, squeeze=False, subplot_kw={"axes_class": of})


def colour_bar(figure: FigureBase, drawn: Cells, beside: Any, label: str, **options: Any) -> None:  # noqa: ANN401  (matplotlib's)
    """The scale of `drawn`, right of the panels `beside`; five numbers at most, for each takes a millisecond.

    A label that is much longer than the bar is set in two lines, and smaller if they are too long as well.
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
    return sum(max(high, _LOWEST) + _GAP for high in rows.values()) - _GAP if len(rows) > 1 else sum(rows.values())


def _beside_bar(label: str, high: float) -> dict[str, Any]:
    """What the label of a bar `high` inches high says, and its size: matplotlib's unless it is half as long again."""
    size = float(rcParams["font.size"])
    if _long(label, size) <= 1.5 * high:
        return {"label": label, "fontsize": size}
    label = _in_two(label)
    return {"label": label, "fontsize": min(size, max(6.0, 1.5 * high / _long(label, 1.0)))}


def _beside(
    bar: Axes,
    around: Callable[..., Bbox | None],
    renderer: Any = None,  # noqa: ANN401  (matplotlib's)
    *,
    for_layout_only: bool = False,
    **options: Any,  # noqa: ANN401
) -> Bbox | None:
    """What a colour bar covers; for the layout, that which lies beside it.

    A number at its very end stands half over it. The layout would make room for that, and panels would move by parts
    of a pixel with every other scale.
    """
    found = around(renderer, for_layout_only=for_layout_only, **options)
    if found is None or not for_layout_only:
        return found
    return Bbox.from_extents(found.x0, bar.bbox.y0, found.x1, bar.bbox.y1)


def row_label(panel: Axes, text: str, *, size: float = 9.0) -> None:
    """Names a row of panels at its left, upright; in two lines where the row is too low for it, or lying."""
    room = 1.1 * (getattr(panel, "high", inf) + _GAP)  # the label of the next row may be shorter
    ways = (
        (text, _UPRIGHT, room),
        (_in_two(text), _UPRIGHT, room),
        (text, _LYING, _SHORT),
        (_in_two(text), _LYING, inf),
    )
    written, way = next((written, way) for written, way, room in ways if _long(written, size) <= room)
    panel.set_ylabel(written, fontsize=size, **way)


def _long(text: str, size: float) -> float:
    """About how long the longest line is, in inches."""
    return max(width(line) for line in text.split("\n")) * size * _LETTER


def _in_two(text: str) -> str:
    """`text` broken at the space nearest its middle; as it is where it has none, or lines already."""
    spaces = [place for place, character in enumerate(text) if character == " "]
    if "\n" in text or not spaces:
        return text
    middle = min(spaces, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"
