"""The backgrounds of the emoji world: plain colours and twelve painted places."""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Num, UInt8
from PIL import Image, ImageDraw

from sdexplore.base.errors import SdexploreError, did_you_mean
from sdexplore.mini.world.vocabulary import BACKGROUNDS, COLORS

SIZE = 256
"""Height and width of every picture, in pixels."""

Pixels: TypeAlias = int | float
"""A distance or a coordinate, in pixels."""

Rgb: TypeAlias = tuple[int, ...]

# Colours at the picture's top and bottom.
_AIR: Mapping[str, tuple[Rgb, Rgb]] = MappingProxyType(
    {
        "space": ((8, 8, 24), (20, 12, 45)),
        "night": ((18, 24, 70), (45, 60, 130)),
        "sky": ((80, 160, 235), (175, 220, 250)),
        "sea": ((30, 130, 200), (5, 45, 110)),
        "sunset": ((90, 50, 130), (250, 150, 70)),
    }
)
# Colours of the sky, which fades towards the horizon, and of the ground below.
_LAND: Mapping[str, tuple[Rgb, Rgb]] = MappingProxyType(
    {
        "grass": ((140, 200, 245), (95, 175, 70)),
        "beach": ((60, 150, 215), (240, 215, 160)),
        "desert": ((250, 225, 180), (225, 170, 95)),
        "snow": ((195, 215, 235), (245, 248, 252)),
        "mars": ((235, 165, 115), (175, 75, 45)),
        "forest": ((70, 120, 80), (60, 95, 45)),
        "city": ((190, 205, 220), (110, 110, 118)),
    }
)
_HAZE = 255 * 0.4 * np.array([0.95, 0.97, 1.0])


def background(kind: str, rng: random.Random) -> UInt8[np.ndarray, "256 256 3"]:
    """Draws one background: RGB, y before x.

    Args:
        kind: One of BACKGROUNDS.
        rng: Draws its shade, its horizon and its details.

    Raises:
        SdexploreError: No background has this name.
    """
    if kind not in BACKGROUNDS:
        raise SdexploreError(f"no background {kind!r}; {did_you_mean(kind, BACKGROUNDS)}")
    if kind in COLORS:
        shade = np.array(_near(COLORS[kind], rng, 8), np.uint8)
        return np.broadcast_to(shade, (SIZE, SIZE, 3)).copy()
    horizon = rng.randint(120, 190)
    if kind in _AIR:
        top, bottom = _AIR[kind]
        painted = _gradient(np.array(_near(top, rng)), np.array(_near(bottom, rng)))
    else:
        sky, ground = _LAND[kind]
        haze = (np.array(_near(sky, rng)), np.array(_near(sky, rng)) * 0.6 + _HAZE)
        painted = _gradient(*haze, 0, horizon)
        near, far = np.array(_near(ground, rng)) * 1.0, np.array(_near(ground, rng)) * 0.85
        painted[horizon:] = _gradient(near, far, horizon, SIZE)[horizon:]
    picture = Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8))
    if kind in _DETAILS:
        _DETAILS[kind](ImageDraw.Draw(picture), rng, horizon)
    return np.asarray(picture)


def _near(color: Rgb, rng: random.Random, spread: int = 12) -> Rgb:
    return tuple(max(0, min(255, value + rng.randint(-spread, spread))) for value in color)


def _gradient(
    top: Num[np.ndarray, "3"], bottom: Num[np.ndarray, "3"], start: int = 0, end: int = SIZE
) -> Float32[np.ndarray, "256 256 3"]:
    share = np.clip((np.arange(SIZE) - start) / max(1, end - start), 0, 1)[:, None]
    column = top.astype(np.float32) * (1 - share) + bottom.astype(np.float32) * share
    return np.repeat(column[:, None].astype(np.float32), SIZE, axis=1)


def _point(rng: random.Random) -> tuple[int, int]:
    return rng.randint(0, SIZE), rng.randint(0, SIZE)


def _disc(x: Pixels, y: Pixels, width: Pixels, height: Pixels) -> tuple[Pixels, ...]:
    return x - width, y - height, x + width, y + height


def _stars(draw: ImageDraw.ImageDraw, rng: random.Random, _: int) -> None:
    for _star in range(rng.randint(25, 50)):
        x, y = _point(rng)
        radius = rng.choice([1, 1, 2])
        light = rng.randint(170, 255)
        draw.ellipse(_disc(x, y, radius, radius), fill=(light, light, rng.randint(180, 255)))


def _clouds(draw: ImageDraw.ImageDraw, rng: random.Random, lowest: int) -> None:
    for _cloud in range(rng.randint(2, 4)):
        x, y = rng.randint(0, SIZE), rng.randint(10, lowest)
        for _puff in range(4):
            dx, dy, radius = rng.randint(-24, 24), rng.randint(-6, 6), rng.randint(9, 17)
            puff = _disc(x + dx, y + dy, radius * 1.4, radius * 0.8)
            draw.ellipse(puff, fill=(250, 252, 255))


def _clouds_anywhere(draw: ImageDraw.ImageDraw, rng: random.Random, _: int) -> None:
    _clouds(draw, rng, SIZE - 30)


def _clouds_above(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    _clouds(draw, rng, horizon - 40)


def _trunks(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    for _trunk in range(rng.randint(6, 9)):
        x, width = rng.randint(0, SIZE), rng.randint(7, 14)
        trunk = (x, 0, x + width, horizon + rng.randint(-8, 8))
        draw.rectangle(trunk, fill=_near((75, 55, 35), rng))


def _houses(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    x = -5
    while x < SIZE:
        width, height = rng.randint(22, 44), rng.randint(40, 110)
        house = (x, horizon - height, x + width, horizon)
        draw.rectangle(house, fill=_near((120, 128, 145), rng, 18))
        x += width + rng.randint(0, 5)


def _bubbles(draw: ImageDraw.ImageDraw, rng: random.Random, _: int) -> None:
    for _bubble in range(rng.randint(8, 16)):
        x, y = _point(rng)
        radius = rng.randint(2, 5)
        draw.ellipse(_disc(x, y, radius, radius), outline=(190, 225, 245))


def _flakes(draw: ImageDraw.ImageDraw, rng: random.Random, _: int) -> None:
    for _flake in range(rng.randint(25, 45)):
        draw.ellipse(_disc(*_point(rng), 2, 2), fill=(255, 255, 255))


def _craters(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    for _crater in range(rng.randint(3, 6)):
        x, y, radius = rng.randint(0, SIZE), rng.randint(horizon + 10, SIZE), rng.randint(7, 18)
        draw.ellipse(_disc(x, y, radius, radius * 0.4), fill=_near((140, 58, 38), rng, 6))


def _water(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    draw.rectangle((0, horizon - 45, SIZE, horizon), fill=_near((35, 120, 190), rng, 8))


def _dunes(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: int) -> None:
    for _dune in range(2):
        x, radius = rng.randint(0, SIZE), rng.randint(60, 110)
        dune = (x - radius, horizon - radius * 0.28, x + radius, horizon + radius * 0.3)
        draw.ellipse(dune, fill=_near((228, 178, 105), rng, 6))


_Detail: TypeAlias = Callable[[ImageDraw.ImageDraw, random.Random, int], None]
_DETAILS: Mapping[str, _Detail] = MappingProxyType(
    {
        "space": _stars,
        "night": _stars,
        "sky": _clouds_anywhere,
        "grass": _clouds_above,
        "forest": _trunks,
        "city": _houses,
        "sea": _bubbles,
        "snow": _flakes,
        "mars": _craters,
        "beach": _water,
        "desert": _dunes,
    }
)
