"""The one reader of pictures that are given: as their files mean them, not as their bytes lie."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from ...base.errors import RunError

Picture = Image.Image | UInt8[np.ndarray, "Y X 3"]

_TAKES = "a picture is a PIL image or a uint8 array (Y, X, 3)"
_SIXTEEN = 257  # 65535 / 255
_FLOAT = "its numbers have no agreed range; picture.point(lambda x: 255 * x).convert('L') reads 0 to 1"


def rgb(picture: Any, function: str) -> Image.Image:
    """The picture in RGB, 8 bits a colour.

    It is turned as its EXIF orientation says. 16 bits become 8 by 65535 → 255. What is transparent lies on white, as
    browsers show it. A palette is looked up.

    Args:
        function: The public function that the user called; errors name it.

    Raises:
        RunError: It is no picture, has no pixel, or holds numbers without an agreed range.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:  # noqa: PLR2004  (Y, X, RGB)
            raise RunError(f"{function}: {_TAKES}; this is {picture.dtype} {picture.shape}")
        if picture.size == 0:
            raise RunError(f"{function}: this picture has no pixel: it is {picture.shape}")
        return Image.fromarray(picture)
    if not isinstance(picture, Image.Image):
        raise RunError(f"{function}: {_TAKES}, not {type(picture).__name__}")
    if not picture.width or not picture.height:
        raise RunError(f"{function}: this picture has no pixel: it is {picture.width} × {picture.height}")
    try:
        upright = ImageOps.exif_transpose(picture)
    except Exception as error:
        raise RunError(f"{function}: this picture cannot be read: {type(error).__name__}: {error}") from error
    return _colours(upright, function)


def _colours(picture: Image.Image, function: str) -> Image.Image:
    mode = picture.mode
    if mode.startswith("I;16") or mode == "I":
        return _of_integers(picture, function)
    if mode == "F":
        raise RunError(f"{function}: this picture is of floating-point numbers (mode 'F'): {_FLOAT}")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _of_integers(picture: Image.Image, function: str) -> Image.Image:
    values = np.asarray(picture)
    low, high = int(values.min()), int(values.max())
    if picture.mode == "I" and not (low >= 0 and 255 < high <= 65535):  # noqa: PLR2004  (else 8 bits, or none of both)
        raise RunError(
            f"{function}: this picture is of whole numbers from {low} to {high} (mode 'I'), of 8 bits or of 16: "
            "picture.convert('L') reads 8, a uint16 array through PIL.Image.fromarray 16"
        )
    return Image.fromarray(np.round(values.astype(np.float64) / _SIXTEEN).astype(np.uint8)).convert("RGB")
