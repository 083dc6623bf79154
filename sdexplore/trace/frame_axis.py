"""The axis of frames that latents of a video have: how long it is, and which frame stands for the whole."""

from typing import Any, Final, TypeVar

from .declaration import parts_in
from .fields import TraceFields
from .lazy import Part, held

Array = TypeVar("Array", bound=Any)
FRAMED: Final = ("latents", "noise_preds", "noise_pred", "noise_pred_before_guide", "pred_original_sample")
"""The fields of a Trace whose arrays have the axis."""
BY_ROLE: Final = "noise_preds"
"""The one of them that holds an array a role."""
_AXIS = 2  # behind step and channel
_WITH_FRAMES = 5


def latent_frames(trace: TraceFields) -> int | None:
    """How many frames the latents or predictions of a trace have; None where they have no such axis, or are missing."""
    for name in FRAMED:
        value = held(trace, name)
        parts = parts_in(value).values() if name == BY_ROLE else [value]
        part: Part | None = next((one for one in parts if one is not None), None)
        if part is not None:
            return int(part.shape[_AXIS]) if part.ndim == _WITH_FRAMES else None
    return None


def middle(frames: int) -> int:
    """The number, from 0, of the frame that stands for so many."""
    return frames // 2


def middle_of(latents: Array) -> Array:
    """Latents (channel, y, x): of a video (channel, frame, y, x) those of its middle frame."""
    found: Array = latents[:, middle(latents.shape[1])] if latents.ndim == _WITH_FRAMES - 1 else latents
    return found
