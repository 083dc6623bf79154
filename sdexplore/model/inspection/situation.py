"""Which device a pipeline is on, and what its call takes by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psutil
import torch

from ...base.parameters import parameters_of
from ..components.pipeline_parts import denoiser, device_of, vae_scale_factor
from ..components.source_name import model_name, model_source
from ..families import family_of

_EMBEDDED: Final = 20  # as many named things are drawn as with 50 (its model card says how that was measured)
_DISTILLED: Final = {"LCMScheduler": 4, "TCDScheduler": 4}  # diffusers' examples with these schedulers


@dataclass(frozen=True)
class Situation:
    """Where a pipeline is, and how much memory its process holds now.

    Attributes:
        model: Where it came from; of a pipeline that was made of parts, its class.
        pipeline: Its class.
        device, dtype: Of the denoiser; the device is where it computes, if its weights are offloaded.
        bytes: Allocated on the GPU, or the memory of the whole process where there is none.
        side: Pixels along each side of the pictures that the model was made for; None if unknown.
    """

    model: str
    pipeline: str
    device: str
    dtype: str
    bytes: int
    side: int | None


def situation(pipe: Any) -> Situation:
    """Where the pipeline is now."""
    parameter = next(denoiser(pipe).parameters())
    device = device_of(pipe)
    sample = family_of(pipe).sample_size(pipe)
    return Situation(
        model=model_name(pipe),
        pipeline=type(pipe).__name__,
        device=str(device),
        dtype=str(parameter.dtype).removeprefix("torch."),
        bytes=torch.cuda.memory_allocated(device) if device.type == "cuda" else psutil.Process().memory_info().rss,
        side=sample * vae_scale_factor(pipe) if isinstance(sample, int) else None,
    )


def call_defaults(pipe: Any) -> Mapping[str, Any]:
    """Every argument that the pipeline's call names, with its default; None where there is no default."""
    named = parameters_of(type(pipe).__call__).values()
    return {one.name: None if one.default is one.empty else one.default for one in named if one.name != "self"}


def usual_size(pipe: Any) -> tuple[int, int] | None:
    """Height and width in pixels that the pipeline draws where none are given; None where it does not tell."""
    sample = family_of(pipe).sample_size(pipe)
    if sample is None:
        sample = getattr(pipe, "default_sample_size", None)
    sides = (sample, sample) if isinstance(sample, int) else tuple(sample or ())
    if len(sides) != 2:  # noqa: PLR2004  (y, x)
        return None
    factor = vae_scale_factor(pipe)
    return int(sides[0]) * factor, int(sides[1]) * factor


def size_unit(pipe: Any) -> int:
    """Pixels by which sides of pictures can differ: those that a latent pixel stands for."""
    return vae_scale_factor(pipe)


def suitable_steps(pipe: Any) -> int | None:
    """A number of steps to begin with: measured, or the few of a distilled model, or the pipeline's default."""
    if model_source(pipe) == "mini":
        return _EMBEDDED
    usual: int | None = call_defaults(pipe).get("num_inference_steps")
    return _DISTILLED.get(type(pipe.scheduler).__name__, usual)
