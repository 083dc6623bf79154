"""One buffer that holds arrays and pictures one after the other; a reference in JSON says where each one is."""

from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Integer, UInt8

from .picture_files import File
from .row_coding import coded_rows

Bits: TypeAlias = Literal[8, 16]
Reference: TypeAlias = dict[str, Any]


class Buffer:
    """Collects arrays and pictures.

    Each method returns a reference: where the content begins, its shape, and how its levels are read. The rows of an
    array are packed from the last to the first, since a reader begins at the last step; `lengths` are their bytes, in
    that order.
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
        self._parts.append(content)
        self._length += len(content)
        return at

    def _rows(
        self,
        levels: Integer[np.ndarray, "row entry y x"],
        bits: Bits,
        base: Integer[np.ndarray, "entry y x"] | None = None,
    ) -> Reference:
        rows = list(coded_rows(levels[::-1], bits, base))
        return {"at": self._add(b"".join(rows)), "lengths": [*map(len, rows)], "bits": bits, "shape": [*levels.shape]}

    def levels(
        self, values: Float[np.ndarray, "row entry y x"], mean: Float[np.ndarray, "1 entry y x"], bits: Bits
    ) -> tuple[Reference, Reference]:
        """Adds non-negative values and their mean as whole levels: value = level × the scale of its entry.

        The scale puts the entry's largest value at the last level, so that no value is off by more than half a scale.
        Values that are not finite become 0; `lost` counts them. The mean has 16 bits.
        """
        means, of_mean = _levels(mean, 16)
        levels, of_values = _levels(values, bits)
        scales, wide = np.array(of_values["scales"]), np.array(of_mean["scales"])
        ratio = np.divide(wide, scales, out=np.zeros_like(scales), where=scales > 0)
        base = np.minimum(np.floor(means[0] * ratio[:, None, None] + 0.5), 2**bits - 1).astype(np.int32)
        second = self._rows(means, 16) | of_mean
        return self._rows(levels, bits, base) | of_values, second

    def colours(self, pixels: UInt8[np.ndarray, "row y x 3"]) -> Reference:
        """Adds small pictures without loss, as (row, colour, y, x)."""
        return self._rows(np.moveaxis(pixels, -1, 1), 8)

    def picture(self, file: File) -> Reference:
        """Adds a picture's file; `error` is its root mean square error, of 255."""
        return {"at": self._add(file.content), "type": file.kind, "length": len(file.content), "error": file.error}


def _levels(values: Float[np.ndarray, "row entry y x"], bits: Bits) -> tuple[np.ndarray, Reference]:
    finite = np.isfinite(values)
    lost = int(values.size - np.count_nonzero(finite))
    clean = np.where(finite, values, 0) if lost else values
    last = 2**bits - 1
    scales = clean.max(axis=(0, 2, 3), initial=0.0).astype(np.float64) / last
    inverse = np.divide(1.0, scales, out=np.zeros_like(scales), where=scales > 0).astype(np.float32)
    steps = clean * inverse[:, None, None]
    np.rint(steps, out=steps)
    levels = np.minimum(steps, last, out=steps).astype(np.int32)
    return levels, {"scales": scales.tolist(), "lost": lost}
