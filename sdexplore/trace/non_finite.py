"""NaN and Inf in what a run recorded: in which array, and at which steps.

A number that is none has its right place too, and is not told there: a half of guidance that was not computed at a step
is a row of NaN, and σ of noise alone is infinite.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .fields import TraceFields

_BY_STEP = ("timesteps", "latents", "noise_pred", "noise_pred_before_guide", "pred_original_sample")
_MOST = 6  # steps and arrays that are listed one by one


@dataclass(frozen=True)
class NonFinite:
    """One array that holds NaN or Inf.

    Attributes:
        array: Its name, "noise_preds/cond".
        steps: The steps whose rows hold them; of latents, the number of steps stands for the row after the last.
        what: "NaN", "Inf" or "NaN and Inf".
    """

    array: str
    steps: tuple[int, ...]
    what: str


_found: WeakKeyDictionary[TraceFields, dict[bool, tuple[NonFinite, ...]]] = WeakKeyDictionary()


def non_finite(trace: TraceFields, *, attention: bool = True) -> tuple[NonFinite, ...]:
    """The arrays of a trace that hold NaN or Inf, in the order of its fields; () where there are none.

    Args:
        attention: Whether the attention is looked through too, which of a saved trace means to read all of it.
    """
    known = _found.setdefault(trace, {})
    if attention not in known:
        known[attention] = tuple(_looked_through(trace, attention=attention))
    return known[attention]


def in_words(found: Sequence[NonFinite], num_steps: int) -> str:
    """What was found, as sentences name it: "latents at steps 2, 3 (NaN), noise_pred at step 2 (Inf)"."""
    named = [f"{one.array} at {_steps(one.steps, num_steps)} ({one.what})" for one in found[:_MOST]]
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more arrays" if more else "")


def kind_of(values: np.ndarray) -> str:
    """Which of them floats hold, "NaN", "Inf" or "NaN and Inf"; "" for neither, and for other numbers."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return ""
    kinds = (("NaN", bool(np.isnan(values).any())), ("Inf", bool(np.isinf(values).any())))
    return " and ".join(name for name, there in kinds if there)


def not_computed(trace: TraceFields, values: np.ndarray) -> frozenset[int]:
    """The steps without a call of a role that predicted `values` (step, channel, y, x): rows of NaN alone.

    Where the scheduler got NaN or Inf too, the row is what the model computed.
    """
    empty = _rows_where(np.isnan(values))
    if trace.noise_pred is not None and empty.any():
        empty &= _rows_where(np.isfinite(trace.noise_pred))
    return frozenset(map(int, np.flatnonzero(empty)))


def _looked_through(trace: TraceFields, *, attention: bool) -> Iterator[NonFinite]:
    if trace.sigmas is not None and (rows := np.flatnonzero(np.isnan(trace.sigmas))).size:
        yield NonFinite("sigmas", tuple(map(int, rows)), "NaN")
    for name in _BY_STEP:
        yield from _rows(name, getattr(trace, name))
    for role, values in trace.noise_preds.items():
        yield from _rows(f"noise_preds/{role}", values, but=not_computed(trace, values))
    if trace.latent_rgb is not None and (kind := kind_of(trace.latent_rgb)):
        yield NonFinite("latent_rgb", tuple(range(trace.num_steps)), kind)
    if attention:
        for name in ("cross_attention", "self_attention", "word_attention", "concept_scores", "features"):
            yield from _layers(name, getattr(trace, name))


def _rows(
    name: str, values: np.ndarray | None, steps: Sequence[int] | None = None, but: frozenset[int] = frozenset()
) -> Iterator[NonFinite]:
    if values is None or not (bad := ~_rows_where(np.isfinite(values))).any():
        return
    rows = [int(row) for row in np.flatnonzero(bad) if row not in but]
    if rows:
        yield NonFinite(name, tuple(rows if steps is None else (steps[row] for row in rows)), kind_of(values[rows]))


def _rows_where(true: np.ndarray) -> np.ndarray:
    """Which rows are true throughout."""
    return np.asarray(true.all(axis=tuple(range(1, true.ndim))))


def _layers(name: str, roles: Mapping[str, Mapping[str, Any]]) -> Iterator[NonFinite]:
    for role, layers in roles.items():
        for layer, one in layers.items():
            yield from _rows(f"{name}/{role}/{layer}", np.asarray(one.array), one.steps)


def _steps(steps: Sequence[int], num_steps: int) -> str:
    if len(steps) > _MOST and list(steps) == list(range(steps[0], steps[-1] + 1)):
        return f"steps {steps[0]} to {_step(steps[-1], num_steps)}"
    shown = ", ".join(_step(step, num_steps) for step in steps[:_MOST])
    return f"step{'s' * (len(steps) > 1)} {shown}" + f" and {len(steps) - _MOST} more" * (len(steps) > _MOST)


def _step(step: int, num_steps: int) -> str:
    return "the end" if step == num_steps else str(step)
