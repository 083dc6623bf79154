"""The atlas: one tile for every glyph and shape, drawn from Noto Color Emoji.

The package holds the tiles, so scenes need no font. `draw_atlas` draws the tiles again.
"""

import functools
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from sdexplore.base.errors import LoadError
from sdexplore.mini.world.vocabulary import GLYPHS, SHAPES

ATLAS = Path(__file__).parent / "atlas.npz"
TILE = 128
_GLYPH_SIZE = 109  # the one size of Noto Color Emoji's bitmaps
_WIDEST_GLYPH = 150  # pixels; a wider one is two glyphs side by side, since the font does not know the sequence
_SHAPE_SIZE = 512
_FULL = 255

Atlas: TypeAlias = UInt8[np.ndarray, "sprite 128 128 4"]
"""RGBA tiles, not premultiplied, y before x."""


@functools.cache
def load_atlas() -> Atlas:
    """Returns the tiles of NAMES, then of SHAPES: RGBA, not premultiplied, read-only. Shapes are white."""
    with np.load(ATLAS) as file:
        tiles: np.ndarray = file["atlas"]
    tiles.flags.writeable = False
    return tiles


def draw_atlas(font: str | Path) -> Atlas:
    """Draws the same tiles again.

    `numpy.savez_compressed(path, atlas=draw_atlas(font))` writes the file that the package holds.

    Args:
        font: Path of NotoColorEmoji.ttf, the edition with bitmaps (CBDT). Debian's package
            fonts-noto-color-emoji has it under /usr/share/fonts/truetype/noto.

    Raises:
        LoadError: The font cannot be read, or it does not draw every glyph of the world in colour.
    """
    try:
        face = ImageFont.truetype(str(font), _GLYPH_SIZE)
    except OSError as error:
        raise LoadError(
            f"draw_atlas cannot read a font from {str(font)!r} ({error}); give the path of "
            "NotoColorEmoji.ttf (Debian: package fonts-noto-color-emoji), or use load_atlas(), "
            "which needs no font"
        ) from error
    glyphs = [_draw_glyph(glyph, face, font) for glyph in GLYPHS.values()]
    return np.stack([*glyphs, *map(draw_shape, SHAPES)])


def _draw_glyph(glyph: str, face: ImageFont.FreeTypeFont, font: str | Path) -> UInt8[np.ndarray, "128 128 4"]:
    canvas = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((20, 20), glyph, font=face, embedded_color=True)
    box = canvas.getbbox()
    pixels = np.asarray(canvas)
    colored = (pixels[pixels[..., 3] == _FULL, :3] < _FULL).any()  # other fonts draw in white
    if box is None or not colored or box[2] - box[0] >= _WIDEST_GLYPH:
        raise LoadError(
            f"draw_atlas: the font {str(font)!r} does not draw {glyph!r} as one glyph in colour; give the path "
            "of NotoColorEmoji.ttf, or use load_atlas(), which needs no font"
        )
    crop = canvas.crop(box)
    side = max(crop.size)
    tile = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    tile.paste(crop, ((side - crop.width) // 2, (side - crop.height) // 2))
    return np.asarray(tile.resize((TILE, TILE), Image.Resampling.LANCZOS))


def draw_shape(shape: str) -> UInt8[np.ndarray, "128 128 4"]:
    """Draws the white tile of one of SHAPES: RGBA, y before x."""
    canvas = Image.new("L", (_SHAPE_SIZE, _SHAPE_SIZE), 0)
    draw, end, center = ImageDraw.Draw(canvas), _SHAPE_SIZE, _SHAPE_SIZE / 2
    match shape:
        case "circle":
            draw.ellipse((10, 10, end - 10, end - 10), fill=255)
        case "square":
            draw.rectangle((30, 30, end - 30, end - 30), fill=255)
        case "triangle":
            draw.polygon([(center, 20), (end - 15, end - 40), (15, end - 40)], fill=255)
        case "star":
            draw.polygon(_star(center), fill=255)
        case "ring":
            draw.ellipse((10, 10, end - 10, end - 10), fill=255)
            draw.ellipse((110, 110, end - 110, end - 110), fill=0)
        case "heart":
            draw.polygon(_heart(center), fill=255)
        case "cross":
            draw.rectangle((190, 20, end - 190, end - 20), fill=255)
            draw.rectangle((20, 190, end - 20, end - 190), fill=255)
    alpha = np.asarray(canvas.resize((TILE, TILE), Image.Resampling.LANCZOS))
    return np.dstack([np.full((TILE, TILE, 3), 255, np.uint8), alpha])


def _star(center: float) -> list[tuple[float, float]]:
    corner = np.arange(10)
    radius = (center - 5) * np.where(corner % 2 == 0, 1, 0.42)
    turn = corner * np.pi / 5
    return _corners(center + radius * np.sin(turn), center + 15 - radius * np.cos(turn))


def _heart(center: float) -> list[tuple[float, float]]:
    turn = np.linspace(0, 2 * np.pi, 200)
    x = 16 * np.sin(turn) ** 3
    y = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
    return _corners(center + x * 14.5, center - 20 - y * 14.5)


def _corners(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return [(float(right), float(down)) for right, down in zip(x, y, strict=True)]
