"""Chroma: FLUX.1 without CLIP and without a distilled guidance scale; the negative prompt has a call of its own.

Its mask is added to the scores: 1 between real tokens and 0 elsewhere. So the padding is attended, a little less.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from torch import nn

from .attention_modules import Layer
from .family import Encoded, Family
from .flux import Flux


class Chroma(Flux):
    """`ChromaTransformer2DModel`."""

    name: ClassVar[str] = "chroma"
    title: ClassVar[str] = "Chroma transformer"
    masks_padding: ClassVar[bool] = True
    classes: ClassVar[tuple[str, ...]] = ("ChromaTransformer2DModel",)
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer",)

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's embeddings, their places, their mask, and the same of the negative prompt."""
        return {"cond": result[0], "uncond": result[3]}

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The prompt's, and with guidance the negative prompt's."""
        return tuple(reversed(Family.roles(self, pipe, given)))

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """In none do concepts go beside the text: its blocks are conditioned otherwise."""
        return Family.attention_layers(self, denoiser)

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:
        """Each role and when it is there."""
        yield from Family.role_conditions(self, pipe)

    def embeds_guidance(self, pipe: Any) -> bool:
        """No."""
        return False

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """T5's, the only ones."""
        return dict.fromkeys(tokenizers, 0)
