"""Pictures as bytes that fit a limit; the result says what was reduced for that."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...base.display import size
from ...base.errors import PublishError

_LEAST_SIDE = 64


@dataclass(frozen=True)
class Encoded:
    """A picture as a file's content.

    Attributes:
        content: The bytes.
        suffix: ".png" or ".webp".
        pixels: Width and height.
        note: What was reduced to fit the limit, in words; "" if nothing was.
    """

    content: bytes
    suffix: str
    pixels: tuple[int, int]
    note: str = ""


def png_of(image: Image.Image, words: dict[str, str]) -> bytes:
    """`image` as a PNG file with `words` as its text chunks; other metadata (places, cameras) is dropped."""
    chunks = PngInfo()
    for name, text in words.items():
        chunks.add_itxt(name, text)
    buffer = io.BytesIO()
    kept = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
    kept.save(buffer, "PNG", pnginfo=chunks, optimize=True)
    return buffer.getvalue()


def fitted(png: bytes, most: int | None) -> Encoded:
    """The PNG itself if it has at most `most` bytes, else the same picture in a smaller encoding.

    First lossless WebP is tried, then lossy WebP with falling quality, then fewer pixels; the note says which it is.

    Raises:
        PublishError: Even a picture of 64 pixels is too large.
    """
    with Image.open(io.BytesIO(png)) as image:
        image.load()
    if most is None or len(png) <= most:
        return Encoded(png, ".png", image.size)
    shown = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if "A" in image.mode else "RGB")
    for how, options, scale in _ways():
        pixels = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        if scale < 1 and max(pixels) < _LEAST_SIDE:
            break
        smaller = shown if scale == 1 else shown.resize(pixels, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        smaller.save(buffer, "WEBP", **options)
        if buffer.tell() <= most:
            fewer = f", {pixels[0]} × {pixels[1]} instead of {image.width} × {image.height} pixels" if scale < 1 else ""
            note = f"{size(len(png))} as PNG, more than the {size(most)} allowed: re-encoded as {how}{fewer}"
            return Encoded(buffer.getvalue(), ".webp", pixels, f"{note}, {size(buffer.tell())}")
    raise PublishError(
        f"a picture of {image.width} × {image.height} pixels does not fit {size(most)} in any encoding; "
        "give a smaller picture"
    )


def _ways() -> Iterator[tuple[str, dict[str, Any], float]]:
    yield "lossless WebP", {"lossless": True, "quality": 50, "method": 2}, 1.0
    for quality in (90, 75, 60):
        yield f"WebP of quality {quality}", {"quality": quality, "method": 3}, 1.0
    for scale in (0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05):
        yield "WebP of quality 75", {"quality": 75, "method": 3}, scale
