"""`sdx.run` as it is, against diffusers' own call: from the prompt to the picture, both in turn."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..base.errors import SdexploreError
from ..records.benchmark import BenchmarkRow, Spread
from ..trace.record import USUAL
from ..trace.trace import Trace
from .subjects import Subject

KEY: Final = "default"
STEPS: Final = 25  # measured beside the usual number
PICTURE: Final = "diffusers' own call, to a picture"
_NAME: Final = "sdx.run as it is, to a picture"
_FIRST: Final = "the first sdx.run of a pipeline, to a picture"
_FRESH: Final = 3  # pipelines whose first run is measured


def default_rows(size: str, device: object, steps: int, pairs: int) -> Iterator[BenchmarkRow]:
    """Rows for a pipeline of a size: its usual number of steps and 25, and the first run of a new pipeline.

    Raises:
        SdexploreError: Tracing changed the picture, or did not record it.
    """
    from ..model.runs.timing import timed

    subject = Subject.of(size, device, steps)
    yield from _first(size, device, steps)
    for many in dict.fromkeys((steps, STEPS)):
        one = subject.of_steps(many)
        plain, trace = np.asarray(one.untraced(output_type="pil")[0]), _traced(one)
        if (plain != trace.recorded("image")).any():
            raise SdexploreError("tracing changed the picture")
        captured = f"{len(trace.attention('cond'))} layers, {len(trace.decoded)} steps to be decoded when looked at"
        times = timed(
            {PICTURE: lambda one=one: one.untraced(output_type="pil"), _NAME: lambda one=one: _traced(one)},
            pairs,
            device,
        )
        yield BenchmarkRow(subject=one.name, name=PICTURE, seconds=times.of(PICTURE))
        yield BenchmarkRow(
            subject=one.name,
            name=_NAME,
            seconds=times.of(_NAME),
            share=times.ratio(_NAME, PICTURE),
            image="to the bit",
            captured=captured,
        )


def _first(size: str, device: object, steps: int) -> Iterator[BenchmarkRow]:
    """The first run of new pipelines, each against its own untraced run just before."""
    from ..model.runs.timing import timed

    both = []
    for _ in range(_FRESH):
        subject = Subject.of(size, device, steps)
        subject.untraced(output_type="pil")  # what diffusers does once
        times = timed(
            {PICTURE: lambda one=subject: one.untraced(output_type="pil"), _FIRST: lambda one=subject: _traced(one)},
            1,
            device,
            warm_up=0,
        )
        both.append((times.seconds[_FIRST][0], times.seconds[PICTURE][0]))
    yield BenchmarkRow(
        subject=subject.name,
        name=_FIRST,
        seconds=Spread.of([first for first, _ in both]),
        share=Spread.of([first / plain for first, plain in both]),
        note="fits the linear preview to the VAE, once for each",
    )


def _traced(subject: Subject) -> Trace:
    return subject.traced(USUAL, output_type="pil")
