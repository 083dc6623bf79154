"""The U-Net of 2015, level by level: what a UNet of today is compared with."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Level2015:
    """One level of the U-Net of 2015; sides of the square grid before and after its two unpadded convolutions.

    Attributes:
        channels: After its convolutions.
        down: (before, after) on the contracting path.
        up: (before, after) on the expanding path; None at the bottom.
        cropped_from: The skip's side before it is cropped to the first of `up`; None at the bottom.
    """

    channels: int
    down: tuple[int, int]
    up: tuple[int, int] | None
    cropped_from: int | None


def unet_2015(side: int = 572, channels: int = 64, depth: int = 5) -> Iterator[Level2015]:
    """The U-Net of 2015, level by level.

    Down: two 3 × 3 convolutions without padding, ReLU, 2 × 2 max pooling, twice the channels. Up: 2 × 2
    up-convolutions that halve the channels, onto which the cropped skip is concatenated, and two convolutions again.

    Source: Ronneberger, Fischer & Brox 2015, Figure 1 (572 × 572 in, 388 × 388 out, 64 to 1024 channels).
    """
    lost = 4  # two convolutions of 3 × 3, two pixels each
    downs = [side]
    for _ in range(depth - 1):
        downs.append((downs[-1] - lost) // 2)
    ups: list[int | None] = [None]
    below = downs[-1] - lost
    for _ in range(depth - 1):
        ups.append(2 * below)
        below = 2 * below - lost
    for level, (down, up) in enumerate(zip(downs, reversed(ups), strict=True)):
        yield Level2015(
            channels=channels * 2**level,
            down=(down, down - lost),
            up=None if up is None else (up, up - lost),
            cropped_from=None if up is None else down - lost,
        )
