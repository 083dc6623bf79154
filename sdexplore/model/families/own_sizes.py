"""Sizes of their own in which some pipelines draw, whatever size is asked for (`use_resolution_binning`)."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.parameters import parameters_of
from .grids import Grid

_GIVEN = "use_resolution_binning"


def in_own_sizes(pipe: Any, given: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments draws in the pipeline's own sizes."""
    known = parameters_of(type(pipe).__call__).get(_GIVEN)
    return known is not None and bool(given.get(_GIVEN, known.default))


def nearest_shape(pipe: Any, side: int, size: Grid, given: Mapping[str, Any]) -> Grid:
    """(height, width) that PixArt and Sana draw: the nearest shape of as many pixels as a square of `side`.

    It is the given size where the call keeps it, and where the pipeline's module has no such table: the pipeline then
    refuses the call itself.
    """
    if not in_own_sizes(pipe, given):
        return size
    table = f"ASPECT_RATIO_{side}_BIN"
    for found in _modules(pipe):
        if (ratios := found.get(table)) is not None:
            height, width = pipe.image_processor.classify_height_width_bin(*size, ratios=ratios)
            return int(height), int(width)
    return size


def standard_shape(pipe: Any, size: Grid) -> Grid:
    """(height, width) of the nearest standard shape, as HunyuanDiT's pipelines choose it."""
    height, width = size
    for found in _modules(pipe):
        if (shapes := found.get("SUPPORTED_SHAPE")) is not None and (height, width) not in shapes:
            width, height = found["map_to_standard_shapes"](width, height)
    return int(height), int(width)


def _modules(pipe: Any) -> Iterator[Mapping[str, Any]]:
    """The names in the modules in which the pipeline's class and its bases are written."""
    for base in type(pipe).__mro__:
        if (module := sys.modules.get(base.__module__)) is not None:
            yield vars(module)
