"""Stable Diffusion 3 and 3.5: joint attention over [picture, words], in one stream of blocks.

The words' keys are two texts, one behind the other: the features of both CLIP encoders, a column a position, then
T5's. SD 3.5's dual blocks attend a second time, to the picture alone (`attn2`). Skip-layer guidance predicts the
prompt once more with some blocks left out.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import nn

from ...base.errors import RunError
from .attention_modules import Layer, Places
from .concept_stream import with_text_streams
from .family import Call, Family
from .grids import Grid, pair

_CLIP = 77  # positions of either CLIP encoder


class SD3(Family):
    """`SD3Transformer2DModel`."""

    name: ClassVar[str] = "sd3"
    title: ClassVar[str] = "SD3 transformer"
    masks_padding: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = ("SD3Transformer2DModel",)
    scale_may_change: ClassVar[bool] = True
    dispatches: ClassVar[bool] = False
    pooled: ClassVar[str] = "pooled_prompt_embeds"
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer_3",)

    # Roles

    def named_role(self, call: Call) -> str | None:
        """The name "skipped" where blocks are left out of the call."""
        return "skipped" if call.get("skip_layers") else None

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """With classifier-free guidance, and skip-layer guidance on top of it."""
        found = super().roles(pipe, given)
        return (*found, "skipped") if given.get("skip_guidance_layers") and "uncond" in found else found

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:
        """Each role and when it is there."""
        yield from super().role_conditions(pipe)
        yield "skipped", "where skip_guidance_layers and guidance_scale > 1 are given, at some steps"

    def skipped(self, call: Call) -> tuple[str, ...]:
        """The blocks that skip-layer guidance leaves out."""
        return tuple(f"transformer_blocks.{number}" for number in call.get("skip_layers") or ())

    # Attention

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """CLIP's two share the first 77 keys; T5's are behind them."""
        return {name: _CLIP if name == "tokenizer_3" else 0 for name in tokenizers}

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """In blocks of two streams, all of them."""
        return with_text_streams(denoiser, super().attention_layers(denoiser))

    def concept_embeds(self, pipe: Any, concepts: Sequence[str], given: Mapping[str, Any]) -> torch.Tensor:
        """T5's, which stand behind CLIP's."""
        if pipe.text_encoder_3 is None or pipe.tokenizer_3 is None:
            raise RunError("Record(concepts=…): a concept is read by T5, and this pipeline has no text_encoder_3")
        none, length = [""] * len(concepts), {"max_sequence_length": self.length(pipe, given)}
        return cast(
            "torch.Tensor",
            pipe.encode_prompt(none, none, list(concepts), do_classifier_free_guidance=False, **length)[0][:, _CLIP],
        )

    def places(self, layer: Layer, call: Call, row: int, pixels: int) -> Places | None:
        """The picture first, then the words."""
        if not layer.joint:
            return None
        words = self.text_length(call)
        return Places(picture=slice(0, -words), words=slice(-words, None))

    # Sizes

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, the words of three encoders, and the pooled text."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "encoder_hidden_states": torch.zeros(1, 2 * _CLIP, config.joint_attention_dim),
            "pooled_projections": torch.zeros(1, config.pooled_projection_dim),
            "timestep": torch.zeros(1),
        }
