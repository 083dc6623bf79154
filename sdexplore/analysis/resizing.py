"""Maps of different sizes brought to one grid, and numbers to one precision."""

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

Kind = Literal["bilinear", "bicubic"]

_CUBIC = -0.75  # the free parameter of Keys's kernel, as torch and OpenCV choose it


def resized(
    values: Float[np.ndarray, "*more y x"], shape: tuple[int, int], *, kind: Kind = "bilinear"
) -> Float[np.ndarray, "*more Y X"]:
    """`values` on a grid of `shape` (y, x), interpolated between pixel centres.

    As torch's F.interpolate(mode=kind, align_corners=False), and like it without antialiasing when
    shrinking. Bicubic overshoots: positive values may become negative.
    """
    if values.shape[-2:] == shape:
        return values
    weights = _weights if kind == "bilinear" else _cubic_weights
    rows, columns = (weights(old, new) for old, new in zip(values.shape[-2:], shape, strict=True))
    return np.asarray(rows @ values @ columns.T, dtype=values.dtype)


_OF_FLOAT16 = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)


def as_float32(numbers: Float[np.ndarray, "*any"]) -> Float32[np.ndarray, "*any"]:
    """A plain array as its `astype(np.float32)`; float16 by a table of all its numbers, in two thirds of the time."""
    if numbers.dtype != np.float16:
        return numbers.astype(np.float32)
    return _OF_FLOAT16.take(numbers.view(np.uint16))


@lru_cache(maxsize=64)
def areas(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """Weights that average a line of `old` cells over each of `new` cells: which share of it each covers."""
    edges, cells = np.arange(new + 1) * (old / new), np.arange(old)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights = np.asarray(np.clip(overlap, 0, None) / (old / new), np.float32)
    weights.flags.writeable = False  # shared by every caller
    return weights


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> Float[np.ndarray, "new old"]:
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, None)
    low = np.minimum(centres.astype(int), old - 1)
    high = np.minimum(low + 1, old - 1)
    share = centres - low
    weights = np.zeros((new, old), np.float32)
    np.add.at(weights, (np.arange(new), low), 1 - share)
    np.add.at(weights, (np.arange(new), high), share)
    weights.flags.writeable = False  # shared by every caller
    return weights


@lru_cache(maxsize=64)
def _cubic_weights(old: int, new: int) -> Float[np.ndarray, "new old"]:
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    low = np.floor(centres).astype(int)
    weights = np.zeros((new, old), np.float64)
    for tap in range(-1, 3):
        distance = np.abs(centres - (low + tap))
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
        far = ((distance - 5) * distance + 8) * distance * _CUBIC - 4 * _CUBIC
        np.add.at(weights, (np.arange(new), np.clip(low + tap, 0, old - 1)), np.where(distance <= 1, near, far))
    weights = weights.astype(np.float32)
    weights.flags.writeable = False  # shared by every caller
    return weights
