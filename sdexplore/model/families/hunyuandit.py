"""HunyuanDiT: cross-attention to two texts, one behind the other (a Chinese BERT's, then T5's), and to the picture.

The padding is no masked key: a learned vector stands in its place.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from .family import Call, Encoded, Family
from .grids import Grid, pair
from .own_sizes import in_own_sizes, standard_shape

_BERT, _T5 = 77, 256  # positions
_SIZES = 6  # numbers that tell the picture's size and crop


class HunyuanDiT(Family):
    """`HunyuanDiT2DModel`."""

    name: ClassVar[str] = "hunyuandit"
    title: ClassVar[str] = "HunyuanDiT transformer"
    classes: ClassVar[tuple[str, ...]] = ("HunyuanDiT2DModel",)
    positional: ClassVar[tuple[str, ...]] = ("hidden_states", "timestep", "encoder_hidden_states")
    dispatches: ClassVar[bool] = False
    no_change: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Keep": "two texts stand one behind the other in the keys, and the formula aligns one"}
    )

    def latent_channels(self, pipe: Any) -> int:
        """What the transformer takes; it makes twice as many."""
        return int(self.denoiser(pipe).config.in_channels)

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:
        """One of the shapes that it was trained with, else multiples of 16."""
        cut = (size[0] // 16 * 16, size[1] // 16 * 16)
        return standard_shape(pipe, cut) if in_own_sizes(pipe, given) else cut

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """BERT's, which are encoded first; T5's tell the roles no better."""
        return {"cond": result[0], "uncond": result[1]} if earlier == 0 else {}

    def text_length(self, call: Call, row: int = 0) -> int:
        """Of both texts."""
        return int(call["encoder_hidden_states"].shape[1] + call["encoder_hidden_states_t5"].shape[1])

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """BERT's, then T5's."""
        return {name: _BERT if name == "tokenizer_2" else 0 for name in tokenizers}

    def lengths(self, pipe: Any, given: Mapping[str, Any]) -> dict[str, int]:
        """The pipeline's own."""
        return {"tokenizer": _BERT, "tokenizer_2": _T5}

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, both texts with their masks, sizes, style, and rotary positions."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        pixels = (y // config.patch_size) * (x // config.patch_size)
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "timestep": torch.zeros(1),
            "encoder_hidden_states": torch.zeros(1, _BERT, config.cross_attention_dim),
            "text_embedding_mask": torch.ones(1, _BERT),
            "encoder_hidden_states_t5": torch.zeros(1, _T5, config.cross_attention_dim_t5),
            "text_embedding_mask_t5": torch.ones(1, _T5),
            "image_meta_size": torch.zeros(1, _SIZES),
            "style": torch.zeros(1, dtype=torch.long),
            "image_rotary_emb": tuple(torch.zeros(pixels, config.attention_head_dim) for _ in range(2)),
        }
