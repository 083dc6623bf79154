"""What a call is given, looked at before anything is computed: each refusal repeats it and says what would be right."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import RunError, did_you_mean
from ..record import USUAL, Record
from .architecture import denoiser
from .matching import check_record

OURS = ("guide", "guide_scale", "prompt_at")  # arguments of `run` that the pipeline never sees
SWALLOWED = ("callback", "callback_steps")  # read from **kwargs, for old callers
_COUNTS = {"num_inference_steps": "steps", "num_images_per_prompt": "images"}


def check(pipe: Any, arguments: Mapping[str, Any], record: Record = USUAL) -> None:
    """Refuses, before anything is computed, a call that cannot be observed; see `run`."""
    denoiser(pipe)
    if "generator" in arguments:
        raise RunError("run(generator=…): image i draws its noise from seed + i; give seed= instead of a generator")
    if not isinstance(arguments["seed"], int) or isinstance(arguments["seed"], bool):
        raise RunError(f"run(seed={arguments['seed']!r}): seed is a whole number")
    known = inspect.signature(type(pipe).__call__).parameters
    for name in arguments.keys() - known.keys() - {"seed", *OURS, *SWALLOWED}:
        # Pipelines with **kwargs ignore what they do not know: the record would tell of a call that never was.
        hint = did_you_mean(name, known.keys() - {"self", "kwargs"})
        raise RunError(f"{type(pipe).__name__} takes no {name!r}; {hint}")
    check_counts(arguments)
    check_record(pipe, record, arguments)


def check_counts(arguments: Mapping[str, Any]) -> None:
    """Refuses a number of steps or of images that is no whole number from 1; None leaves it to the pipeline."""
    for name, what in _COUNTS.items():
        given = arguments.get(name)
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        if given is not None and not (whole and given >= 1):
            raise RunError(f"{name}={given!r}: the number of {what} is a whole number, and at least 1")
