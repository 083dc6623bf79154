"""PixArt-α and PixArt-Σ: cross-attention to T5's text, self-attention to the picture, latents as a picture.

The text's padding is masked. The transformer predicts a variance behind the noise, which no step uses.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from .family import Encoded, Family
from .grids import Grid, pair
from .own_sizes import nearest_shape

_PIXELS = 8  # of a latent, as its pipelines count
_WORDS = 300  # any number does for an example: no other shape depends on it


class PixArt(Family):
    """`PixArtTransformer2DModel`."""

    name: ClassVar[str] = "pixart"
    title: ClassVar[str] = "PixArt transformer"
    classes: ClassVar[tuple[str, ...]] = ("PixArtTransformer2DModel",)
    dispatches: ClassVar[bool] = False
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer",)
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    cut_to_size: ClassVar[bool] = True
    no_change: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def latent_channels(self, pipe: Any) -> int:
        """What the transformer takes; it makes twice as many."""
        return int(self.denoiser(pipe).config.in_channels)

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:
        """One of the shapes of as many pixels as the transformer was made for."""
        return nearest_shape(pipe, _PIXELS * int(self.denoiser(pipe).config.sample_size), size, given)

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's embeddings, its mask, the negative prompt's, and theirs."""
        return {"cond": result[0], "uncond": result[2]}

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words, time, and the size and shape of the picture."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.caption_channels),
            "timestep": torch.zeros(1),
            "added_cond_kwargs": {"resolution": torch.zeros(1, 2), "aspect_ratio": torch.zeros(1, 1)},
        }
