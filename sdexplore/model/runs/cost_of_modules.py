"""What features and statistics of modules take: by shapes that are known before the run."""

from collections.abc import Iterator
from math import prod
from typing import Any, Final

from ...base.errors import InspectionError
from ...trace.declaration import declaration_of
from ...trace.record import Record
from ...trace.trace import Trace
from ..capture.module_shapes import feature_shapes, measured_modules
from .call_outline import Outline

WIDTH: Final = {"float16": 2, "float32": 4}
"""Bytes of a number that the Record's `dtype` keeps."""


def of_modules(pipe: Any, record: Record, outline: Outline) -> Iterator[tuple[str, int, int]]:
    """(array, its bytes, bytes of a row) of features and statistics, all images and roles together.

    Raises:
        InspectionError: The denoiser's config does not describe it, so that shapes are not known.
    """
    roles = [one for one in outline.roles if one in record.roles or outline.roles == ("uncond",)]
    rows = len(roles) * outline.images
    steps = len(record.attention_steps(outline.steps))
    if record.features:
        for name, shape in feature_shapes(pipe, tuple(record.features), outline.grid).items():
            if isinstance(shape, str):
                raise InspectionError(f"{name!r} cannot be laid out as a picture: {shape}")
            row = prod(shape) * WIDTH[record.dtype] * rows
            yield f"features/{name}", row * steps, row
    field = declaration_of(Trace, "statistics")
    if record.statistics and field is not None:
        lengths = {"step": outline.steps, "module": measured_modules(pipe, outline.grid), "5": 5}
        yield "statistics", field.bytes_of(lengths) * rows, field.bytes_of(lengths, row=True) * rows
