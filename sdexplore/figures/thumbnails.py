"""Small pictures from the bytes that a study's table holds."""

import io

import numpy as np
from jaxtyping import UInt8


def pixels_of(content: bytes) -> UInt8[np.ndarray, "Y X 3"]:
    """The pixels of a small picture: a WebP, as `trace.preview` makes it."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
        return np.asarray(image.convert("RGB"))
