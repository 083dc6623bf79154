"""What sdexplore must know of one kind of denoiser: the names of its parts, and where words and picture stand in them.

A family of diffusion transformers is one subclass in one file, and one line in the registry (`families/__init__.py`).
The methods here are what diffusers' transformers have in common; a family overrides what it does otherwise. A *call* is
the denoiser's arguments by name. x0 follows from the scheduler alone (`schedulers.noise_levels`), since `noise_pred`
gives predictions the sign that the scheduler gets.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import nn

from ...base.errors import InspectionError, RunError
from ...base.parameters import parameters_of
from .attention_modules import Layer, Places, attention_facts_of
from .grids import Grid, Grids, OneGrid
from .modules import modules_of
from .unet_blocks import Blocks
from .ways_in import Attended, Heard, Pays, Removable, listen_to_kernel

Call = Mapping[str, Any]
Encoded = Mapping[str, torch.Tensor | None]
"""Role -> embeddings; None where a negative prompt was not encoded."""


class Family:
    """One kind of denoiser; as it stands, a diffusion transformer with latents (batch, channel, y, x).

    Attributes:
        name: In the registry.
        title: How messages call the denoiser.
        component: The name of the denoiser in a pipeline.
        classes: Names of the denoiser's classes, or of those that they derive from.
        positional: The first arguments of a call, in their order.
        sample, timestep, text: Names of the arguments that hold the latents, the time, and the words' embeddings.
        output: Field of the output that holds the prediction.
        dispatches: Whether its processors go through diffusers' `dispatch_attention_fn`, where `set_attention_backend`
            chooses the kernel.
        changed_at_kernel: Whether a change of its attention is made at torch's kernel, and not at projections.
        pooled: Under which name a callback may change the pooled text; "" where none can change all of the prompt.
        heard_by: What a silent layer did not do; a message says it.
        sized_by_call: Tokenizers whose text the pipeline cuts and pads to the call's `max_sequence_length`.
        fed: Tokenizers whose text the pipeline writes otherwise than it was typed, in a template or in small letters.
        cut_to_size: Whether the pipeline resizes and cuts what it drew to the size that was asked for.
        negative_apart: Whether the pipeline writes a negative prompt otherwise than a prompt, without its template.
        levels: Whether its blocks go down, mid and up, as a UNet's do.
        masks_padding: Whether the pipeline hides padding from its text encoders.
        video: Whether it draws videos: latents have frames, (row, channel, frame, y, x) (`VideoFamily`).
        no_change: Class of a change that is not made in it -> why.
        scale_may_change: Whether a callback may change the scale of guidance on the way; else the pipeline goes on with
            what it was given.
        guided_by: How guidance combines the halves, where it is not ε_u + s (ε_c − ε_u) (`analysis.guidance`).
    """

    name: ClassVar[str]
    title: ClassVar[str] = "transformer"
    component: ClassVar[str] = "transformer"
    classes: ClassVar[tuple[str, ...]] = ()
    positional: ClassVar[tuple[str, ...]] = ("hidden_states",)
    sample: ClassVar[str] = "hidden_states"
    timestep: ClassVar[str] = "timestep"
    text: ClassVar[str] = "encoder_hidden_states"
    output: ClassVar[str] = "sample"
    dispatches: ClassVar[bool] = True
    changed_at_kernel: ClassVar[bool] = True
    pooled: ClassVar[str] = ""
    heard_by: ClassVar[str] = "gave nothing to torch's scaled_dot_product_attention"
    sized_by_call: ClassVar[tuple[str, ...]] = ()
    fed: ClassVar[tuple[str, ...]] = ()
    cut_to_size: ClassVar[bool] = False
    negative_apart: ClassVar[bool] = False
    levels: ClassVar[bool] = False
    masks_padding: ClassVar[bool] = True
    video: ClassVar[bool] = False
    no_change: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Keep": "words and picture have one softmax, and the formula mixes attention to words alone"}
    )
    scale_may_change: ClassVar[bool] = False
    guided_by: ClassVar[str] = ""

    # The denoiser

    def knows(self, denoiser: nn.Module) -> bool:
        """Whether a denoiser, out of torch.compile's shell, is of this family."""
        return any(base.__name__ in self.classes for base in type(denoiser).__mro__)

    def held(self, pipe: Any) -> Any:
        """What the pipeline has in the denoiser's place, in whatever shell."""
        return getattr(pipe, self.component, None)

    def denoiser(self, pipe: Any) -> Any:
        """The pipeline's denoiser, out of torch.compile's shell."""
        return unwrapped(self.held(pipe))

    def in_channels(self, pipe: Any) -> int | None:
        """Channels that the denoiser takes; None where its config does not say."""
        return getattr(self.denoiser(pipe).config, "in_channels", None)

    def latent_channels(self, pipe: Any) -> int:
        """Channels of the latents."""
        return int(self.denoiser(pipe).config.out_channels)

    def sample_size(self, pipe: Any) -> Any:
        """Latents along the sides of the pictures that the denoiser was made for: a number, (y, x), or None."""
        return getattr(self.denoiser(pipe).config, "sample_size", None)

    def drawn_size(self, pipe: Any, size: Grid, given: Mapping[str, Any]) -> Grid:  # noqa: ARG002
        """(height, width) in pixels that a call draws which is asked for this size."""
        return size

    def vae_scaling(self, pipe: Any) -> float | None:  # noqa: ARG002
        """`scaling_factor` of the VAE that the denoiser was trained with; None where it does not tell."""
        return None

    def given_timestep(self, timesteps: Any) -> Any:
        """The scheduler's timesteps as the denoiser is given them."""
        return timesteps

    def obstacles(self, parts: Mapping[str, nn.Module], wanted: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG002
        """What keeps the denoiser from being observed, as "reason. Way out"; by default nothing of its own.

        Args:
            parts: Its modules by dotted name.
            wanted: Layers to be read -> "cross_attention" or "self_attention".
        """
        yield from ()

    # A call

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of one call by name."""
        return {**dict(zip(self.positional, args, strict=False)), **kwargs}

    def refusal(self, call: Call) -> str | None:  # noqa: ARG002
        """Why attention of this call would be read wrongly; None where it would not."""
        return None

    def rows(self, call: Call) -> int:
        """Rows of the call's batch."""
        return len(call[self.sample])

    def embeddings(self, call: Call) -> torch.Tensor | None:
        """The words' embeddings (row, position, width); None where no text is given."""
        return call.get(self.text)

    def text_length(self, call: Call, row: int = 0) -> int:  # noqa: ARG002
        """How many positions a row's text has among the keys of a layer; 0 without text."""
        embeds = self.embeddings(call)
        return 0 if embeds is None else embeds.shape[1]

    def noise_pred(self, output: Any, call: Call) -> Float[torch.Tensor, "row channel *frame y x"]:
        """The prediction in the denoiser's output, with the sign that the scheduler gets."""
        made = output[0] if isinstance(output, tuple) else getattr(output, self.output)
        return self.unpacked(made, self.latent_size(call))

    def unpacked(self, latents: torch.Tensor, size: Grid) -> Float[torch.Tensor, "row channel *frame y x"]:  # noqa: ARG002
        """Latents of a size (y, x), or a prediction, as (row, channel, y, x), from how the pipeline packs them."""
        return latents

    def packed(self, latents: Float[torch.Tensor, "row channel *frame y x"], size: Grid) -> torch.Tensor:  # noqa: ARG002
        """The inverse of `unpacked`."""
        return latents

    def given_latents(self, latents: Float[torch.Tensor, "row channel y x"], size: Grid) -> torch.Tensor:
        """Latents as the pipeline's call takes them."""
        return self.packed(latents, size)

    # Roles

    def encoded(self, result: Any, earlier: int) -> Encoded:  # noqa: ARG002
        """Role -> embeddings in what the pipeline's `encode_prompt` returned; without "cond" they are further ones.

        Args:
            earlier: How often the call under way had its `encode_prompt` called before.
        """
        if not isinstance(result, tuple) or not isinstance(result[0], torch.Tensor):
            return {}
        uncond = result[1] if len(result) > 1 and isinstance(result[1], torch.Tensor) else None
        return {"cond": result[0], "uncond": uncond}

    def unconditional(self, pipe: Any) -> bool:  # noqa: ARG002
        """Whether the pipeline is told nothing of what to draw: no text, and no class."""
        return False

    def named_role(self, call: Call) -> str | None:  # noqa: ARG002
        """The role that the arguments of a call name by themselves; None where its rows tell it."""
        return None

    def skipped(self, call: Call) -> tuple[str, ...]:  # noqa: ARG002
        """Modules that the call leaves out by its own arguments: their layers are rightly silent."""
        return ()

    def lengths(self, pipe: Any, given: Mapping[str, Any]) -> dict[str, int]:
        """Tokenizer -> how many positions its text has in a call with these arguments, where the call decides it."""
        asked = self.length(pipe, given)
        return dict.fromkeys(self.sized_by_call, asked) if asked else {}

    def length(self, pipe: Any, given: Mapping[str, Any]) -> int | None:
        """The call's `max_sequence_length`, by default the pipeline's own; None where it has none."""
        known = parameters_of(type(pipe).__call__).get("max_sequence_length")
        asked = given.get("max_sequence_length", None if known is None else known.default)
        return asked if isinstance(asked, int) else None

    def kept_of_fed(
        self,
        pipe: Any,  # noqa: ARG002
        ids: Sequence[int],
        seen: Sequence[int],  # noqa: ARG002
        given: Mapping[str, Any],  # noqa: ARG002
    ) -> Sequence[int]:
        """The places of the tokens that come to the denoiser, of those that the text encoder was fed.

        Args:
            seen: The text encoder's attention mask, 1 for each token that is no padding.
        """
        return range(len(ids))

    def order(self, pipe: Any, given: Mapping[str, Any] | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Roles in the full batch of such a call, where their embeddings do not tell them; else empty."""
        return ()

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The roles that predict noise at every step of a call with these arguments, in the order of the batch."""
        del pipe
        guided = float(given.get("guidance_scale") or 0) > 1
        return ("uncond", "cond") if guided else ("cond",)

    def embeds_guidance(self, pipe: Any) -> bool:
        """Whether the denoiser takes the guidance scale as an input, and makes no second row for it."""
        return bool(getattr(self.denoiser(pipe).config, "guidance_embeds", False))

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Each role and when it is there, in the order of the batch."""
        yield "uncond", "where guidance_scale > 1"
        yield "cond", "always"

    def text_columns(self, tokenizers: Collection[str]) -> dict[str, int]:
        """Tokenizer -> the key that its first token has; a tokenizer whose tokens are no keys is left out."""
        return dict.fromkeys(tokenizers, 0)

    # Attention

    def attention_layers(self, denoiser: nn.Module) -> dict[str, Layer]:
        """Dotted name -> every attention layer of the denoiser in which the picture attends."""
        asked = ((name, module) for name, module in modules_of(denoiser).items() if self.may_attend(name, module))
        return {name: Layer(name, module, facts) for name, module in asked if (facts := attention_facts_of(module))}

    def may_attend(self, name: str, module: nn.Module) -> bool:  # noqa: ARG002
        """Whether a module can be an attention layer of this family; a quick look, since a run asks every module."""
        return True

    def listen(self, layer: Layer, heard: Heard, pays: Pays | None = None) -> Sequence[Removable]:  # noqa: ARG002
        """Has `heard` called with what the layer attends with, at every call; what is returned takes that off.

        Args:
            pays: Asked at each call by a family that can hear a layer in two ways; None: never at the kernel.
        """
        return listen_to_kernel(layer.module, heard)

    def stays(self, layer: Layer) -> bool:  # noqa: ARG002
        """Whether nothing writes into the layer's queries and keys once they were heard: they may be read later."""
        return False

    def by_head(self, layer: Layer, attended: Attended) -> Attended:  # noqa: ARG002
        """The same as (row, head, position, width) in float32; its attention is softmax(scale · Q Kᵀ + mask)."""
        query, key = in_order(attended.query), in_order(attended.key)
        return Attended(query, key, attended.scale, attended.mask, attended.normaliser)

    def computed(self, layer: Layer, attended: Attended) -> Attended:  # noqa: ARG002
        """Query and key by head as the layer attends with them, in the model's own precision."""
        return attended

    def places(self, layer: Layer, call: Call, row: int, pixels: int) -> Places | None:  # noqa: ARG002
        """Where picture and words stand in a row of a joint layer; None: the queries are all of the picture.

        Args:
            pixels: Of the layer's grid.
        """
        return None

    def standing(self, denoiser: nn.Module, layer: Layer, call: Call, row: int) -> Places:
        """`places` of a row of any layer: where they are not told, all queries are the picture's and all keys words."""
        grids = self.grids(denoiser, ())
        grids.begin(call)
        y, x = grids.of(layer.name) or (0, 0)
        return self.places(layer, call, row, y * x) or Places(picture=slice(None), words=slice(None))

    def unchangeable(self, layer: Layer) -> str | None:  # noqa: ARG002
        """Why what the layer attends with, or its heads, cannot be changed; None where they can.

        Layers that are heard at the kernel are changed there (`change_at_kernel`), the words' keys where `places` says.
        In others query, key and value come from `to_q`, `to_k`, `to_v` or fused ones, the words' keys are at the
        positions that `text_columns` says, and the heads go to `to_out[0]` side by side (`ways_to_change`).
        """
        return None

    def leading_rows_only(self, layer: Layer) -> bool:
        """Whether the layer may attend in the leading rows of the batch alone, as perturbed-attention guidance does."""
        return layer.processor.startswith("PAG")

    def text_keys(self, layer: Layer, embeds: torch.Tensor) -> Float[torch.Tensor, "row head position width"]:  # noqa: ARG002
        """The keys that a cross-attention layer makes of the words' embeddings, in float32.

        Raises:
            RunError: The layer's keys depend on more than the words.
        """
        if layer.joint:
            why = "has words and picture in one softmax, so that another word's share depends on all of its keys"
        else:
            why = f"is a {self.title}'s, and how it makes keys of other words is not known here"
        raise RunError(f"open_word_map: layer {layer.name!r} {why}")

    # Concepts beside the text

    def concept_embeds(self, pipe: Any, concepts: Sequence[str], given: Mapping[str, Any]) -> torch.Tensor:  # noqa: ARG002
        """(concept, width): the first token of each concept's text, as the pipeline gives T5's text to its denoiser.

        Raises:
            RunError: The pipeline has no T5.
        """
        raise RunError(f"Record(concepts=…): how a {self.title} takes words beside its text is not known")

    def concept_conditioning(self, module: Any, args: tuple[Any, ...], made: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """What conditions the concepts, by a call of the module that conditions the blocks, and what it made."""
        return made

    # Sizes

    def patch(self, denoiser: Any) -> int:
        """Latents along the side of one picture token."""
        return int(getattr(denoiser.config, "patch_size", 1))

    def latent_size(self, call: Call) -> Grid:
        """(y, x) of a call's latents."""
        y, x = call[self.sample].shape[-2:]
        return int(y), int(x)

    def grids(self, denoiser: nn.Module, layers: Collection[str]) -> Grids:  # noqa: ARG002
        """What tells each layer's grid of picture tokens during a call."""
        side = self.patch(denoiser)

        def grid_of(call: Call) -> Grid:
            y, x = self.latent_size(call)
            return y // side, x // side

        return OneGrid(grid_of)

    def layer_grids(self, blueprint: nn.Module, size: Grid) -> dict[str, Grid]:
        """Each attention layer's grid for latents of a size (y, x), before a run.

        Args:
            blueprint: A denoiser of the same class and config, on the meta device.
        """
        side = self.patch(blueprint)
        return dict.fromkeys(self.attention_layers(blueprint), (size[0] // side, size[1] // side))

    def streams(self, denoiser: nn.Module, call: Call) -> dict[str, int]:
        """What stands along the middle axis of a block's tensors in such a call -> how many positions it has there."""
        sample, side = call[self.sample], self.patch(denoiser)
        if isinstance(sample, torch.Tensor) and sample.ndim == 3:  # noqa: PLR2004  (row, patch, width): packed
            return {"words": self.text_length(call), "picture": sample.shape[1]}
        y, x = self.latent_size(call)
        return {"words": self.text_length(call), "picture": (y // side) * (x // side)}

    def joint_lengths(self, denoiser: nn.Module, call: Call) -> frozenset[int]:
        """How many positions a tensor of words and picture together may have in such a call."""
        found = self.streams(denoiser, call)
        words = max(self.text_length(call, row) for row in range(self.rows(call)))
        return frozenset({sum(found.values()), found["picture"] + words})

    def blocks(self, blueprint: nn.Module, inputs: Call, own: nn.Module) -> Blocks:  # noqa: ARG002
        """The blocks down, mid and up of a denoiser; see `blocks_of`.

        Raises:
            InspectionError: It has no such blocks.
        """
        raise InspectionError(f"a {self.title} has no blocks down, mid and up")

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:  # noqa: ARG002
        """Arguments for one forward pass over one image of latents (y, x), on the device that is the default one.

        Raises:
            InspectionError: The family does not know them.
        """
        raise InspectionError(f"the arguments of {type(network).__name__} are not known")


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without the shell of torch.compile."""
    inner = getattr(module, "_orig_mod", module)
    return inner if isinstance(inner, nn.Module) else module


def in_order(x: torch.Tensor) -> torch.Tensor:
    """The tensor in float32 and contiguous, at once: a product would copy what is not contiguous."""
    return x.to(torch.float32, memory_format=torch.contiguous_format)
