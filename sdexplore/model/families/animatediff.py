"""AnimateDiff: the UNet of Stable Diffusion with motion modules between its blocks, which attend over frames.

The UNet folds frames into its batch: the words' embeddings have a row for each frame of each latent. The VAE is one of
pictures, so that each frame of the latents is one frame of the video.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from .family import Call, Family
from .grids import Grid, OneGrid, pair
from .unet import UNet
from .video import VideoFamily

_FRAMES = 2  # any number does for an example
_WORDS = 77


class AnimateDiff(VideoFamily, UNet):
    """`UNetMotionModel`."""

    name: ClassVar[str] = "animatediff"
    title: ClassVar[str] = "AnimateDiff UNet"
    classes: ClassVar[tuple[str, ...]] = ("UNetMotionModel",)
    pooled: ClassVar[str] = ""
    pipelines: ClassVar[tuple[str, ...]] = ("AnimateDiffPipeline",)
    rounds_frames: ClassVar[bool] = False

    def knows(self, denoiser: nn.Module) -> bool:
        """By its class, as transformers are known."""
        return Family.knows(self, denoiser)

    def embeddings(self, call: Call) -> torch.Tensor | None:
        """Those of each row's first frame; all frames of a row have the same."""
        embeds = UNet.embeddings(self, call)
        return embeds if embeds is None else embeds[:: max(1, len(embeds) // self.rows(call))]

    def grids(self, denoiser: nn.Module, layers: Collection[str]) -> OneGrid:  # type: ignore[override]
        """Of the latents: no layer is read."""
        return OneGrid(self.latent_size)

    def obstacles(self, parts: Mapping[str, nn.Module], wanted: Mapping[str, str]) -> Iterator[str]:
        """None: no layer is read."""
        yield from ()

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, the words of every frame, and time."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        return {
            "sample": torch.zeros(1, config.in_channels, _FRAMES, y, x),
            "timestep": torch.zeros(1),
            "encoder_hidden_states": torch.zeros(_FRAMES, _WORDS, config.cross_attention_dim),
        }

    def state(self, pipe: Any) -> str | None:
        """FreeInit draws several trajectories, and FreeNoise has windows and prompts of its own."""
        if getattr(pipe, "free_init_enabled", False):
            return "FreeInit draws the video several times, and a trace is one trajectory. pipe.disable_free_init()"
        if getattr(pipe, "free_noise_enabled", False):
            return "FreeNoise lays windows of frames over each other, with own prompts. pipe.disable_free_noise()"
        return None
