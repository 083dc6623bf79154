"""Rows of whole numbers without loss in few bits: each number as its difference from a prediction, in a Rice code.

Rows follow each other as the steps of a run do, so a row resembles the one before it. The prediction of a number is the
number at the same place of the row before, moved by a quarter of what its left and its upper neighbour moved together.
The first row is predicted from a base where one is given, else from half of its two neighbours. A Rice code writes a
difference in about k + 1 bits where 2^k is its usual size, and k follows from the differences around it.
`unpacking.mjs` reads what is written here; both calculate with whole numbers alone.

Source: R. F. Rice, "Some Practical Universal Noiseless Coding Techniques", JPL Publication 79-22 (1979); that k follows
from the neighbours is from LOCO-I (Weinberger, Seroussi and Sapiro, IEEE Transactions on Image Processing 9, 2000).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Integer, UInt64

ESCAPE: Final = 24
"""So many ones say that the 16 bits behind them are the number itself."""

_RAW = 16
_WORD = 64


def coded_rows(
    rows: Integer[np.ndarray, "row entry y x"], bits: int, base: Integer[np.ndarray, "entry y x"] | None = None
) -> Iterator[bytes]:
    """Each row as whole bytes; a row is read after all rows before it.

    Args:
        rows: Numbers from 0 to 2^bits − 1.
        bits: Of a number, at most 16.
        base: What the first row resembles; None where nothing is known of it.
    """
    before = np.zeros(rows.shape[1:], np.int32) if base is None else base.astype(np.int32)
    earlier = None  # the differences of the row before
    for place, row in enumerate(rows.astype(np.int32)):
        change = row - before
        left, up = _neighbours(change)
        moved = (left + up) >> (2 if place or base is not None else 1)
        difference = _folded(change - moved, bits)
        yield _bytes(difference, _widths(difference, earlier))
        before, earlier = row, difference


def _neighbours(plane: Integer[np.ndarray, "entry y x"]) -> tuple[np.ndarray, np.ndarray]:
    """The left and the upper neighbour of each number: at an edge the other one, in the corner 0."""
    left, up = np.zeros_like(plane), np.zeros_like(plane)
    left[..., 1:] = plane[..., :-1]
    up[:, 1:] = plane[:, :-1]
    left[..., 0] = up[..., 0]
    up[:, 0] = left[:, 0]
    return left, up


def _folded(difference: Integer[np.ndarray, "entry y x"], bits: int) -> Integer[np.ndarray, "entry y x"]:
    """Differences modulo 2^bits as numbers from 0, in the order 0, −1, 1, −2, 2."""
    half = 1 << (bits - 1)
    signed = ((difference + half) & (2 * half - 1)) - half
    return (signed << 1) ^ (signed >> 31)


def _widths(
    difference: Integer[np.ndarray, "entry y x"], earlier: Integer[np.ndarray, "entry y x"] | None
) -> Integer[np.ndarray, "entry y x"]:
    """The k of each number: from its neighbours left, above, and above to the right, and the row before."""
    left, up = _neighbours(difference)
    corner = up.copy()
    corner[:, 1:, :-1] = difference[:, :-1, 1:]
    around = (left + up + corner + (left if earlier is None else earlier) + 2) >> 2
    exponents: np.ndarray = np.frexp((around | 1).astype(np.float64))[1]
    return exponents - 1  # the place of the highest bit


def _bytes(numbers: Integer[np.ndarray, "entry y x"], widths: Integer[np.ndarray, "entry y x"]) -> bytes:
    """The Rice codes of a row, the highest bit first: ones, a zero, and k bits."""
    value, width = numbers.ravel().astype(np.uint64), widths.ravel().astype(np.uint64)
    one = np.uint64(1)
    ones = value >> width
    long = ones >= ESCAPE
    ones[long], width[long] = ESCAPE, _RAW
    length = ones + width + np.where(long, np.uint64(0), one)
    low = value & ((one << width) - one)
    code = (((one << ones) - one) << (length - ones)) | low
    return _joined(code, length.astype(np.int64))


def _joined(code: UInt64[np.ndarray, " n"], length: Integer[np.ndarray, " n"]) -> bytes:
    """Codes of at most 40 bits one after the other, the last byte filled up with zeros."""
    end = np.cumsum(length)
    word, offset = np.divmod(end - length, _WORD)
    words = np.zeros(int(end[-1]) // _WORD + 2, np.uint64)
    over = offset + length - _WORD  # bits that belong to the next word
    here = np.where(
        over > 0, code >> np.maximum(over, 0).astype(np.uint64), code << np.maximum(-over, 0).astype(np.uint64)
    )
    first = np.flatnonzero(np.diff(word, prepend=-1))
    words[word[first]] = np.bitwise_or.reduceat(here, first)
    split = over > 0
    words[word[split] + 1] |= code[split] << (_WORD - over[split]).astype(np.uint64)
    return words.astype(">u8").tobytes()[: (int(end[-1]) + 7) // 8]
