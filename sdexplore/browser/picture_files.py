"""The file of a picture for the browser: without loss, or small with its error beside it; quick, or with few bytes."""

import io
import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8

from ..base.png import KEPT, png

_JPEG: Final = {"quality": 92, "subsampling": 0}
_AVIF: Final = {
    "subsampling": "4:4:4",
    "speed": 8,  # 6 takes three times as long for 4 % fewer bytes
    "codec": "aom",  # the options below are its own
    "advanced": {"tune": "ssim"},  # "iq", which it has by default, is further off at the same number of bytes
    "max_threads": 1,  # one picture a thread; and its bytes depend on no machine
}
_FIRST, _LEAST, _MOST = 78, 40, 97  # qualities of an AVIF: the first that is tried, and the ends
_FALL = 0.027  # by which the logarithm of the error falls with each quality; measured, 0.01 to 0.04
_NEAR = 0.95  # of the JPEG's error: no more bytes are worth another try
_TRIES = 4


@dataclass(frozen=True)
class File:
    """A picture's file.

    Attributes:
        content: The bytes.
        kind: Its media type, as "image/webp".
        error: Root mean square of what its pixels are off, of 255; 0 without loss.
    """

    content: bytes
    kind: str
    error: float = 0.0


def exact(pixels: UInt8[np.ndarray, "Y X 3"], *, smallest: bool) -> File:
    """A PNG; with `smallest`, a WebP without loss, which is a third smaller and takes longer."""
    if not smallest:
        return File(png(pixels, KEPT), "image/png")
    return File(_written(pixels, "WEBP", lossless=True, quality=80, method=4), "image/webp")


def small(pixels: UInt8[np.ndarray, "Y X 3"], *, smallest: bool) -> File:
    """A JPEG of quality 92 with all its colours; with `smallest`, an AVIF that is off by no more and takes longer.

    Where this Pillow writes no AVIF with libaom, or where it would be larger, it is the JPEG.
    """
    best = found = _measured(pixels, "JPEG", _JPEG)
    if not smallest or not found.error or not _writes_avif():
        return found
    quality, tried = _FIRST, dict[int, float]()
    while quality not in tried and len(tried) < _TRIES:
        other = _measured(pixels, "AVIF", {**_AVIF, "quality": quality})
        tried[quality] = other.error
        if other.error <= found.error and len(other.content) < len(best.content):
            best = other
            if other.error >= _NEAR * found.error:
                break
        quality = _next_quality(tried, found.error)
    return best


def all_small(pictures: Mapping[str, UInt8[np.ndarray, "Y X 3"]], *, smallest: bool) -> dict[str, File]:
    """`small` of several pictures, on all cores: encoders hold no lock of Python's."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(pictures, pool.map(partial(small, smallest=smallest), pictures.values()), strict=True))


def _next_quality(tried: Mapping[int, float], wanted: float) -> int:
    """The quality at which the error should be a little below `wanted`, from those that were tried."""
    quality, error = min(tried.items(), key=lambda one: abs(math.log(max(one[1], 1e-3) / wanted)))
    fall = _FALL
    if len(tried) > 1:
        (low, more), *_, (high, less) = sorted(tried.items())
        fall = max(0.005, math.log(max(more, 1e-3) / max(less, 1e-3)) / (high - low))
    distance = math.log(max(error, 1e-3) / (0.985 * wanted)) / fall
    found = quality + (math.ceil(distance) if distance > 0 else math.floor(distance) + 1)
    least = max((one + 1 for one, off in tried.items() if off > wanted), default=_LEAST)
    return min(_MOST, max(least, found))


@cache
def _writes_avif() -> bool:
    """Whether this Pillow writes an AVIF as we want it: it may have been built without, or with another encoder."""
    try:
        _written(np.zeros((8, 8, 3), np.uint8), "AVIF", quality=_FIRST, **_AVIF)
    except (KeyError, OSError, ValueError):  # of Pillow: no such format; no such encoder; no such option
        return False
    return True


def _measured(pixels: UInt8[np.ndarray, "Y X 3"], kind: str, options: dict[str, Any]) -> File:
    from PIL import Image

    content = _written(pixels, kind, **options)
    with Image.open(io.BytesIO(content)) as read:
        difference = np.asarray(read.convert("RGB"), np.float32) - pixels
    return File(content, f"image/{kind.lower()}", float(np.sqrt(np.mean(difference**2))))


def _written(pixels: UInt8[np.ndarray, "Y X 3"], kind: str, **options: Any) -> bytes:  # noqa: ANN401  (Pillow's)
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()
