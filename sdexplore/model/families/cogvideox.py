"""CogVideoX: joint attention over [words, frame · y · x]; latents (row, frame, channel, y, x); the text of a T5.

CogVideoX 1.5 puts frames of latents in front where their number does not fit its patches, and drops them at the end.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import nn

from .grids import Grid
from .video import VideoFamily


class CogVideoX(VideoFamily):
    """`CogVideoXTransformer3DModel`."""

    name: ClassVar[str] = "cogvideox"
    title: ClassVar[str] = "CogVideoX transformer"
    classes: ClassVar[tuple[str, ...]] = ("CogVideoXTransformer3DModel",)
    positional: ClassVar[tuple[str, ...]] = ("hidden_states", "encoder_hidden_states", "timestep")
    dispatches: ClassVar[bool] = False
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer",)
    pipelines: ClassVar[tuple[str, ...]] = ("CogVideoXPipeline",)

    def sample_size(self, pipe: Any) -> Grid:
        """(y, x)."""
        config = self.denoiser(pipe).config
        return int(config.sample_height), int(config.sample_width)

    def side_multiple(self, pipe: Any) -> int:
        """A patch of latents, in pixels."""
        return int(pipe.vae_scale_factor_spatial * self.denoiser(pipe).config.patch_size)

    def unpacked(self, latents: torch.Tensor, size: Grid) -> Float[torch.Tensor, "row channel frame y x"]:
        """Frames behind channels."""
        return latents.transpose(1, 2)

    def packed(self, latents: Float[torch.Tensor, "row channel frame y x"], size: Grid) -> torch.Tensor:
        """The inverse."""
        return latents.transpose(1, 2)

    def asked_frames(self, pipe: Any, given: Mapping[str, Any]) -> int:
        """By default those that the transformer was made for."""
        return int(given.get("num_frames") or self.denoiser(pipe).config.sample_frames)

    def padding(self, pipe: Any, given: Mapping[str, Any]) -> int:
        """What the latents' frames lack of a multiple of the patch's."""
        patch = getattr(self.denoiser(pipe).config, "patch_size_t", None)
        return -self.frames(pipe, given)[0] % patch if patch else 0

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words, and time."""
        config: Any = network.config
        y, x = size or (config.sample_height, config.sample_width)
        frames = (config.sample_frames - 1) // config.temporal_compression_ratio + 1
        frames += -frames % (getattr(config, "patch_size_t", None) or 1)
        return {
            "hidden_states": torch.zeros(1, frames, config.in_channels, y, x),
            "encoder_hidden_states": torch.zeros(1, config.max_text_seq_length, config.text_embed_dim),
            "timestep": torch.zeros(1),
        }
