"""Lumina Image 2.0: joint attention over [words, picture]; the text's padding is dropped before it.

Refiners that see one side alone come first; their layers are not read. The time rises from 0 to 1, and the prediction
is negated before the scheduler gets it. A chat template stands around the prompt.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import nn

from .attention_modules import Layer, Places
from .family import Call, Encoded, Family
from .grids import Grid, pair

_WORDS = 64  # any number does for an example


class Lumina2(Family):
    """`Lumina2Transformer2DModel`."""

    name: ClassVar[str] = "lumina2"
    title: ClassVar[str] = "Lumina2 transformer"
    classes: ClassVar[tuple[str, ...]] = ("Lumina2Transformer2DModel",)
    dispatches: ClassVar[bool] = False
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    negative_apart: ClassVar[bool] = True
    guided_by: ClassVar[str] = "norm of a row"

    def latent_channels(self, pipe: Any) -> int:
        """What the transformer takes."""
        return int(self.denoiser(pipe).config.in_channels)

    def given_timestep(self, timesteps: Any) -> Any:
        """1 − τ, from 0 to 1."""
        return 1 - timesteps / 1000

    def noise_pred(self, output: Any, call: Call) -> torch.Tensor:
        """Negated, as the pipeline does."""
        return -super().noise_pred(output, call)

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's embeddings, its mask, the negative prompt's, and theirs."""
        return {"cond": result[0], "uncond": result[2]}

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The prompt's call comes first."""
        return tuple(reversed(super().roles(pipe, given)))

    def kept_of_fed(self, pipe: Any, ids: Sequence[int], seen: Sequence[int], given: Mapping[str, Any]) -> list[int]:
        """No padding."""
        return [place for place, one in enumerate(seen) if one]

    def text_length(self, call: Call, row: int = 0) -> int:
        """Without padding, which no joint layer sees."""
        return int(call["encoder_attention_mask"][row].sum())

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Latents, words with their mask, and time."""
        config: Any = network.config
        y, x = size or pair(config.sample_size)
        mask = torch.ones(1, _WORDS, dtype=torch.bool)
        # The transformer reads how many words there are, which a mask without content cannot tell.
        mask.sum = lambda **_: torch.tensor([_WORDS], device="cpu")  # type: ignore[assignment, method-assign]
        return {
            "hidden_states": torch.zeros(1, config.in_channels, y, x),
            "timestep": torch.zeros(1),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.cap_feat_dim),
            "encoder_attention_mask": mask,
        }

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """All that see both sides, which nothing in the module tells."""
        return {
            name: replace(layer, facts=replace(layer.facts, kind="joint"))
            for name, layer in super().attention_layers(denoiser).items()
        }

    def may_attend(self, name: str, module: nn.Module) -> bool:
        """No refiners."""
        return name.startswith("layers.")

    def places(self, layer: Layer, call: Call, row: int, pixels: int) -> Places | None:
        """The row's own words first, then the picture."""
        words = self.text_length(call, row)
        return Places(picture=slice(words, words + pixels), words=slice(0, words))

    def joint_lengths(self, denoiser: nn.Module, call: Call) -> frozenset[int]:
        """The longest row's words and the picture; of an example, the words with their padding."""
        mask = call["encoder_attention_mask"]
        words = mask.shape[1] if mask.is_meta else int(mask.sum(1).max())
        return frozenset({self.streams(denoiser, call)["picture"] + words})

    def streams(self, denoiser: nn.Module, call: Call) -> dict[str, int]:
        """The words with their padding, since an example's mask has no content."""
        (y, x), side = self.latent_size(call), self.patch(denoiser)
        return {"words": call[self.text].shape[1], "picture": (y // side) * (x // side)}
