"""How noisy a scheduler's sample is at each step, σ = √(1−ᾱ)/√ᾱ, and on which scale it holds samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from ...theory import PredictionType, Space

# Schedulers by the scale of their samples and by where they keep σ. A test compares each with a known denoiser.
_BY_TIMESTEP = (
    "CogVideoXDDIMScheduler",
    "CogVideoXDPMScheduler",
    "DDIMParallelScheduler",
    "DDIMScheduler",
    "DDPMParallelScheduler",
    "DDPMScheduler",
    "LCMScheduler",
    "PNDMScheduler",
    "TCDScheduler",
    "UnCLIPScheduler",
)
_BY_SIGMA_PRESERVING = (
    "DEISMultistepScheduler",
    "DPMSolverMultistepInverseScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
)
_BY_SIGMA_EXPLODING = (
    "DPMSolverSDEScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
)
_PRECONDITIONED = (  # σ exploding, and the model's output is Karras et al.'s F
    "CosineDPMSolverMultistepScheduler",
    "EDMDPMSolverMultistepScheduler",
    "EDMEulerScheduler",
)
_FLOW_MATCHING = ("FlowMatchEulerDiscreteScheduler",)  # x_t = (1 − τ) x0 + τ ε, τ kept as σ; the output is v = ε − x0
_DDIM_INVERSE = "DDIMInverseScheduler"
_IPNDM = "IPNDMScheduler"
_REASONS = {
    "CMStochasticIterativeScheduler": "a consistency model answers with the picture itself, mixed with x_t by its "
    "boundary condition; there is no noise prediction in it",
    "RePaintScheduler": "its step asks for the picture to be repainted, which only RePaint's pipeline gives",
    "KarrasVeScheduler": "its step asks for σ itself, which only its own pipeline gives",
}


@dataclass(frozen=True)
class StepMark:
    """The state of the scheduler at one step: what it was given, and its own counters before and after."""

    timestep: Any
    index_after: int | None
    first_order: bool


def refusal(scheduler: Any) -> str | None:
    """Why x0 is not computed for this scheduler, in a sentence; None where it is."""
    name, cls = _known(scheduler), type(scheduler).__name__
    if name is None:
        bases = (base.__name__ for base in type(scheduler).__mro__)
        return next((_REASONS[base] for base in bases if base in _REASONS), f"{cls} is not known to sdexplore")
    kind, flow = _named_prediction(scheduler), _flow(scheduler)
    if kind not in get_args(PredictionType):
        return f"its prediction_type is {kind!r}, for which no formula is known"
    if kind == "v_prediction" and flow:
        return "v_prediction on flow matching's scale has two readings: its a = 1 − σ and b = σ are no a² + b² = 1"
    if kind == "flow_prediction" and not flow:
        return (
            "flow_prediction without use_flow_sigmas: this scheduler then subtracts σ v from a sample of another scale"
        )
    return None


def space(scheduler: Any) -> Space | None:
    """The scale of the scheduler's samples; None where it is not known here."""
    name = _known(scheduler)
    if name is None:
        return None
    if name in (*_BY_SIGMA_EXPLODING, *_PRECONDITIONED):
        return "variance exploding"
    return "flow matching" if _flow(scheduler) else "variance preserving"


def _known(scheduler: Any) -> str | None:
    """The class of the scheduler, or the nearest it derives from, that is known here."""
    kinds = (_BY_TIMESTEP, _BY_SIGMA_PRESERVING, _BY_SIGMA_EXPLODING, _PRECONDITIONED, _FLOW_MATCHING)
    known = {_DDIM_INVERSE, _IPNDM}.union(*kinds)
    return next((cls.__name__ for cls in type(scheduler).__mro__ if cls.__name__ in known), None)


def _flow(scheduler: Any) -> bool:
    if (name := _known(scheduler)) in _FLOW_MATCHING:
        return True
    return bool(getattr(scheduler.config, "use_flow_sigmas", False)) and name in _BY_SIGMA_PRESERVING


def _named_prediction(scheduler: Any) -> str:
    name, named = _known(scheduler), str(getattr(scheduler.config, "prediction_type", "epsilon"))
    if name in _FLOW_MATCHING:
        return "flow_prediction"
    if name == _IPNDM:  # its config does not say; it rotates (x_t, output) as v-prediction does
        return "v_prediction"
    return "edm" if name in _PRECONDITIONED and named == "epsilon" else named


