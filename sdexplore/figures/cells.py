"""An array drawn cell by cell, as maps and pictures are."""

from math import floor
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox
from PIL import Image

from ..theory import GREY


class Cells(AxesImage):
    """An array drawn cell by cell; where cells are smaller than pixels, a pixel has the mean of those that lie in it.

    matplotlib's "nearest" shows one of them alone and takes ten times as long. Quantities (floats) are
    averaged before they get their colour, labels (integers) and pictures after. NaN and Inf are grey.
    """

    way: tuple[Any, ...] = ()
    _shown: np.ndarray | None = None
    _of_shown: dict[tuple[Any, ...], np.ndarray]
    _lost: np.ndarray | None = None  # which cells hold NaN or Inf; None where none does

    def show(self, array: np.ndarray, norm: Normalize) -> None:
        """Takes the array and the limits of `norm`, by default the array's least and largest value."""
        if array is not self._shown or array.flags.writeable:
            self.set_data(array)
            self._lost = _not_finite(array)
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
        if self._lost is not None and pixels.shape[:2] == self._lost.shape:
            pixels = np.where(self._lost[..., None], np.array((GREY, GREY, GREY, 255), np.uint8), pixels)
        return pixels if pixels.shape[:2] == (high, wide) else _resized(pixels, wide, high, how)


def _not_finite(array: np.ndarray) -> np.ndarray | None:
    """Which cells of quantities hold NaN or Inf; None where none does. What is masked was hidden on purpose."""
    if array.ndim != 2 or array.dtype.kind != "f":  # noqa: PLR2004  (a picture has its colours)
        return None
    lost = ~np.isfinite(np.ma.getdata(array)) & ~np.ma.getmaskarray(array)
    return lost if lost.any() else None


def _resized(array: np.ndarray, wide: int, high: int, kind: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(array)).resize((wide, high), kind))


def place_of(array: np.ndarray) -> tuple[float, float, float, float]:
    """The extent of an array (y, x, …) that is drawn a cell a unit: for what is to cover it, on a grid of its own."""
    high, wide = array.shape[:2]
    return (-0.5, wide - 0.5, high - 0.5, -0.5)
