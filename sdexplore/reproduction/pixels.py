"""Two files of one picture compared: how many pixels differ, and by how much."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageSequence

from ..base.display import clip

ROUNDING: Final = 2  # of 255, by which a channel may differ for a verdict of "rounding"
ROUNDED: Final = 0.01  # of all values may differ then


@dataclass(frozen=True)
class PixelDifference:
    """How two pictures of one size differ, over all frames of an animation.

    Attributes:
        pixels: Share of the pixels with a channel that differs, 0 to 1.
        values: Share of the channels' values that differ, 0 to 1.
        largest: The largest difference of a channel, of 255.
    """

    pixels: float
    values: float
    largest: int

    @property
    def rounding(self) -> bool:
        """Whether no channel differs by more than 2 of 255, and at most 1 % of the values differ."""
        return self.largest <= ROUNDING and self.values <= ROUNDED

    def __str__(self) -> str:
        return (
            f"{self.pixels:.2%} of the pixels differ, by {self.largest} of 255 at most; "
            f"that is {self.values:.2%} of the values"
        )


def compared(one: bytes, other: bytes) -> PixelDifference | str:
    """How two files of a picture differ; in words, where their pixels cannot be compared."""
    try:
        return _compared(one, other)
    except (OSError, ValueError) as error:
        return f"one of them cannot be opened: {clip(str(error))}"


def _compared(one: bytes, other: bytes) -> PixelDifference | str:
    pixels, values, all_pixels, all_values, largest = 0, 0, 0, 0, 0
    for a, b in zip_longest(_frames(one), _frames(other)):
        if a is None or b is None:
            return "one has more frames than the other"
        if a.shape != b.shape:
            return f"{a.shape[1]} × {a.shape[0]} pixels against {b.shape[1]} × {b.shape[0]}"
        apart = np.maximum(a, b) - np.minimum(a, b)
        channels = 4 if min(a[..., 3].min(), b[..., 3].min()) < np.iinfo(np.uint8).max else 3
        pixels += int(apart.any(axis=-1).sum())
        values += int((apart > 0).sum())
        all_pixels += a.shape[0] * a.shape[1]
        all_values += a.shape[0] * a.shape[1] * channels
        largest = max(largest, int(apart.max()))
    return PixelDifference(pixels / all_pixels, values / all_values, largest)


def _frames(content: bytes) -> Iterator[UInt8[np.ndarray, "Y X 4"]]:
    """Every frame of a picture's file, in red, green, blue and opacity."""
    with Image.open(io.BytesIO(content)) as image:
        frames: Any = ImageSequence.Iterator(image)
        for frame in frames:
            yield np.asarray(frame.convert("RGBA"))
