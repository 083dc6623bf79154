"""The arguments of a scheduler's step, whatever their order: CogVideoX's DPM takes more than others, and others first.

Every other step of diffusers begins with model output, timestep and sample.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, Final

Step = Callable[..., Any]
OF_THE_STEP_BEFORE: Final = ("old_pred_original_sample", "timestep_back")
"""Arguments that CogVideoX's DPM takes between the three; both are None at the first step."""


def of_three(step: Step) -> Step:
    """A scheduler's step that takes model output, timestep and sample first, and all others by name or behind them."""
    if begins_with_three(step):
        return step

    def by_name(model_output: Any, timestep: Any, sample: Any, **others: Any) -> Any:
        given = {**dict.fromkeys(OF_THE_STEP_BEFORE), **others}
        return step(model_output=model_output, timestep=timestep, sample=sample, **given)

    return by_name


def in_order_of(step: Step, watched: Step) -> Step:
    """`watched`, which takes those three first, called as a scheduler's own step is, and with its signature."""
    if begins_with_three(step):
        return wraps(step)(watched)  # pipelines read its signature to decide which arguments to pass

    @wraps(step)
    def named(*args: Any, **kwargs: Any) -> Any:
        return watched(**signature(step).bind(*args, **kwargs).arguments)

    return named


def begins_with_three(step: Step) -> bool:
    """Whether a scheduler's step begins with model output, timestep and sample."""
    return OF_THE_STEP_BEFORE[0] not in signature(step).parameters
