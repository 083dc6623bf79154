"""`sdx.run` as it is, against diffusers' own call: from the prompt to the picture, both in turn."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

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


def default_rows(make: Callable[[], Subject], pairs: int, most: int = STEPS) -> Iterator[BenchmarkRow]:
    """The first run of a new pipeline; then its usual number of steps, and `most`.

    Args:
        make: Makes a pipeline anew.

    Raises:
        SdexploreError: Tracing changed the picture, or did not record it.
    """
    from ..model.runs.timing import timed

    yield _first(make)
    subject = make()
    for many in dict.fromkeys((subject.steps, most)):
        one = subject.of_steps(many)
        plain, trace = np.asarray(_plain(one)[0]), _traced(one)
        if (plain != trace.recorded("image")).any():
            raise SdexploreError("tracing changed the picture")
        captured = f"{len(trace.attention('cond'))} layers, {len(trace.decoded)} steps to be decoded when looked at"
        times = timed({PICTURE: partial(_plain, one), _NAME: partial(_traced, one)}, pairs, one.device)
        yield BenchmarkRow(subject=one.name, name=PICTURE, seconds=times.of(PICTURE))
        yield BenchmarkRow(
            subject=one.name,
            name=_NAME,
            seconds=times.of(_NAME),
            share=times.ratio(_NAME, PICTURE),
            image="to the bit",
            captured=captured,
        )


def _first(make: Callable[[], Subject]) -> BenchmarkRow:
    """The first run of new pipelines, each against its own untraced run just before."""
    from ..model.runs.timing import timed

    both = []
    for _ in range(_FRESH):
        subject = make()
        _plain(subject)  # what diffusers does once
        both_ways = {PICTURE: partial(_plain, subject), _FIRST: partial(_traced, subject)}
        times = timed(both_ways, 1, subject.device, warm_up=0)
        both.append((times.seconds[_FIRST][0], times.seconds[PICTURE][0]))
    return BenchmarkRow(
        subject=subject.name,
        name=_FIRST,
        seconds=Spread.of([first for first, _ in both]),
        share=Spread.of([first / plain for first, plain in both]),
        note="fits the linear preview to the VAE, once for each",
    )


def _plain(subject: Subject) -> Any:  # noqa: ANN401  (pictures)
    return subject.untraced(output_type="pil")


def _traced(subject: Subject) -> Trace:
    return subject.traced(USUAL, output_type="pil")
