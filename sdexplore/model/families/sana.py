"""Sana: cross-attention to the text of a Gemma, and linear attention to the picture.

Linear attention has no softmax, and so no probabilities: its layers (`attn1`) are no attention layers here. The
pipeline puts an instruction in front of the prompt, and keeps of the whole text its first token and the last ones.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from .family import Encoded, Family
from .grids import Grid, pair
from .own_sizes import nearest_shape

_PIXELS = 32  # of a latent, as its pipelines count
_WORDS = 300


class Sana(Family):
    """`SanaTransformer2DModel`."""

    name: ClassVar[str] = "sana"
    title: ClassVar[str] = "Sana transformer"
    classes: ClassVar[tuple[str, ...]] = ("SanaTransformer2DModel",)
    dispatches: ClassVar[bool] = False
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    cut_to_size: ClassVar[bool] = True
    no_change: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Keep": "its attention to the picture is linear, without the probabilities that are kept"}
    )
    negative_apart: ClassVar[bool] = True

    def latent_channels(self, pipe: Any) -> int:
        """What the transformer takes."""
        return int(self.denoiser(pipe).config.in_channels)

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:
        """One of the shapes of as many pixels as the transformer was made for."""
        return nearest_shape(pipe, _PIXELS * int(self.denoiser(pipe).config.sample_size), size, given)

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's embeddings, its mask, the negative prompt's, and theirs."""
        return {"cond": result[0], "uncond": result[2]}

    def kept_of_fed(self, pipe: Any, ids: Sequence[int], seen: Sequence[int], given: Mapping[str, Any]) -> list[int]:
        """The first, and the last max_sequence_length − 1."""
        length = self.length(pipe, given)
        return [0, *range(len(ids) - length + 1, len(ids))] if length and length < len(ids) else list(range(len(ids)))

    def may_attend(self, name: str, module: nn.Module) -> bool:
        """Not linear attention."""
        return not name.endswith(".attn1")

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words, and time."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.caption_channels),
            "timestep": torch.zeros(1),
        } | ({"guidance": torch.zeros(1)} if getattr(config, "guidance_embeds", False) else {})
