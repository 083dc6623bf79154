"""AuraFlow: joint attention over [registers, words, picture], in blocks of two streams and then of one.

The registers are learned tokens that stand for no word. Their columns are in the rest.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from dataclasses import replace
from typing import Any, ClassVar, cast

import torch
from torch import nn

from .attention_modules import Layer, Places
from .family import Call, Encoded, Family
from .grids import Grid, pair

_WORDS = 256


class AuraFlow(Family):
    """`AuraFlowTransformer2DModel`."""

    name: ClassVar[str] = "auraflow"
    title: ClassVar[str] = "AuraFlow transformer"
    classes: ClassVar[tuple[str, ...]] = ("AuraFlowTransformer2DModel",)
    dispatches: ClassVar[bool] = False
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer",)

    def given_timestep(self, timesteps: Any) -> Any:
        """The noise level τ, from 1 to 0."""
        return timesteps / 1000

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's embeddings, its mask, the negative prompt's, and theirs."""
        return {"cond": result[0], "uncond": result[2]}

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """Those of one stream attend to words too, though nothing in the module says so."""
        return {
            name: replace(layer, facts=replace(layer.facts, kind="joint"))
            for name, layer in super().attention_layers(denoiser).items()
        }

    def places(self, layer: Layer, call: Call, row: int, pixels: int) -> Places | None:
        """Behind the registers the words, and the picture last."""
        words = self.text_length(call, row)
        return Places(picture=slice(-pixels, None), words=slice(-pixels - words, -pixels))

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words, and time."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.joint_attention_dim),
            "timestep": torch.zeros(1),
        }

    def streams(self, denoiser: nn.Module, call: Call) -> dict[str, int]:
        """The registers stand before the words."""
        found, network = super().streams(denoiser, call), cast("Any", denoiser)
        return {
            "registers and words": network.register_tokens.shape[1] + found["words"],
            "picture": found["picture"],
        }
