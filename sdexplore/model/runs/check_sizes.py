"""Sizes, texts and latents of a call that a pipeline would ignore, complete, or take as something else: refused."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ...base.display import clip, counted
from ...base.errors import RunError
from ..capture.prompts import image_count
from ..components.pipeline_parts import autoencoder, vae_scale_factor
from ..families import family_of
from ..families.family import Family
from ..families.own_sizes import in_own_sizes
from ..families.pipelines import takes_both_sizes_or_none

_SIDES = ("height", "width")
_TEXTS = ("prompt", "prompt_2", "prompt_3", "negative_prompt", "negative_prompt_2", "negative_prompt_3")
_LAST_SEED = 2**64 - 1
_LONGEST = 1 << 16  # pixels along a side


def check_sizes(pipe: Any, prompt: Any, arguments: Mapping[str, Any], seed: int, function: str) -> None:
    """RunError where the pipeline would draw another size, other pictures or none, without a word.

    Args:
        function: The public function that the user called.
    """
    _check_texts({"prompt": prompt, **arguments}, function)
    check_sides(arguments, function)
    _check_both_sides(pipe, arguments, function)
    check_own_sizes(pipe, arguments, function)
    images = image_count(prompt, arguments)
    if seed + images - 1 > _LAST_SEED:
        raise RunError(
            f"{function}(seed={seed}): image i draws its noise from seed + i, and with {counted(images, 'image')} the "
            "last seed is above 2⁶⁴ − 1, which torch does not take; give a smaller seed"
        )
    if (latents := arguments.get("latents")) is not None:
        _check_latents(pipe, latents, arguments, images, function)


def _check_texts(given: Mapping[str, Any], function: str) -> None:
    for name in _TEXTS:
        if isinstance(value := given.get(name), list | tuple) and not value:
            raise RunError(
                f"{function}({name}={value!r}): an empty list asks for no picture; give a text, or a list with a text "
                "for each picture"
            )


def check_sides(arguments: Mapping[str, Any], function: str) -> None:
    """RunError where `height` or `width` is no whole number of pixels from 1 to 65,536; the pipeline fills None."""
    for name in _SIDES:
        given = arguments.get(name)
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        if given is not None and not (whole and 1 <= given <= _LONGEST):
            raise RunError(
                f"{function}({name}={clip(repr(given), 60)}): a side is a whole number of pixels, at least 1 and at "
                f"most {_LONGEST:,}"
            )


def _check_both_sides(pipe: Any, arguments: Mapping[str, Any], function: str) -> None:
    there = [name for name in _SIDES if arguments.get(name) is not None]
    if len(there) == 1 and takes_both_sizes_or_none(type(pipe)):
        (name,) = there
        other = next(side for side in _SIDES if side != name)
        raise RunError(
            f"{function}({name}={arguments[name]}): {type(pipe).__name__} takes both sides or none, and would ignore "
            f"{name} without {other}; give {other} too"
        )


def check_own_sizes(pipe: Any, arguments: Mapping[str, Any], function: str) -> None:
    """RunError where the pipeline draws in a size of its own, which latents do not fit, or which it then cuts."""
    height, width = (arguments.get(side) for side in _SIDES)
    if height is None or width is None or not in_own_sizes(pipe, arguments):
        return
    family = family_of(pipe)
    asked = (int(height), int(width))
    drawn = family.drawn_size(pipe, asked, arguments)
    if drawn == asked:
        return
    given, own = f"{function}(height={height}, width={width}", f"{drawn[0]} × {drawn[1]} pixels (height × width)"
    out = f"give height={drawn[0]}, width={drawn[1]}, or use_resolution_binning=False"
    if arguments.get("latents") is not None:
        raise RunError(
            f"{given}, latents=…): {type(pipe).__name__} draws {own} instead, which latents do not fit; {out}"
        )
    scale = max(asked[0] / drawn[0], asked[1] / drawn[1])
    cut = max(int(made * scale) - kept for made, kept in zip(drawn, asked, strict=True))
    if family.cut_to_size and cut > 1 and arguments.get("output_type") != "latent":
        raise RunError(
            f"{given}): {type(pipe).__name__} draws {own} and cuts the picture to the size that is asked for, which no "
            f"map of the whole fits; {out}"
        )


def _check_latents(pipe: Any, latents: Any, arguments: Mapping[str, Any], images: int, function: str) -> None:
    """Pipelines take the latents that they are given as they are, whatever their shape."""
    family = family_of(pipe)
    if not isinstance(latents, torch.Tensor):
        raise RunError(
            f"{function}(latents={clip(repr(latents), 60)}): latents are a tensor (image, channel, y, x), not a "
            f"{type(latents).__name__}"
        )
    if family.video or type(family).packed is not Family.packed:  # with a shape of its own
        return
    channels = _channels(pipe)
    shape, shown = tuple(latents.shape), " × ".join(map(str, latents.shape)) or "no axes"
    if latents.ndim != 4 or shape[0] != images or shape[1] not in channels or 0 in shape:  # noqa: PLR2004
        many = " or ".join(map(str, sorted(channels)))
        raise RunError(
            f"{function}(latents=…): they are {shown}; this call needs (image, channel, y, x) with "
            f"{counted(images, 'image')} and {many} channels"
        )
    sides = [arguments.get(name) for name in _SIDES]
    if autoencoder(pipe) is None or None in sides:
        return
    factor = vae_scale_factor(pipe)
    drawn = (shape[2] * factor, shape[3] * factor)
    if tuple(int(side or 0) // factor for side in sides) != shape[2:]:
        raise RunError(
            f"{function}(height={sides[0]}, width={sides[1]}, latents=…): latents of {shown} draw {drawn[0]} × "
            f"{drawn[1]} pixels (height × width); leave height and width out, or give latents of their size"
        )


def _channels(pipe: Any) -> set[int]:
    """Channels that latents of this pipeline may have, by the configs of denoiser and autoencoder."""
    config = getattr(autoencoder(pipe), "config", None)
    found = (family_of(pipe).latent_channels(pipe), getattr(config, "latent_channels", None))
    own = family_of(pipe).in_channels(pipe)
    return {one for one in (*found, None if getattr(config, "latent_channels", None) else own) if isinstance(one, int)}
