"""Traced and changed against untraced and unchanged: what `run(change=…)` costs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..base.errors import SdexploreError
from ..changes.ablate import Ablate
from ..changes.change import Change
from ..changes.keep import Keep
from ..changes.reweight import Reweight
from ..records.benchmark import BenchmarkRow
from ..trace.record import Record
from ..trace.trace import Trace
from .subjects import PROMPT, Subject
from .tracing import UNTRACED, beyond

KEY: Final = "changes"
_RECORD = Record(decode=0)
_SOURCE = PROMPT.replace("cat", "dog")


@dataclass(frozen=True)
class _Way:
    """One way of changing a run.

    Attributes:
        changes: What is changed.
        neutral: The same changes where they change nothing, so that the latents are the untraced run's to the bit; None
            where there are none such.
    """

    name: str
    changes: tuple[Change, ...]
    neutral: tuple[Change, ...] | None = None


def _ways(layers: tuple[str, ...]) -> tuple[_Way, ...]:
    first, last = PROMPT.split()[1], PROMPT.split()[-1]
    words = tuple(Reweight(word, 2.0) for word in (first, last))
    one = tuple(Reweight(word, 1.0) for word in (first, last))
    return (
        _Way("traced and changed: two words reweighted in all layers", words, one),
        _Way("traced and changed: two heads taken out in all layers", (Ablate(layers, heads=(0, 1)),)),
        _Way("traced and changed: Keep, whose source makes two rows of one", (Keep(_SOURCE),)),
    )


def changed_rows(subject: Subject, pairs: int) -> Iterator[BenchmarkRow]:
    """The rows of a subject, each as soon as it is measured; a change that is not made in its family has none.

    Raises:
        SdexploreError: A change that changes nothing changed the latents; or a change applied nowhere.
    """
    from ..model.families import family_of
    from ..model.runs.timing import peak_memory, timed

    reference, memory = subject.reference(), peak_memory(subject.untraced, subject.device)
    refused = family_of(subject.pipe).no_change
    for way in (
        one for one in _ways(subject.layers) if not any(type(each).__name__ in refused for each in one.changes)
    ):
        traced = _run(subject, way.changes)
        trace = traced()
        applied = sum(one["applied"] for one in trace.provenance.get("changed", ()))
        if not applied:
            raise SdexploreError(f"{way.name}: nothing was changed, so its time says nothing")
        image = "changed"
        if way.neutral is not None:
            exact, _ = subject.checked(_run(subject, way.neutral)(), reference)
            image = f"× 1: {exact}"
        times = timed({UNTRACED: subject.untraced, way.name: traced}, pairs, subject.device)
        yield BenchmarkRow(
            subject=subject.name,
            name=way.name,
            seconds=times.of(way.name),
            share=times.ratio(way.name, UNTRACED),
            image=image,
            captured=f"{len(trace.attention('cond'))} layers × {trace.num_steps} calls, changed {applied} times",
            memory=beyond(peak_memory(traced, subject.device), memory),
        )


def _run(subject: Subject, changes: tuple[Change, ...]) -> Callable[[], Trace]:
    return lambda: subject.traced(_RECORD, change=list(changes))
