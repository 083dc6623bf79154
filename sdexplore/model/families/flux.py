"""FLUX.1: joint attention over [words, picture], in blocks of two streams and then of one; latents as patches.

The words' keys are T5's alone: CLIP makes the pooled text, which makes no keys. FLUX.1-dev takes the guidance scale as
an input and predicts one row; `true_cfg_scale` beside a negative prompt makes a second call a step.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import nn

from ...base.errors import RunError
from . import packed_latents
from .attention_modules import Layer, Places
from .concept_stream import with_text_streams
from .family import Call, Encoded, Family
from .grids import Grid

_WORDS = 512  # any number does for an example: no other shape depends on it


class Flux(Family):
    """`FluxTransformer2DModel`."""

    name: ClassVar[str] = "flux"
    title: ClassVar[str] = "FLUX transformer"
    masks_padding: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = ("FluxTransformer2DModel",)
    positional: ClassVar[tuple[str, ...]] = ("hidden_states", "encoder_hidden_states")
    sized_by_call: ClassVar[tuple[str, ...]] = ("tokenizer_2",)

    def latent_channels(self, pipe: Any) -> int:
        """A quarter of what a patch holds."""
        config = self.denoiser(pipe).config
        return int(config.out_channels or config.in_channels) // packed_latents.SIDE**2

    def sample_size(self, pipe: Any) -> Any:
        """As the pipeline says; the transformer has no size of its own."""
        return getattr(pipe, "default_sample_size", None)

    def given_timestep(self, timesteps: Any) -> Any:
        """The noise level τ, from 1 to 0."""
        return timesteps / 1000

    # A call

    def noise_pred(self, output: Any, call: Call) -> torch.Tensor:
        """Of the picture's own patches; FLUX.1 Kontext has those of a second picture behind them."""
        made = output[0] if isinstance(output, tuple) else output.sample
        y, x = self.latent_size(call)
        return packed_latents.unpacked(made[:, : y * x // packed_latents.SIDE**2], (y, x))

    def unpacked(self, latents: torch.Tensor, size: Grid) -> torch.Tensor:
        """From patches of 2 × 2."""
        return packed_latents.unpacked(latents, size)

    def packed(self, latents: torch.Tensor, size: Grid) -> torch.Tensor:
        """To patches of 2 × 2."""
        return packed_latents.packed(latents)

    # Roles

    def encoded(self, result: Any, earlier: int) -> Encoded:
        """The prompt's, then by a call of its own the negative prompt's, each with what else was encoded."""
        return {"uncond" if earlier else "cond": result[0]}

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:
        """Cut to whole tokens; Kontext's pipeline first makes it as large as `max_area`."""
        side, (height, width) = 2 * int(pipe.vae_scale_factor), size
        if type(pipe).__name__ == "FluxKontextPipeline":
            area = given.get("max_area", 1024**2)
            height, width = (round((area * ratio) ** 0.5) for ratio in (height / width, width / height))
        return height // side * side, width // side * side

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The prompt's, and with `true_cfg_scale` the negative prompt's."""
        negative = any(given.get(name) is not None for name in ("negative_prompt", "negative_prompt_embeds"))
        return ("cond", "uncond") if negative and float(given.get("true_cfg_scale") or 0) > 1 else ("cond",)

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:
        """Each role and when it is there."""
        yield "cond", "always"
        yield "uncond", "where true_cfg_scale > 1 and a negative_prompt is given"

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """T5's alone."""
        return {name: 0 for name in tokenizers if name == "tokenizer_2"}

    # Attention

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """Those of two streams first, then those of one."""
        return with_text_streams(denoiser, super().attention_layers(denoiser))

    def concept_embeds(self, pipe: Any, concepts: Sequence[str], given: Mapping[str, Any]) -> torch.Tensor:
        """T5's alone."""
        if pipe.text_encoder_2 is None or pipe.tokenizer_2 is None:
            raise RunError("Record(concepts=…): a concept is read by T5, and this pipeline has no text_encoder_2")
        length = {"max_sequence_length": self.length(pipe, given)}
        return cast("torch.Tensor", pipe.encode_prompt([""] * len(concepts), list(concepts), **length)[0][:, 0])

    def concept_conditioning(self, module: Any, args: tuple[Any, ...], made: torch.Tensor) -> torch.Tensor:
        """As the authors' code has it: time and guidance scale, with zeros for the pooled text."""
        *others, pooled = args
        return cast("torch.Tensor", module.forward(*others, torch.zeros_like(pooled)))

    def places(self, layer: Layer, call: Call, row: int, pixels: int) -> Places | None:
        """The words first, then the picture."""
        words = self.text_length(call)
        return Places(picture=slice(words, words + pixels), words=slice(0, words))

    # Sizes

    def patch(self, denoiser: Any) -> int:
        """2: the pipeline packs, not the transformer."""
        return packed_latents.SIDE

    def latent_size(self, call: Call) -> Grid:
        """From the places of the picture's patches, (which picture, y, x); FLUX.1 Kontext has a second picture."""
        ids = call["img_ids"].reshape(-1, 3)
        _, y, x = (ids[ids[:, 0] == 0].amax(0).int() + 1).tolist()
        return y * packed_latents.SIDE, x * packed_latents.SIDE

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Patches and words with their places, the pooled text and the guidance scale where they are inputs."""
        config: Any = network.config
        side, axes = self.patch(network), len(config.axes_dims_rope)
        y, x = (one // side for one in size or (128, 128))
        found = {
            "hidden_states": torch.zeros(1, y * x, config.in_channels),
            "encoder_hidden_states": torch.zeros(1, _WORDS, config.joint_attention_dim),
            "timestep": torch.zeros(1),
            "img_ids": torch.zeros(y * x, axes),
            "txt_ids": torch.zeros(_WORDS, axes),
        }
        if (pooled := getattr(config, "pooled_projection_dim", None)) is not None:
            found["pooled_projections"] = torch.zeros(1, pooled)
        if getattr(config, "guidance_embeds", False):
            found["guidance"] = torch.zeros(1)
        return found
