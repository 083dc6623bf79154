"""Numbers that are none, in pictures: named with array and step in words, and drawn in a colour of their own.

`told` gives every view's Picture these words; views themselves take limits of colours from `top_of` and `reach_of`,
which heed finite numbers alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace

import numpy as np

from ..base.display import count
from ..strings.wording import listed, wording
from ..trace.collections import Traces
from ..trace.non_finite import NonFinite, kind_of, non_finite
from ..trace.trace import Trace
from .font_families import drawable
from .names import steps_named
from .picture import Picture

_MOST = 6  # arrays and steps that are listed one by one
_MAY_BE_INFINITE = re.compile("sigma|snr")  # of noise alone, and of a picture without noise


def top_of(*arrays: np.ndarray) -> float:
    """The greatest finite number of arrays of numbers from 0 upwards; 0.0 where there is none."""
    return max(float(np.max(one, where=np.isfinite(one), initial=0.0)) for one in arrays)


def reach_of(values: np.ndarray, quantile: float = 1.0) -> float:
    """The greatest absolute finite number, or that quantile of them; 0.0 where there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(np.quantile(finite, quantile)) if finite.size else 0.0


def finite(values: np.ndarray) -> np.ndarray:
    """The values as curves and bars draw them: with NaN for Inf, at which matplotlib draws nothing."""
    return np.where(np.isfinite(values), values, np.nan)


def told(picture: Picture, sources: Iterable[object]) -> Picture:
    """The picture with a word on NaN and Inf in its title, alt text and caption; itself where there are none.

    Args:
        sources: What the view was given: traces, comparisons, records.
    """
    note = note_on(picture.data, sources)
    if not note:
        return picture
    title = picture.figure.get_suptitle()
    picture.figure.suptitle(f"{title}\n{drawable(note, 110)}", fontsize=9)
    return replace(picture, alt=with_note(picture.alt, note), caption=with_note(picture.caption, note))


def with_note(text: str, note: str) -> str:
    """An alt text or a caption with one more sentence; itself where that is ""."""
    return wording("lost.added", text=text, note=note) if note else text


def note_on(data: Mapping[str, np.ndarray], sources: Iterable[object]) -> str:
    """The sentence that names NaN and Inf in the sources of a picture of `data`; "" where there are none."""
    drawn = any(kind_of(values) and not _MAY_BE_INFINITE.search(name) for name, values in data.items())
    found = [words for source in sources for words in _words(source, thorough=drawn)]
    return wording("lost.note", what=wording("list.semicolon").join(dict.fromkeys(found))) if found else ""


def _words(source: object, *, thorough: bool) -> Iterator[str]:
    """What a source holds of NaN and Inf, in words; () for nothing. `thorough` looks through its attention too."""
    if isinstance(source, Trace):
        if found := non_finite(source, attention=thorough):
            yield _of_trace(found, source.num_steps)
    elif isinstance(source, Traces):
        for number, trace in enumerate(source):
            found_there = _words(trace, thorough=thorough)
            yield from (wording("lost.run", run=number, arrays=words) for words in found_there)
    elif is_dataclass(source) and not isinstance(source, type):
        for field in fields(source):
            values = getattr(source, field.name, None)
            if isinstance(values, np.ndarray) and (kind := _kind(field.name, values)):
                yield _in_array(field.name, values, getattr(source, "steps", ()), kind)
    elif isinstance(source, list | tuple):
        for one in source:
            yield from _words(one, thorough=thorough)


def _kind(name: str, values: np.ndarray) -> str:
    if _MAY_BE_INFINITE.search(name):
        return "NaN" if values.dtype.kind == "f" and np.isnan(values).any() else ""
    return kind_of(values)


def _of_trace(found: Sequence[NonFinite], num_steps: int) -> str:
    """Arrays of a trace with their steps; of many, the first ones and how many more there are."""
    arrays = listed(
        wording("lost.at", array=one.array, steps=_steps(one.steps, num_steps), kind=_kinds(one.what))
        for one in found[:_MOST]
    )
    more = len(found) - _MOST
    return wording("lost.more", arrays=arrays, number=more) if more > 0 else arrays


def _steps(steps: Sequence[int], num_steps: int) -> str:
    named = [wording("lost.end") if step == num_steps else str(step) for step in steps]
    if len(steps) > _MOST and list(steps) == list(range(steps[0], steps[-1] + 1)):
        return wording("steps.range", first=named[0], last=named[-1])
    shown = steps_named(named[:_MOST])
    return wording("lost.steps_more", steps=shown, number=len(steps) - _MOST) if len(steps) > _MOST else shown


def _kinds(what: str) -> str:
    return wording("lost.both") if " " in what else what


def _in_array(name: str, values: np.ndarray, steps: object, kind: str) -> str:
    """At which steps, where an axis is that of the record's steps; else in how many of the numbers."""
    bad = ~np.isfinite(values)
    if isinstance(steps, Sequence) and steps and len(steps) in values.shape:
        axis = values.shape.index(len(steps))
        rows = np.flatnonzero(bad.any(axis=tuple(i for i in range(values.ndim) if i != axis)))
        return wording("lost.at", array=name, steps=steps_named([steps[int(row)] for row in rows]), kind=_kinds(kind))
    return wording("lost.among", array=name, lost=count(int(bad.sum())), all=count(bad.size), kind=_kinds(kind))
