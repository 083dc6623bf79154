"""The file of a picture for the browser: without loss, or small with its error beside it; quick, or with few bytes."""

import io
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8

from ..base.png import KEPT, png

_JPEG: Final = {"quality": 92, "subsampling": 0}
_AVIF: Final = {"subsampling": "4:4:4", "speed": 6}
_QUALITIES = (90, 93, 96)


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

    Where this Pillow writes no AVIF, or where it would be larger, it is the JPEG.
    """
    found = _measured(pixels, "JPEG", _JPEG)
    if not smallest or not _writes_avif():
        return found
    for quality in _QUALITIES:
        other = _measured(pixels, "AVIF", {**_AVIF, "quality": quality})
        if len(other.content) >= len(found.content):
            return found
        if other.error <= found.error:
            return other
    return found


@cache
def _writes_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


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
