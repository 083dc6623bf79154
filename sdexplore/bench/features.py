"""Outputs of modules and their statistics: what keeping them costs beside a traced run."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from ..base.errors import SdexploreError
from ..records.benchmark import BenchmarkRow
from ..trace.record import Record
from .subjects import Subject
from .tracing import UNTRACED, WAYS, beyond

KEY: Final = "features"
_BLOCKS: Final = ("mid_block", "up_blocks.1")
_WAYS: Final = {
    f"traced: and features of {' and '.join(_BLOCKS)}": Record(features=_BLOCKS, decode=0),
    "traced: and statistics of every module": Record(statistics=True, decode=0),
}


def feature_rows(subject: Subject, pairs: int) -> Iterator[BenchmarkRow]:
    """A row for features of two blocks and one for statistics, both timed in turn with the traced and untraced run.

    Raises:
        SdexploreError: Keeping them changed the latents, or they were not there at every step.
    """
    from ..model.runs.timing import peak_memory, timed

    traced, record = WAYS[0].name, WAYS[0].record
    runs: dict[str, Callable[[], object]] = {UNTRACED: subject.untraced, traced: lambda: subject.traced(record)}
    runs |= {name: _run(subject, one) for name, one in _WAYS.items()}
    reference, memory = subject.reference(), peak_memory(subject.untraced, subject.device)
    checked = {name: _checked(subject, one, reference) for name, one in _WAYS.items()}
    times = timed(runs, pairs, subject.device)
    for name, one in _WAYS.items():
        image, captured = checked[name]
        yield BenchmarkRow(
            subject=subject.name,
            name=name,
            seconds=times.of(name),
            share=times.ratio(name, UNTRACED),
            against=traced,
            ratio=times.ratio(name, traced),
            image=image,
            captured=captured,
            memory=beyond(peak_memory(_run(subject, one), subject.device), memory),
        )


def _run(subject: Subject, record: Record) -> Callable[[], object]:
    return lambda: subject.traced(record)


def _checked(subject: Subject, record: Record, reference: np.ndarray) -> tuple[str, str]:
    """As `Subject.checked`, and that every module was read at every step."""
    trace = subject.traced(record)
    image, captured = subject.checked(trace, reference)
    every = tuple(range(trace.num_steps))
    for name in record.features:
        if trace.features["cond"][name].steps != every:
            raise SdexploreError(f"features of {name!r} were not kept at every step")
    if record.statistics:
        values = trace.statistics["cond"]
        if np.isnan(values).any():
            raise SdexploreError("statistics of a module are missing at a step")
        return image, f"{captured}, {values.shape[1]} modules"
    return image, f"{captured}, {len(record.features)} modules"
