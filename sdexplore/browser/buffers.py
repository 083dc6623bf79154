"""One buffer that holds arrays and pictures one after the other; a reference in JSON says where each one is."""

from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int8, Integer, UInt8

from .picture_files import File
from .row_coding import coded_rows

Bits: TypeAlias = Literal[8, 16]
Reference: TypeAlias = dict[str, Any]


class Buffer:
    """Collects arrays and pictures.

    Each method returns a reference: where the content begins, its shape, and how its levels are read. Means come first
    in the buffer: with them a reader shows something before it has the rest. The rows of an array are packed from the
    last to the first, since a reader begins at the last step; `lengths` are their bytes, in that order.
    """

    def __init__(self) -> None:
        self._first, self._later = bytearray(), bytearray()
        self._references: list[Reference] = []  # those into what comes later

    def finished(self) -> tuple[bytes, int]:
        """Everything that was added, and how many of the bytes come first. Call it once, after everything is added."""
        for reference in self._references:
            reference["at"] += len(self._first)
        return bytes(self._first + self._later), len(self._first)

    def _added(self, content: bytes, reference: Reference) -> Reference:
        reference = {"at": len(self._later), **reference}
        self._later += content
        self._references.append(reference)
        return reference

    def levels(
        self, values: Float[np.ndarray, "row entry y x"], mean: Float[np.ndarray, "1 entry y x"], bits: Bits
    ) -> tuple[Reference, Reference]:
        """Adds non-negative values and their mean as whole levels: value = level × the scale of its entry.

        The scale puts the entry's largest value at the last level, so that no value is off by more than half a scale.
        Values that are not finite become 0; `lost` counts them. The mean has 16 bits.
        """
        means, about_mean = _levels(mean, 16)
        levels, about_values = _levels(values, bits)
        scales, of_mean = np.array(about_values["scales"]), np.array(about_mean["scales"])
        ratio = np.divide(of_mean, scales, out=np.zeros_like(scales), where=scales > 0)
        base = np.minimum(np.floor(means[0] * ratio[:, None, None] + 0.5), 2**bits - 1).astype(np.int32)
        coded, rows = _rows(means, 16)
        first = {"at": len(self._first), **rows, **about_mean}
        self._first += coded
        coded, rows = _rows(levels, bits, base)
        return self._added(coded, rows | about_values), first

    def numbers(self, values: Int8[np.ndarray, "..."], **facts: object) -> Reference:
        """Adds whole numbers as they are, one behind the other; the reference holds these facts too."""
        content = values.tobytes()
        return self._added(content, {"length": len(content), **facts})

    def colours(self, pixels: UInt8[np.ndarray, "row y x 3"]) -> Reference:
        """Adds small pictures without loss, as (row, colour, y, x)."""
        return self._added(*_rows(np.moveaxis(pixels, -1, 1), 8))

    def picture(self, file: File) -> Reference:
        """Adds a picture's file; `error` is its root mean square error, of 255."""
        return self._added(file.content, {"type": file.kind, "length": len(file.content), "error": file.error})


def _rows(
    levels: Integer[np.ndarray, "row entry y x"], bits: Bits, base: Integer[np.ndarray, "entry y x"] | None = None
) -> tuple[bytes, Reference]:
    rows = list(coded_rows(levels[::-1], bits, base))
    return b"".join(rows), {"lengths": [*map(len, rows)], "bits": bits, "shape": [*levels.shape]}


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
