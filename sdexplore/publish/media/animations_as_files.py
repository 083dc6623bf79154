"""Frames as a file that fits a limit: first quality is reduced, then pixels, then frames; the result says which."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...base.display import size
from ...base.errors import PublishError
from ...trace.record import spread
from .video import mp4

_MOST_FRAMES = 100
# (step of quality, share of the side in pixels, n: every n-th frame is kept), best first.
_LADDER = (
    *((quality, 1.0, 1) for quality in range(4)),
    *((2, scale, 1) for scale in (0.8, 0.65, 0.5)),
    *((2, 0.5, every) for every in (2, 3, 4)),
    *((3, scale, 4) for scale in (0.4, 0.3, 0.2, 0.12)),
    (3, 0.12, 12),
)
_QUALITIES = {"webp": (85, 70, 50, 35), "gif": (256, 128, 64, 32), "mp4": (18, 23, 28, 34)}
_NAMED = {"webp": "WebP of quality {}", "gif": "GIF of {} colours", "mp4": "MP4 (H.264, crf {})"}


@dataclass(frozen=True)
class Moving:
    """Moving pictures as a file's content.

    Attributes:
        content: The bytes.
        pixels: Width and height.
        frames: The number of frames.
        said: Frames, pixels, quality and bytes, in words.
        note: What was reduced to fit, in words; "" if nothing was.
    """

    content: bytes
    pixels: tuple[int, int]
    frames: int
    said: str
    note: str


def encoded(
    frames: Sequence[np.ndarray], seconds: Sequence[float], kind: str, fit: int | None, most_frames: int | None
) -> Moving:
    """The best file of that kind ("webp", "gif", "mp4") with at most `fit` bytes and `most_frames` frames.

    Raises:
        PublishError: No file of that kind fits.
    """
    most = min(most_frames or _MOST_FRAMES, len(frames))
    last = None
    for rung, (quality, scale, every) in enumerate(_LADDER):
        count = max(1, -(-most // every))
        if last is not None and fit is not None and _hopeless(last, (quality, scale, count), fit):
            continue
        kept = spread(range(len(frames)), count)
        y, x = frames[0].shape[:2]
        pixels = (max(2, round(x * scale)), max(2, round(y * scale)))
        images = [Image.fromarray(frames[i]) for i in kept]
        if scale < 1:
            images = [image.resize(pixels, Image.Resampling.LANCZOS) for image in images]
        times = _times(seconds, kept)
        number = _QUALITIES[kind][quality]
        content = _ENCODERS[kind](images, times, number)
        last = (len(content), quality, scale, count)
        if fit is None or len(content) <= fit:
            said = f"{count} of {len(frames)} frames, {pixels[0]} × {pixels[1]} pixels, {_NAMED[kind].format(number)}, "
            note = f"made smaller to fit {size(fit)}" if rung and fit is not None else ""
            if count < len(frames) and every == 1:
                note = "; ".join(filter(None, [f"{len(frames) - count} frames left out: at most {most}", note]))
            return Moving(content, pixels, count, said + size(len(content)), note)
    raise PublishError(
        f"fit={fit!r}: no {kind} of these frames is that small; the smallest has {last[0] if last else 0}"
    )


def _hopeless(last: tuple[int, int, float, int], now: tuple[int, float, int], fit: int) -> bool:
    """Whether this rung is too large even at half the size that the last tried rung lets expect."""
    bytes_then, quality_then, scale_then, count_then = last
    quality, scale, count = now
    expected = bytes_then * (scale / scale_then) ** 2 * (count / count_then) * 0.7 ** (quality - quality_then)
    return expected / 2 > fit and (quality, scale) != (3, 0.12)


def _times(seconds: Sequence[float], kept: Sequence[int]) -> list[float]:
    """The seconds of each kept frame: its own, and those of the frames left out before it."""
    times, before = [], -1
    for frame in kept:
        times.append(sum(seconds[before + 1 : frame + 1]))
        before = frame
    return times


def _webp(images: Sequence[Image.Image], times: Sequence[float], quality: int) -> bytes:
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=list(images[1:]),
        duration=[round(1000 * time) for time in times],
        loop=0,
        quality=quality,
        method=2,
    )
    return buffer.getvalue()


def _gif(images: Sequence[Image.Image], times: Sequence[float], colours: int) -> bytes:
    # One palette for all frames: with a palette for each, colours would flicker in places where nothing changes.
    some = [images[i] for i in spread(range(len(images)), 4)]
    sheet = Image.new("RGB", (some[0].width, some[0].height * len(some)))
    for number, image in enumerate(some):
        sheet.paste(image, (0, number * image.height))
    palette = sheet.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    flat[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=flat[1:],
        duration=[max(20, 10 * round(100 * time)) for time in times],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


_ENCODERS = {"webp": _webp, "gif": _gif, "mp4": mp4}
