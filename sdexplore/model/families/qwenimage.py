"""Qwen-Image: joint attention over [words, picture]; latents as patches; the text of a Qwen2.5-VL.

A chat template stands around the prompt; its first tokens are dropped behind the encoder. Guidance keeps the norm that
each patch of the prompt's own prediction has.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from . import packed_latents
from .family import Call
from .flux import Flux
from .grids import Grid

_WORDS = 64


class QwenImage(Flux):
    """`QwenImageTransformer2DModel`."""

    name: ClassVar[str] = "qwenimage"
    title: ClassVar[str] = "Qwen-Image transformer"
    masks_padding: ClassVar[bool] = True
    classes: ClassVar[tuple[str, ...]] = ("QwenImageTransformer2DModel",)
    positional: ClassVar[tuple[str, ...]] = ("hidden_states",)
    sized_by_call: ClassVar[tuple[str, ...]] = ()
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    guided_by: ClassVar[str] = "norm of a patch"

    def latent_channels(self, pipe: Any) -> int:
        """The transformer's own word for it."""
        return int(self.denoiser(pipe).config.in_channels) // packed_latents.SIDE**2

    def kept_of_fed(self, pipe: Any, ids: Sequence[int], seen: Sequence[int], given: Mapping[str, Any]) -> list[int]:
        """Behind the template's first tokens, and no padding."""
        return [place for place, one in enumerate(seen) if one][pipe.prompt_template_encode_start_idx :]

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """The only tokenizer's."""
        return dict.fromkeys(tokenizers, 0)

    def latent_size(self, call: Call) -> Grid:
        """From the shapes that are given beside the patches: (frame, y, x) of each picture."""
        shapes = call["img_shapes"][0]
        _, y, x = shapes[0] if isinstance(shapes, list) else shapes
        return y * packed_latents.SIDE, x * packed_latents.SIDE

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Patches, their shape, and words."""
        config: Any = network.config
        y, x = (side // packed_latents.SIDE for side in size or (128, 128))
        return {
            "hidden_states": torch.zeros(1, y * x, config.in_channels),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.joint_attention_dim),
            "encoder_hidden_states_mask": torch.ones(1, _WORDS, dtype=torch.long),
            "timestep": torch.zeros(1),
            "img_shapes": [[(1, y, x)]],
        }
