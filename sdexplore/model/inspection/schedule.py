"""`schedule`: the noise levels that a pipeline's scheduler goes through, call by call, without running the model."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ...base.errors import RunError, SdexploreError
from ...base.parameters import parameters_of
from ...records.schedule import Schedule, schedule_of_trace, trained
from ...trace.trace import Trace
from ..components.source_name import model_name
from ..runs.check_call import check_counts
from ..runs.provenance import plain
from ..schedulers import noise_levels
from ..schedulers.names import scheduler_from_name
from ..schedulers.step_arguments import of_three
from .flow_arguments import flow_arguments

_USUAL_STEPS = 50


def schedule(source: Any, *, num_inference_steps: int | None = None, scheduler: Any | None = None) -> Schedule:
    """Timestep, σ, SNR and log-SNR of every call of the denoiser: a table with one row for each call.

    For a Trace, they are those of its run. For a pipeline, they are those of a run of `num_inference_steps`: a copy of
    the scheduler takes all steps with a model that predicts 0, so that second-order schedulers show all their calls
    (Heun 2N − 1, PNDM N + 1) at their real levels. The pipeline is not changed.

    Args:
        source: A Trace, or a pipeline.
        num_inference_steps: For a pipeline; None takes the default of its call.
        scheduler: For a pipeline, instead of its own: a name as in `load(scheduler=…)`, or an object.

    Raises:
        RunError: The number of steps is below 1; the scheduler cannot take these steps, or its noise levels are not
            computed: the message says why.
        TraceError: The trace does not know its noise levels.
        LoadError: No scheduler that fits has that name.
    """
    if isinstance(source, Trace):
        if num_inference_steps is not None or scheduler is not None:
            raise RunError("schedule(trace, …): a trace has its own steps and scheduler; leave both out")
        return schedule_of_trace(source)
    if not hasattr(source, "scheduler"):
        raise RunError(f"schedule({type(source).__name__}): give a Trace, or a pipeline with a scheduler")
    check_counts({"num_inference_steps": num_inference_steps}, "schedule")
    own = source.scheduler
    chosen = scheduler_from_name(source, scheduler) if isinstance(scheduler, str) else scheduler or own
    name = type(chosen).__name__
    if (reason := noise_levels.refusal(chosen)) is not None:
        raise RunError(f"schedule: noise levels of {name} are not computed: {reason}")
    steps = _usual_steps(source) if num_inference_steps is None else num_inference_steps
    walked = copy.deepcopy(chosen)
    try:
        marks = _walk(walked, steps, flow_arguments(source, walked, steps))
    except SdexploreError:
        raise
    except Exception as error:
        raise RunError(f"schedule: {name} does not go through {steps} steps: {error}") from error
    timesteps = np.array([float(mark.timestep) for mark in marks])
    sigmas = noise_levels.sigmas(walked, marks)
    if sigmas is None:
        raise RunError(f"schedule: noise levels of {name} are not known")
    return Schedule(
        scheduler=name,
        space=noise_levels.space(walked) or "unknown",
        timesteps=timesteps,
        sigmas=sigmas,
        source=model_name(source),
        asked={"num_inference_steps": num_inference_steps, "scheduler": scheduler},
        **trained(name, plain(dict(chosen.config)), timesteps),
    )


def _walk(scheduler: Any, steps: int, more: Mapping[str, Any]) -> list[noise_levels.StepMark]:
    """Takes every step with a model that predicts 0, and returns where the scheduler was at each."""
    scheduler.set_timesteps(steps, **more)
    step = of_three(scheduler.step)
    sample, marks = torch.zeros(1, 4, 1, 1), []
    for timestep in scheduler.timesteps:
        first = bool(getattr(scheduler, "state_in_first_order", True))
        scaled = scheduler.scale_model_input(sample, timestep) if hasattr(scheduler, "scale_model_input") else sample
        sample = step(torch.zeros_like(scaled), timestep, sample, return_dict=False)[0]
        marks.append(noise_levels.StepMark(timestep, getattr(scheduler, "step_index", None), first))
    return marks


def _usual_steps(pipe: Any) -> int:
    given = parameters_of(type(pipe).__call__).get("num_inference_steps")
    return given.default if given is not None and isinstance(given.default, int) else _USUAL_STEPS
