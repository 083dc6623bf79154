"""Where a trace comes from, as typed JSON: every key that a run writes down and that others read.

No key is sure to be there: a stored trace may be older than a key, and a trace made by hand may name none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from ..theory import PredictionType, Space

SINCE_SCHEMA_2 = frozenset({"used", "foreign", "adapters", "changed"})
"""The keys that schema 1 of a trace's file does not know."""

SchedulerFacts = TypedDict(
    "SchedulerFacts",
    {
        "class": str,
        "config": dict[str, Any],
        "prediction_type": PredictionType | None,
        "space": Space | Literal["unknown"],
        "sigma_data": float,
        "refusal": str | None,
    },
    total=False,
)
"""The scheduler of a run: its class and config as diffusers names them, and what its numbers mean.

Where sdexplore computes no x0, "prediction_type" is None and "refusal" a sentence. "space" is the scale of the
latents. "sigma_data" is 1 without preconditioning.
"""


class ReconstructionFacts(TypedDict, total=False):
    """How well an inverted picture is redrawn from its noise: PSNR in dB, and that of the VAE's round trip alone."""

    psnr_db: float
    vae_psnr_db: float


class Provenance(TypedDict, total=False):
    """Where a trace comes from, without local paths.

    Attributes:
        model: The hub id, "mini", or "unknown".
        pipeline: The class of the pipeline.
        components: Component -> class.
        scheduler: The scheduler with its config, and what its numbers mean.
        dtype: Of the denoiser's weights, as in "float16".
        versions: Package -> version; None where it is not installed.
        image_size: The side in pixels of the pictures that the model was made for.
        device: The type of the device, as in "cuda".
        zeroed_roles: Roles whose prompt embeddings were all zeros.
        unconditional: Whether the model takes no prompt.
        seconds: Wall time of the run.
        guidance: diffusers' name of a scale -> the scale at each step.
        compiled: Backend -> "", or "eager" -> why a call ran without a compiled graph.
        out_of_memory: Names of arrays that are missing because memory did not suffice.
        reconstruction: How well `invert` can go back.
    """

    model: str
    pipeline: str
    components: Mapping[str, str]
    scheduler: SchedulerFacts
    dtype: str
    versions: Mapping[str, str | None]
    image_size: int | None
    device: str
    zeroed_roles: Sequence[str]
    unconditional: bool
    seconds: float
    guidance: Mapping[str, Sequence[float]]
    compiled: Mapping[str, str]
    out_of_memory: Sequence[str]
    reconstruction: ReconstructionFacts
