"""Maps of different sizes brought to one grid."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float


def resized(values: Float[np.ndarray, "*more y x"], shape: tuple[int, int]) -> Float[np.ndarray, "*more Y X"]:
    """`values` on a grid of `shape` (y, x), bilinear between pixel centres.

    As torch's F.interpolate(mode="bilinear", align_corners=False), and like it without antialiasing when
    shrinking.
    """
    if values.shape[-2:] == shape:
        return values
    rows, columns = (_weights(old, new) for old, new in zip(values.shape[-2:], shape, strict=True))
    return np.asarray(rows @ values @ columns.T, dtype=values.dtype)


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
