"""Cases of what is packed for the browser: rows of whole numbers, bytes as text, and values with the error allowed.

They are part of the table of `formula_cases`, so that the readers in Python and in JavaScript read the same bytes.
"""

import base64
import json
from pathlib import Path

import numpy as np

from sdexplore.browser.buffers import Buffer
from sdexplore.browser.printable import printable
from sdexplore.browser.row_coding import coded_rows

ATTENTION = Path(__file__).parents[1] / "browser" / "cases" / "attention.json"


def rows():
    """Name -> (numbers, bits, base): what is smooth, what is not, both ends of the range, and the smallest shapes."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(-3, 4, (4, 2, 5, 7)), axis=-1) + 300
    ends = rng.integers(0, 2, (3, 2, 4, 5))
    return {
        "noise of 16 bits": (rng.integers(0, 65536, (3, 2, 4, 5)), 16, None),
        "noise of 8 bits": (rng.integers(0, 256, (3, 3, 4, 5)), 8, None),
        "smooth": (smooth, 16, smooth.mean(axis=0).astype(int)),
        "flat, then a peak": (np.where(np.arange(140).reshape(2, 2, 5, 7) == 73, 65535, 0), 16, None),
        "ends of 16 bits": (ends * 65535, 16, ends[0] * 65535),
        "ends of 8 bits": (ends * 255, 8, None),
        "one row": (rng.integers(0, 9, (1, 1, 3, 1)), 16, None),
        "one number": (rng.integers(0, 65536, (2, 1, 1, 1)), 16, np.array([[[7]]])),
        "one line": (rng.integers(0, 99, (2, 1, 1, 6)), 8, None),
        "no row": (np.zeros((0, 2, 3, 4), int), 16, None),
    }


def values():
    """Name -> (values, mean, bits), as (row, entry, y, x): of the embedded model, random, and rare ones."""
    found = json.loads(ATTENTION.read_text(encoding="utf-8"))
    real = np.array(found["values"], np.float32).reshape(found["shape"])
    wild = np.random.default_rng(1).random((4, 3, 5, 6), np.float32) ** 8
    sparse = np.where(wild > 0.5, wild, 0)
    sparse[:, 1] = 0  # an entry without any attention
    tiny = wild * np.float32(1e-30)
    cases = {"of the embedded model": real, "random": wild, "sparse": sparse, "tiny": tiny, "one row": wild[:1]}
    return {
        f"{name}, {bits} bits": (made, made.mean(axis=0, keepdims=True), bits)
        for name, made in cases.items()
        for bits in (8, 16)
    }


def packed_rows(numbers, bits, base):
    """A reference and its data, without a mean."""
    coded = list(coded_rows(numbers[::-1], bits, base))
    reference = {"at": 0, "lengths": [*map(len, coded)], "bits": bits, "shape": list(numbers.shape)}
    return reference, b"".join(coded)


def packed_values(given, mean, bits):
    """The references of values and of their mean, and the data behind some bytes of others."""
    buffer = Buffer()
    buffer.colours(np.zeros((1, 1, 3, 3), np.uint8))
    references = buffer.levels(given, mean, bits)
    data, first = buffer.finished()
    assert references[1]["at"] == 0
    assert references[0]["at"] > first
    return *references, data


def packing_cases():
    """The cases as JSON has them, what was packed first."""
    return {
        "printable": [
            {"data": in_base64(content), "text": printable(content)}
            for content in (b"", b"\0", b"\xff\xff", bytes(range(256)), b"\0\xff" * 20)
        ],
        "rows": {
            name: {
                "numbers": numbers.ravel().tolist(),
                "base": None if base is None else base.ravel().tolist(),
                "reference": reference,
                "data": in_base64(data),
            }
            for name, (numbers, bits, base) in rows().items()
            for reference, data in [packed_rows(numbers, bits, base)]
        },
        "values": {
            name: {
                "values": shortest(given),
                "means": shortest(mean),
                "reference": of_values,
                "mean": of_mean,
                "data": in_base64(data),
            }
            for name, (given, mean, bits) in values().items()
            for of_values, of_mean, data in [packed_values(given, mean, bits)]
        },
    }


def shortest(numbers):
    """Numbers of 32 bits with the fewest digits that say which they are."""
    return [float(str(number)) for number in numbers.astype(np.float32).ravel()]


def in_base64(content):
    """Bytes inside JSON."""
    return base64.b64encode(content).decode("ascii")
