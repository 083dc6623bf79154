"""Numbers that are none: NaN and the infinities in what a trace holds of its steps, named with array and step."""

from collections.abc import Iterator

import numpy as np

from .fields import TraceFields
from .lazy import held

_BY_STEP = ("latents", "noise_pred", "noise_pred_before_guide", "pred_original_sample")
_KEPT = "not_numbers"


def not_numbers(trace: TraceFields) -> tuple[str, ...]:
    """A phrase for each array of the steps that holds NaN or infinities, as in "NaN in latents from step 3 on".

    Rows of NaN in `noise_preds` that only say that a role was not computed at a step are none of them.
    """
    known = vars(trace).get(_KEPT)
    if known is None:
        known = vars(trace)[_KEPT] = tuple(_phrases(trace))
    return tuple(known)


def broken_steps(trace: TraceFields, role: str) -> tuple[int, ...]:
    """The steps at which the prediction of `role` was computed and holds NaN or infinities."""
    array = trace.noise_preds[role]
    used = trace.noise_pred if trace.noise_pred_before_guide is None else trace.noise_pred_before_guide
    return tuple(
        step
        for step, row in enumerate(array)
        if not np.isfinite(row).all()
        and not (np.isnan(row).all() and (used is None or np.isfinite(used[step]).all()))  # not computed
    )


def _phrases(trace: TraceFields) -> Iterator[str]:
    for name in _BY_STEP:
        if held(trace, name) is not None:
            array = getattr(trace, name)
            steps = [step for step, row in enumerate(array) if not np.isfinite(row).all()]
            yield from _phrase(name, array, steps)
    for role, array in trace.noise_preds.items():
        yield from _phrase(f"noise_preds[{role!r}]", array, list(broken_steps(trace, role)))


def _phrase(name: str, array: np.ndarray, steps: list[int]) -> Iterator[str]:
    if not steps:
        return
    rows = array[steps]
    kinds = " and ".join(["NaN"] * bool(np.isnan(rows).any()) + ["Inf"] * bool(np.isinf(rows).any()))
    yield f"{kinds} in {name} {steps_in_words(steps, len(array))}"


def steps_in_words(steps: list[int], count: int) -> str:
    """Ascending steps as sentences name them: "at step 3", "from step 3 on", "at 4 steps, the first is 3"."""
    if len(steps) == 1:
        return f"at step {steps[0]}"
    if steps == list(range(steps[0], count)):
        return f"from step {steps[0]} on"
    return f"at {len(steps)} steps, the first is {steps[0]}"
