"""Wan: cross-attention to the text of a UMT5, self-attention over frame · y · x; two calls for guidance.

Wan 2.2 has two transformers: the first draws the noisy steps, the second those below `boundary_ratio`, each with a
guidance scale of its own. A run hears both.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from typing import Any, ClassVar

import torch
from torch import nn

from .grids import Grid
from .video import VideoFamily

_SECOND = "transformer_2"
_WORDS = 512
_SIZE = (60, 104)  # latents of 480 × 832 pixels
_FRAMES = 3  # any number does for an example


class Wan(VideoFamily):
    """`WanTransformer3DModel`."""

    name: ClassVar[str] = "wan"
    title: ClassVar[str] = "Wan transformer"
    classes: ClassVar[tuple[str, ...]] = ("WanTransformer3DModel",)
    positional: ClassVar[tuple[str, ...]] = ("hidden_states", "timestep", "encoder_hidden_states")
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer",)
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    pipelines: ClassVar[tuple[str, ...]] = ("WanPipeline",)
    several: ClassVar[bool] = True

    def sample_size(self, pipe: Any) -> Grid:
        """Of the pipeline's own default size."""
        return _SIZE

    def side_multiple(self, pipe: Any) -> int:
        """A patch of latents, in pixels."""
        return int(pipe.vae_scale_factor_spatial * max(self.denoiser(pipe).config.patch_size[1:]))

    def further(self, pipe: Any) -> dict[str, nn.Module]:
        """The second transformer of Wan 2.2, where the pipeline changes to it."""
        second = getattr(pipe, _SECOND, None)
        return {} if second is None or pipe.config.boundary_ratio is None else {_SECOND: second}

    def scale_at(self, pipe: Any, timestep: Any) -> float | None:
        """`guidance_scale_2` where the second transformer draws."""
        share, second = pipe.config.boundary_ratio, getattr(pipe, "_guidance_scale_2", None)
        if share is None or second is None or float(timestep) >= share * pipe.scheduler.config.num_train_timesteps:
            return None
        return float(second)

    def patch(self, denoiser: Any) -> int:
        """Along y and x; frames are not joined."""
        return int(denoiser.config.patch_size[-1])

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words, and time."""
        config: Any = network.config
        y, x = size or _SIZE
        return {
            "hidden_states": torch.zeros(1, config.in_channels, _FRAMES, y, x),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.text_dim),
            "timestep": torch.zeros(1),
        }

    def state(self, pipe: Any) -> str | None:
        """Which transformers are there, and which the pipeline calls."""
        if pipe.config.boundary_ratio is not None and getattr(pipe, _SECOND, None) is None:
            return (
                f"its config has boundary_ratio={pipe.config.boundary_ratio}, and transformer_2, which it calls below "
                "that, is None. Load it, or pipe.register_to_config(boundary_ratio=None)"
            )
        return None
