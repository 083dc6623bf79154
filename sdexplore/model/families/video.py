"""What families of video have in common: latents (row, channel, frame, y, x), and attention that is not read.

Their layers attend over frames, y and x together, or over frames alone, for which a trace has no maps. So a video is
recorded as a trajectory: latents, predictions and x0 of every frame, the frames of the video, and no attention.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from torch import nn

from .attention_modules import Layer
from .family import Family
from .grids import Grid

MOST_FRAMES: Final = 10_000


class VideoFamily(Family):
    """A denoiser of videos.

    Attributes:
        pipelines: Classes whose calls are one trajectory of one video, from text.
        rounds_frames: Whether the pipeline makes another number of frames than it is asked for where that is not one
            more than a multiple of what a latent frame stands for.
        several: Whether the pipeline makes the `num_videos_per_prompt` that it is asked for.
    """

    video: ClassVar[bool] = True
    pipelines: ClassVar[tuple[str, ...]] = ()
    rounds_frames: ClassVar[bool] = True
    several: ClassVar[bool] = False

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """None: no layer has a grid (y, x)."""
        return {}

    def layer_grids(self, blueprint: nn.Module, size: Grid) -> dict[str, Grid]:
        """None."""
        return {}

    def frames(self, pipe: Any, given: Mapping[str, Any]) -> tuple[int, int]:
        """How many frames the latents of such a call have, without padding, and how many the video has.

        Args:
            given: The arguments of the call, with its defaults.
        """
        every = self.compression(pipe)
        latent = (self.asked_frames(pipe, given) - 1) // every + 1
        return latent, (latent - 1) * every + 1

    def asked_frames(self, pipe: Any, given: Mapping[str, Any]) -> int:
        """How many frames a call asks for."""
        return int(given.get("num_frames") or 1)

    def compression(self, pipe: Any) -> int:
        """How many frames of the video one frame of the latents stands for, but for the first, which stands for one."""
        return int(getattr(pipe, "vae_scale_factor_temporal", None) or 1)

    def side_multiple(self, pipe: Any) -> int:
        """What height and width are multiples of, or else the pipeline draws another size; 1 where none is asked."""
        return 1

    def padding(self, pipe: Any, given: Mapping[str, Any]) -> int:
        """How many frames of latents the pipeline puts in front, and drops before it decodes."""
        return 0

    def further(self, pipe: Any) -> dict[str, nn.Module]:
        """Component -> a denoiser beside the first, which the pipeline changes to during its steps, in what shell."""
        return {}

    def scale_at(self, pipe: Any, timestep: Any) -> float | None:
        """The guidance scale at a timestep, where it is another than the pipeline's `guidance_scale`; else None."""
        return None

    def state(self, pipe: Any) -> str | None:
        """Why calls of a pipeline in this state are no one trajectory, with the way out; None where they are."""
        return None
