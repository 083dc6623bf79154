"""Z-Image: joint attention over [picture, words], each padded to a multiple of 32; the text of a Qwen3.

The call has lists, a tensor an image, the prompt's rows first. Refiners that see one side alone come first; their
layers are not read. The time rises from 0 to 1, the prediction is negated before the scheduler gets it, and guidance
starts from the prompt's own prediction.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import nn

from .attention_modules import Layer, Places
from .family import Call, Encoded, Family
from .grids import Grid

_MULTIPLE = 32
_WORDS = 64  # any number does for an example
_SIZE = (128, 128)  # latents of 1024 × 1024 pixels


class ZImage(Family):
    """`ZImageTransformer2DModel`."""

    name: ClassVar[str] = "zimage"
    title: ClassVar[str] = "Z-Image transformer"
    classes: ClassVar[tuple[str, ...]] = ("ZImageTransformer2DModel",)
    scale_may_change: ClassVar[bool] = True
    positional: ClassVar[tuple[str, ...]] = ("x", "t", "cap_feats")
    sample: ClassVar[str] = "x"
    timestep: ClassVar[str] = "t"
    text: ClassVar[str] = "cap_feats"
    fed: ClassVar[tuple[str, ...]] = ("tokenizer",)
    guided_by: ClassVar[str] = "from the prompt"

    def latent_channels(self, pipe: Any) -> int:
        """What the transformer takes."""
        return int(self.denoiser(pipe).config.in_channels)

    def given_timestep(self, timesteps: Any) -> Any:
        """1 − τ, from 0 to 1."""
        return 1 - timesteps / 1000

    def patch(self, denoiser: Any) -> int:
        """The first of the sizes that the transformer has."""
        return int(denoiser.config.all_patch_size[0])

    # A call

    def embeddings(self, call: Call) -> torch.Tensor | None:
        """A vector a row, the mean over its words, since rows have different lengths."""
        return _means(call[self.text])

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """Lists of both."""
        cond, uncond = result
        return {"cond": _means(cond), "uncond": _means(uncond) if uncond else None}

    def text_length(self, call: Call, row: int = 0) -> int:
        """Of one row, without padding."""
        return len(call[self.text][row])

    def kept_of_fed(self, pipe: Any, ids: Sequence[int], seen: Sequence[int], given: Mapping[str, Any]) -> list[int]:
        """No padding."""
        return [place for place, one in enumerate(seen) if one]

    def latent_size(self, call: Call) -> Grid:
        """(channel, frame, y, x) of the first row."""
        y, x = call[self.sample][0].shape[-2:]
        return int(y), int(x)

    def noise_pred(self, output: Any, call: Call) -> torch.Tensor:
        """Stacked, without the axis of frames, and negated, as the pipeline does."""
        made = output[0] if isinstance(output, tuple) else output.sample
        return -torch.stack([one.float() for one in made]).squeeze(2)

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The prompt's rows come first; guidance is there from 0 on."""
        return ("cond", "uncond") if float(given.get("guidance_scale") or 0) > 0 else ("cond",)

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Lists of latents and words, and time."""
        config: Any = network.config
        y, x = size or _SIZE
        return {
            "x": [torch.zeros(config.in_channels, 1, y, x)],
            "t": torch.zeros(1),
            "cap_feats": [torch.zeros(_WORDS, config.cap_feat_dim)],
        }

    def streams(self, denoiser: nn.Module, call: Call) -> dict[str, int]:
        """With the padding of both."""
        return {name: _padded(length) for name, length in super().streams(denoiser, call).items()}

    def joint_lengths(self, denoiser: nn.Module, call: Call) -> frozenset[int]:
        """With the padding of both, and of the longest row."""
        words = max(self.text_length(call, row) for row in range(self.rows(call)))
        return frozenset({self.streams(denoiser, call)["picture"] + _padded(words)})

    # Attention

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
        """The picture and its padding first, then the words."""
        first = _padded(pixels)
        return Places(picture=slice(0, pixels), words=slice(first, first + self.text_length(call, row)))


def _padded(length: int) -> int:
    return -(-length // _MULTIPLE) * _MULTIPLE


def _means(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack([row.float().mean(0, keepdim=True) for row in rows])
