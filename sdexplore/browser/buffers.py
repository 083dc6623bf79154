"""One buffer that holds arrays and pictures one after the other; a reference in JSON says where each one is."""

import io
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from ..base.png import KEPT, png

Bits: TypeAlias = Literal[8, 16]
Reference: TypeAlias = dict[str, Any]
_ALIGNED = 8
_JPEG_QUALITY = 92


class Buffer:
    """Collects arrays and pictures.

    Each method returns a reference: where the content begins, its type, its shape, and how its levels are read.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def content(self) -> bytes:
        """Everything that was added."""
        return b"".join(self._parts)

    def _add(self, content: bytes) -> int:
        at = self._length
        padding = -len(content) % _ALIGNED
        self._parts += [content, b"\0" * padding]
        self._length += len(content) + padding
        return at

    def levels(self, values: Float[np.ndarray, "row entry y x"], bits: Bits) -> Reference:
        """Adds non-negative values as whole levels: value = level × the scale of its entry.

        The scale puts the entry's largest value at the last level, so that no value is off by more than half a scale.
        Values that are not finite become 0; `lost` counts them.
        """
        finite = np.isfinite(values)
        lost = int(values.size - np.count_nonzero(finite))
        clean = np.where(finite, values, 0) if lost else values
        last = 2**bits - 1
        scales = clean.max(axis=(0, 2, 3), initial=0.0).astype(np.float64) / last
        inverse = np.divide(1.0, scales, out=np.zeros_like(scales), where=scales > 0).astype(np.float32)
        steps = clean * inverse[:, None, None]
        np.rint(steps, out=steps)
        levels = np.minimum(steps, last, out=steps).astype(f"<u{bits // 8}")
        return {
            "at": self._add(levels.tobytes()),
            "type": f"uint{bits}",
            "shape": list(levels.shape),
            "scales": scales.tolist(),
            "lost": lost,
        }

    def colours(self, pixels: UInt8[np.ndarray, "row y x 3"]) -> Reference:
        """Adds small pictures without compression."""
        return {"at": self._add(np.ascontiguousarray(pixels).tobytes()), "type": "uint8", "shape": list(pixels.shape)}

    def picture(self, pixels: UInt8[np.ndarray, "Y X 3"], *, lossless: bool) -> Reference:
        """Adds a picture: as a PNG if `lossless`, else as a JPEG of quality 92."""
        content = png(pixels, KEPT) if lossless else _jpeg(pixels)
        kind = "image/png" if lossless else "image/jpeg"
        return {"at": self._add(content), "type": kind, "length": len(content)}


def _jpeg(pixels: UInt8[np.ndarray, "Y X 3"]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()
