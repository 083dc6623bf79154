"""What pipelines of flow matching give their scheduler beside the number of steps: own τ, and a shift by size."""

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..components.pipeline_parts import latent_grid

_OWN = "np.linspace(1.0, 1 / num_inference_steps, num_inference_steps)"  # in the call of FLUX's and its kin's pipelines
_PATCH = 2  # latents along the side of a picture token, where the transformer's config says nothing else


def flow_arguments(pipe: Any, scheduler: Any, steps: int) -> Mapping[str, Any]:
    """Arguments of `set_timesteps` as the pipeline's call gives them for its default size; empty for other schedulers.

    They are read from the pipeline's own code: whether it counts τ from 1 to 1/N itself, and its `calculate_shift`.

    Raises:
        RunError: The scheduler shifts by the size of the picture, and the pipeline's code does not say how.
    """
    takes = inspect.signature(scheduler.set_timesteps).parameters
    if "sigmas" not in takes or "Flow" not in type(scheduler).__name__:
        return {}
    found: dict[str, Any] = {}
    if _OWN in _code(type(pipe)) and not scheduler.config.get("use_flow_sigmas"):
        found["sigmas"] = np.linspace(1.0, 1 / steps, steps)
    if scheduler.config.get("use_dynamic_shifting"):
        found["mu"] = _shift(pipe, scheduler)
    return found


def _code(cls: Any) -> str:
    try:
        return inspect.getsource(cls.__call__)
    except (OSError, TypeError):  # made without a file
        return ""


def _shift(pipe: Any, scheduler: Any) -> float:
    shift = getattr(sys.modules.get(type(pipe).__module__), "calculate_shift", None)
    if shift is None:
        raise RunError(
            f"schedule: {type(scheduler).__name__} shifts its noise levels by the size of the picture, and "
            f"{type(pipe).__name__} does not say how; schedule(trace) shows those of a run"
        )
    y, x = latent_grid(pipe)
    patch = getattr(getattr(getattr(pipe, "transformer", None), "config", None), "patch_size", None) or _PATCH
    side = max(_PATCH, patch if isinstance(patch, int) else _PATCH)
    names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    known = [value for name in names if (value := scheduler.config.get(name)) is not None]
    return float(shift((y // side) * (x // side), *(known if len(known) == len(names) else ())))
