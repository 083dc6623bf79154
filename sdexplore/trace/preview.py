"""A trace's picture, small: for the header of its file, and for its repr."""

import base64
import io
from math import isqrt

import numpy as np
from jaxtyping import UInt8

from ..theory import linear_preview
from .fields import TraceFields
from .frame_axis import middle_of
from .lazy import Part, array_of, held, row_of

SIDE = 192
_LARGE = 1 << 27  # bytes of a picture that is made small as a whole
_QUALITY = 80


def preview_in(trace: TraceFields) -> str | None:
    """The picture, or the linear preview of the last predicted x0, as a small data URI; None without either.

    Of a video it is the middle frame.
    """
    image: Part | None = held(trace, "image")
    if image is not None:
        every = max(1, isqrt(image.nbytes // _LARGE))
        if every == 1:
            return preview_of(array_of(image))
        kept = range(0, image.shape[0], every)  # a picture beyond all sizes: some of its rows and columns
        return preview_of(np.stack([row_of(image, row)[::every] for row in kept]))
    if trace.pred_original_sample is None or trace.latent_rgb is None:
        return None
    return preview_of(linear_preview(middle_of(trace.pred_original_sample[-1]), trace.latent_rgb), small=True)


def preview_of(pixels: UInt8[np.ndarray, "Y X 3"], *, small: bool = False) -> str:
    """`pixels` as a data URI of a WebP of at most 192 pixels a side, some kilobytes.

    Args:
        small: Whether each pixel stands for a latent pixel, so that it is drawn as a square.
    """
    from PIL import Image

    scale = SIDE / max(pixels.shape[:2])
    y, x = (max(1, round(length * scale)) for length in pixels.shape[:2])
    image = Image.fromarray(np.asarray(pixels))
    if small or scale < 1:
        image = image.resize((x, y), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
