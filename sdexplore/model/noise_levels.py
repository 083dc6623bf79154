"""How noisy a scheduler's sample is at each step: σ = √(1−ᾱ)/√ᾱ, and the scale that it holds samples on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..theory import Space

# Schedulers by how they hold samples and where they keep σ; each is tested against its own x0.
_BY_TIMESTEP = (
    "DDIMScheduler",
    "DDIMParallelScheduler",
    "DDPMScheduler",
    "DDPMParallelScheduler",
    "LCMScheduler",
    "PNDMScheduler",
)
_BY_SIGMA_PRESERVING = (
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
)
_BY_SIGMA_EXPLODING = (
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
)
_INVERSE = "DDIMInverseScheduler"
_PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True)
class StepMark:
    """Where the scheduler stood at one step: what it was given, and its own state before and after."""

    timestep: Any
    index_after: int | None
    first_order: bool


def space(scheduler: Any) -> Space | None:
    """The scale of the scheduler's samples; None where it is not known here."""
    name = _known(scheduler)
    if name is None:
        return None
    return "variance exploding" if name in _BY_SIGMA_EXPLODING else "variance preserving"


def _known(scheduler: Any) -> str | None:
    """The class of the scheduler, or the nearest it derives from, that is known here."""
    known = {*_BY_TIMESTEP, *_BY_SIGMA_PRESERVING, *_BY_SIGMA_EXPLODING, _INVERSE}
    return next((cls.__name__ for cls in type(scheduler).__mro__ if cls.__name__ in known), None)


def prediction_type(scheduler: Any) -> str | None:
    """epsilon, v_prediction or sample; None where x0 has another formula (flow matching, say)."""
    named = getattr(scheduler.config, "prediction_type", "epsilon")
    flow = getattr(scheduler.config, "use_flow_sigmas", False)
    return named if named in _PREDICTION_TYPES and not flow else None


def sigmas(scheduler: Any, marks: Sequence[StepMark]) -> Float64[np.ndarray, " step"] | None:
    """σ of the sample at each step; None for a scheduler that is not known here."""
    if space(scheduler) is None or prediction_type(scheduler) is None:
        return None
    return np.array([_sigma(scheduler, mark) for mark in marks], np.float64)


def _sigma(scheduler: Any, mark: StepMark) -> float:
    name = _known(scheduler)
    if name == _INVERSE:  # its step starts from the timestep before the one that it is given
        before = int(mark.timestep) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
        return _ratio(scheduler.alphas_cumprod[before] if before >= 0 else scheduler.initial_alpha_cumprod)
    if name in _BY_TIMESTEP:
        return _ratio(scheduler.alphas_cumprod[int(mark.timestep)])
    if mark.index_after is None:
        raise RuntimeError(f"{name} did not count its step")
    index = mark.index_after - 1
    if not mark.first_order and name == "KDPM2DiscreteScheduler":
        return float(scheduler.sigmas_interpol[index])
    if not mark.first_order and name == "KDPM2AncestralDiscreteScheduler":
        return float(scheduler.sigmas_interpol[index - 1])
    return float(scheduler.sigmas[index])


def _ratio(alpha_bar: Any) -> float:
    """√(1−ᾱ)/√ᾱ; infinite where a schedule of zero terminal SNR begins with noise alone."""
    share = float(alpha_bar)
    return float(np.sqrt((1.0 - share) / share)) if share > 0 else float("inf")
