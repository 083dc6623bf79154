"""FLUX.2: joint attention over [words, picture], in blocks of two streams and then of one; text of a Qwen3 or Mistral.

A picture token is one latent of a grid half as fine as the VAE's, which has four times the channels; its channels are
normalised by statistics that the VAE holds.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from .attention_modules import AttentionFacts, Layer
from .family import Call, Family
from .flux import Flux
from .grids import Grid

_WORDS = 512


class Flux2(Flux):
    """`Flux2Transformer2DModel`."""

    name: ClassVar[str] = "flux2"
    title: ClassVar[str] = "FLUX.2 transformer"
    masks_padding: ClassVar[bool] = True
    classes: ClassVar[tuple[str, ...]] = ("Flux2Transformer2DModel",)
    sized_by_call: ClassVar[tuple[str, ...]] = ()
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)

    def latent_channels(self, pipe: Any) -> int:
        """Of a token."""
        config = self.denoiser(pipe).config
        return int(config.out_channels or config.in_channels)

    def noise_pred(self, output: Any, call: Call) -> torch.Tensor:
        """Of the picture's own tokens."""
        made = output[0] if isinstance(output, tuple) else output.sample
        y, x = self.latent_size(call)
        return self.unpacked(made[:, : y * x], (y, x))

    def unpacked(self, latents: torch.Tensor, size: Grid) -> torch.Tensor:
        """Rows of tokens as a picture."""
        found: torch.Tensor = latents.mT.unflatten(2, size)  # type: ignore[no-untyped-call]
        return found

    def packed(self, latents: torch.Tensor, size: Grid) -> torch.Tensor:
        """The inverse."""
        return latents.flatten(2).mT

    def given_latents(self, latents: torch.Tensor, size: Grid) -> torch.Tensor:
        """As a picture."""
        return latents

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:
        """Cut to whole tokens."""
        side = 2 * int(pipe.vae_scale_factor)
        return size[0] // side * side, size[1] // side * side

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The prompt's call comes first; where the scale is an input, it is the only one."""
        return ("cond",) if self.embeds_guidance(pipe) else tuple(reversed(Family.roles(self, pipe, given)))

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:
        """Each role and when it is there."""
        if self.embeds_guidance(pipe):
            yield "cond", "always"
        else:
            yield from Family.role_conditions(self, pipe)

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """The only tokenizer's."""
        return dict.fromkeys(tokenizers, 0)

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """Those of one stream make queries, keys, values and more by one projection."""
        found = {}
        for name, module in denoiser.named_modules():
            if not name.endswith(".attn"):
                continue
            heads, width = int(module.heads), int(module.inner_dim)
            found[name] = Layer(name, module, AttentionFacts("joint", heads, width // heads, width))
        return found

    def sample_size(self, pipe: Any) -> Any:
        """As the pipeline says, which counts the VAE's latents."""
        size = getattr(pipe, "default_sample_size", None)
        return None if size is None else size // 2

    def patch(self, denoiser: Any) -> int:
        """1: a latent is a token."""
        return 1

    def latent_size(self, call: Call) -> Grid:
        """From the places (time, y, x, word) of the picture's tokens; pictures that are given have other times."""
        ids = call["img_ids"][0] if call["img_ids"].ndim == 3 else call["img_ids"]  # noqa: PLR2004  (image, token, place)
        _, y, x, _ = (ids[ids[:, 0] == 0].amax(0).int() + 1).tolist()
        return y, x
