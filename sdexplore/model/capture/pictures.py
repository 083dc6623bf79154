"""The pictures in what a pipeline returned, whatever its class of output."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from .lacking import Lacking

_NAMES = ("images", "rgb")  # of the field that holds pictures: all pipelines', and LDM3D's beside its depth
_CHANNELS = 3


def pictures_of(
    output: Any | None, images: int, lacking: Lacking
) -> tuple[list[UInt8[np.ndarray, "Y X 3"]] | None, Any]:
    """The pictures as uint8, and the safety checker's verdicts; None for latents, and where there are none.

    Args:
        output: None for a run that was stopped.
        images: How many there should be.
        lacking: Told why there is no picture where the output should hold some.
    """
    if output is None:
        return None, None
    found: list[UInt8[np.ndarray, "Y X 3"]] | None = None
    with lacking.unless("image"):
        made, name = _made(output)
        if made is None:
            lacking.note("image", f"{type(output).__name__} holds no images, only {name}")
        else:
            found = _as_bytes(made)
    if found is not None and len(found) != images:
        lacking.note("image", f"the pipeline returned {len(found)} pictures for {images} images")
        found = None
    return found, _verdicts(output, images)


def videos_of(output: Any | None, videos: int, lacking: Lacking) -> list[UInt8[np.ndarray, "frame Y X 3"]] | None:
    """The frames of each video as uint8; None for latents, and where there are none.

    Args:
        output: None for a run that was stopped.
        videos: How many there should be.
        lacking: Told why there are no frames where the output should hold some.
    """
    if output is None:
        return None
    made = output[0] if isinstance(output, tuple) and output else getattr(output, "frames", None)
    found: list[UInt8[np.ndarray, "frame Y X 3"]] | None = None
    with lacking.unless("frames"):
        if made is None:
            lacking.note("frames", f"{type(output).__name__} holds no frames, only {', '.join(vars(output))}")
        else:
            several = [_as_bytes(one) for one in made]
            found = [np.stack(one) for one in several if one is not None] or None
    if found is not None and len(found) != videos:
        lacking.note("frames", f"the pipeline returned {len(found)} videos for {videos}")
        found = None
    return found


def _made(output: Any) -> tuple[Any, str]:
    if isinstance(output, tuple):
        first = output[0] if output else None
        return (first[0] if isinstance(first, tuple) and first else first), "an empty tuple"
    name = next((one for one in _NAMES if getattr(output, one, None) is not None), None)
    return (None if name is None else getattr(output, name)), ", ".join(vars(output)) or "nothing"


def _as_bytes(images: Any) -> list[UInt8[np.ndarray, "Y X 3"]] | None:
    if isinstance(images, list) and all(isinstance(image, Image.Image) for image in images):
        return [np.asarray(image.convert("RGB")) for image in images]
    if isinstance(images, np.ndarray) and images.ndim == 4 and images.shape[-1] == _CHANNELS:  # noqa: PLR2004
        return [_bytes(image) for image in images]
    if hasattr(images, "cpu") and images.ndim == 4 and images.shape[1] == _CHANNELS:  # noqa: PLR2004
        return [_bytes(image) for image in images.detach().float().cpu().permute(0, 2, 3, 1).numpy()]
    return None


def _bytes(image: np.ndarray) -> UInt8[np.ndarray, "Y X 3"]:
    made: np.ndarray = (image * 255).round().astype(np.uint8)
    return made


def _verdicts(output: Any, images: int) -> Any:
    if isinstance(output, tuple):
        found = output[1] if len(output) > 1 else None
    else:
        found = getattr(output, "nsfw_content_detected", None)
    return found if isinstance(found, list | np.ndarray) and len(found) == images else None