def prediction_type(scheduler: Any) -> PredictionType | None:
    """What the model's output means; None where x0 has no formula here (`refusal` says why)."""
    if refusal(scheduler) is not None:
        return None
    kind: PredictionType = _named_prediction(scheduler)  # type: ignore[assignment]  # `refusal` checked it
    return kind


def sigma_data(scheduler: Any) -> float:
    """The data's standard deviation that the scheduler's preconditioning assumes; 1 without preconditioning."""
    return float(scheduler.config.sigma_data) if _known(scheduler) in _PRECONDITIONED else 1.0


def sigmas(scheduler: Any, marks: Sequence[StepMark]) -> Float64[np.ndarray, " step"] | None:
    """σ of the sample at each step; None where `refusal` says why not."""
    if refusal(scheduler) is not None:
        return None
    return np.array([_sigma(scheduler, mark) for mark in marks], np.float64)


def before_step(scheduler: Any, timestep: Any) -> float:
    """σ of the sample that the scheduler is about to be given."""
    index = getattr(scheduler, "step_index", None)
    if index is None and hasattr(scheduler, "index_for_timestep"):  # it counts from the first step on
        begin = getattr(scheduler, "begin_index", None)
        index = scheduler.index_for_timestep(timestep) if begin is None else begin
    first = bool(getattr(scheduler, "state_in_first_order", True))
    return _sigma(scheduler, StepMark(timestep, None if index is None else index + 1, first))


def after_step(scheduler: Any, mark: StepMark) -> float | None:
    """σ of the sample that the step at `mark` returned; None where the scheduler keeps no σ by steps."""
    if mark.index_after is None or space(scheduler) in (None, "variance preserving"):
        return None
    half_way = not getattr(scheduler, "state_in_first_order", True)
    if half_way and mark.index_after + 1 < len(scheduler.sigmas):
        return _sigma(scheduler, StepMark(mark.timestep, mark.index_after + 1, first_order=False))
    return of_index(scheduler, mark.index_after)


def _sigma(scheduler: Any, mark: StepMark) -> float:
    name = _known(scheduler)
    if name == _DDIM_INVERSE:  # its step starts from the timestep before the one that it is given
        before = int(mark.timestep) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
        return of_alpha_bar(scheduler.alphas_cumprod[before] if before >= 0 else scheduler.initial_alpha_cumprod)
    if name in _BY_TIMESTEP:
        return of_alpha_bar(scheduler.alphas_cumprod[int(mark.timestep)])
    if mark.index_after is None:
        raise RuntimeError(f"{name} did not count its step")
    index = mark.index_after - 1
    if name == _IPNDM:  # alphas and betas here are a and b themselves
        return of_alpha_bar(np.square(float(scheduler.alphas[index])))
    return of_index(scheduler, index) if mark.first_order else _second_order(scheduler, index)


def _second_order(scheduler: Any, index: int) -> float:
    """σ at the second call of a step, which some schedulers make between two of their σ."""
    match _known(scheduler):
        case "KDPM2DiscreteScheduler":
            return float(scheduler.sigmas_interpol[index])
        case "KDPM2AncestralDiscreteScheduler":
            return float(scheduler.sigmas_interpol[index - 1])
        case "DPMSolverSDEScheduler":  # half way on a logarithmic scale
            return float(np.sqrt(float(scheduler.sigmas[index - 1]) * float(scheduler.sigmas[index])))
        case _:
            return of_index(scheduler, index)


def of_index(scheduler: Any, index: int) -> float:
    """σ that the scheduler keeps at `index` of its own `sigmas`; flow matching's τ = σ/(1+σ) is turned around."""
    kept = float(scheduler.sigmas[min(index, len(scheduler.sigmas) - 1)])
    if not _flow(scheduler):
        return kept
    return kept / (1.0 - kept) if kept < 1 else float("inf")


def of_alpha_bar(alpha_bar: Any) -> float:
    """√(1−ᾱ)/√ᾱ; infinite where a schedule of zero terminal SNR begins with noise alone."""
    share = float(alpha_bar)
    return float(np.sqrt((1.0 - share) / share)) if share > 0 else float("inf")
