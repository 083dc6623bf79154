"""The UNet of Stable Diffusion and its kin: cross-attention to words and self-attention on a pyramid of grids."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from ...base.parameters import parameters_of
from .attention_modules import Layer, computes_fused
from .family import Call, Family, in_order
from .grids import Grid, WatchedGrids, grids_of_pass, pair
from .pipelines import edits_of
from .unet_blocks import Blocks, blocks_of
from .ways_in import KERNEL, Attended, Heard, Pays, Removable, listen_to_either, listen_to_projections

_OTHER_ORDERS = {  # by a word in the pipeline's class
    "InstructPix2Pix": ("cond", "image", "uncond"),
    "PipelineSafe": ("uncond", "cond", "extra_0"),  # behind the prompt, a concept to lead away from
}
_TEXT_POSITIONS = 77  # any number does for an example: no other shape depends on it
# Processors that attend with other queries and keys than the layer's to_q and to_k make.
_OWN_PROJECTIONS = ("CustomDiffusion", "CrossFrame", "AddedKV")
_OF_FRAMES = "UNetMotionModel"
# Processors that give torch's kernel the layer's queries and keys, once; an IP-Adapter's do so again for pictures.
_AT_KERNEL = frozenset({"AttnProcessor2_0", "FusedAttnProcessor2_0"})
_OVER_TIME = ("Temporal", "Transformer3D")
_BESIDE = re.compile(r"\.fuser\.|(^|\.)ctrl_")  # modules of a UNet beside the picture's own
_WITHOUT = "leave those layers out: Record(layers=…, self_attention=…), or Record(cross_attention=False)"


class UNet(Family):
    """Any UNet of diffusers, conditional or not; also one of somebody's own that a pipeline has as its `unet`."""

    name: ClassVar[str] = "unet"
    levels: ClassVar[bool] = True
    title: ClassVar[str] = "UNet"
    masks_padding: ClassVar[bool] = False
    component: ClassVar[str] = "unet"
    positional: ClassVar[tuple[str, ...]] = ("sample", "timestep", "encoder_hidden_states")
    sample: ClassVar[str] = "sample"
    dispatches: ClassVar[bool] = False
    scale_may_change: ClassVar[bool] = True
    pooled: ClassVar[str] = "add_text_embeds"
    changed_at_kernel: ClassVar[bool] = False
    no_change: ClassVar[Mapping[str, str]] = MappingProxyType({})
    heard_by: ClassVar[str] = "made no query and key with its to_q and to_k"

    def latent_channels(self, pipe: Any) -> int:
        """Channels of the latents: what the UNet predicts, without a variance that it may predict behind that."""
        variance = str(getattr(getattr(pipe, "scheduler", None), "config", {}).get("variance_type") or "")
        taken = self.in_channels(pipe)
        latent = getattr(getattr(getattr(pipe, "vae", None), "config", None), "latent_channels", None)
        named = getattr(self.denoiser(pipe).config, "out_channels", None)  # ControlNet-XS's UNet names none
        made = int(named or latent or taken or 4)
        return made // 2 if variance.startswith("learned") or made in (2 * (latent or 0), 2 * (taken or 0)) else made

    def knows(self, denoiser: nn.Module) -> bool:
        """Whatever a pipeline has as its `unet`; a transformer of diffusers takes `hidden_states` instead.

        A UNet of frames is AnimateDiff's.
        """
        of_frames = any(base.__name__ == _OF_FRAMES for base in type(denoiser).__mro__)
        return not of_frames and "hidden_states" not in parameters_of(type(denoiser).forward)

    def vae_scaling(self, pipe: Any) -> float | None:
        """SDXL's where the UNet takes its sizes and pooled text; else that of Stable Diffusion 1.x, for its own kin."""
        if getattr(self.denoiser(pipe).config, "addition_embed_type", None) == "text_time":
            return 0.13025
        name = type(pipe).__name__
        return 0.18215 if name.startswith("StableDiffusion") and "Upscale" not in name else None

    # A call

    def refusal(self, call: Call) -> str | None:
        """A mask changes the probabilities, and the projections do not see it."""
        masks = (name for name in ("attention_mask", "encoder_attention_mask") if call.get(name) is not None)
        name = next(masks, None)
        return None if name is None else f"with {name}: its probabilities would be wrong"

    def embeddings(self, call: Call) -> torch.Tensor | None:
        """The text's; an IP-Adapter's image embeddings come behind them in a tuple."""
        embeds = call.get(self.text)
        return embeds[0] if isinstance(embeds, tuple) else embeds

    def example_inputs(self, network: nn.Module, size: Grid | None) -> dict[str, Any]:
        """Sample, timestep, text and what else the UNet's config asks for."""
        config: Any = network.config
        y, x = size or pair(getattr(config, "sample_size", None))
        known = {
            "sample": torch.zeros(1, config.in_channels, y, x),
            "timestep": torch.zeros(1),
            "encoder_hidden_states": torch.zeros(1, _TEXT_POSITIONS, _text_width(config)),
            **_conditions(config),
        }
        takes = inspect.signature(network.forward).parameters
        return {name: value for name, value in known.items() if name in takes}

    # Roles

    def unconditional(self, pipe: Any) -> bool:
        """Whether no text reaches the UNet, and the pipeline takes no class."""
        named = parameters_of(type(self.denoiser(pipe)).forward).values()
        # A UNet of one's own may pass what it is given on by **kwargs.
        takes_text = any(one.name == self.text or one.kind is one.VAR_KEYWORD for one in named)
        return not takes_text and "class_labels" not in parameters_of(type(pipe).__call__)

    def order(self, pipe: Any, given: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Of unconditional pipelines, of InstructPix2Pix, and of semantic guidance, which has a row for each edit.

        InstructPix2Pix's rows without prompt have the same embeddings.
        """
        if self.unconditional(pipe):
            return ("uncond",)
        if "Semantic" in type(pipe).__name__ and (edits := edits_of(given or {})):
            return ("uncond", "cond", *(f"edit_{number}" for number in range(edits)))
        return next((order for word, order in _OTHER_ORDERS.items() if word in type(pipe).__name__), ())

    def roles(self, pipe: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
        """With classifier-free guidance, InstructPix2Pix's two, and perturbed-attention guidance."""
        if self.unconditional(pipe):
            return ("uncond",)
        guided = float(given.get("guidance_scale") or 0) > 1 and not self.embeds_guidance(pipe)
        if order := self.order(pipe, given):
            return order if guided and float(given.get("image_guidance_scale") or 1) >= 1 else ("cond",)
        perturbed = float(given.get("pag_scale") or 0) > 0 and bool(getattr(pipe, "pag_applied_layers", True))
        return (*(("uncond",) if guided else ()), "cond", *(("perturbed",) if perturbed else ()))

    def role_conditions(self, pipe: Any) -> Iterator[tuple[str, str]]:
        """Each role and when it is there."""
        if order := self.order(pipe):
            for role in order:
                both = "where guidance_scale > 1" + (" and image_guidance_scale ≥ 1" if "image" in order else "")
                yield role, "always" if role == "cond" else both
            return
        prompted = getattr(self.denoiser(pipe).config, "cross_attention_dim", None) is not None
        if prompted and not self.embeds_guidance(pipe):
            yield "uncond", "where guidance_scale > 1"
        yield "cond", "always"
        if hasattr(pipe, "pag_attn_processors"):
            yield "perturbed", "where pag_scale > 0"

    def embeds_guidance(self, pipe: Any) -> bool:
        """Whether the UNet takes the guidance scale as an embedding, as LCM's does, and makes no second row."""
        return getattr(self.denoiser(pipe).config, "time_cond_proj_dim", None) is not None

    # Attention

    def may_attend(self, name: str, module: nn.Module) -> bool:
        """Diffusers' own layers over pixels of the picture's own branch.

        GLIGEN's, over pixels and boxes, are left out, and those of ControlNet-XS's control branch.
        """
        return isinstance(module, Attention) and not _BESIDE.search(name)

    def listen(self, layer: Layer, heard: Heard, pays: Pays | None = None) -> Sequence[Removable]:
        """By hooks on the layer's projections; cross-attention at torch's kernel where that costs less."""
        if layer.to_picture or pays is None:
            return listen_to_projections(layer.module, heard)

        def at_kernel(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
            pixels: Any = args[0] if args else next(iter(kwargs.values()))
            words: Any = kwargs.get("encoder_hidden_states")
            if not isinstance(words, torch.Tensor) or pixels.ndim != 3:  # noqa: PLR2004  (row, pixel, width)
                return False
            return pays(pixels.shape[1], words.shape[1]) and _reaches_kernel(layer, pixels)

        return listen_to_either(layer.module, heard, at_kernel)

    def stays(self, layer: Layer) -> bool:
        """Diffusers' own processors write into none, nor does torch's kernel, where nothing stands in its place."""
        return layer.processor in _AT_KERNEL and functional.scaled_dot_product_attention is KERNEL

    def by_head(self, layer: Layer, attended: Attended) -> Attended:
        """Queries and keys as the layer's processor has them, in float32."""
        if attended.query.ndim == 4:  # noqa: PLR2004  (heard at the kernel)
            return super().by_head(layer, attended)
        made = self.computed(layer, attended)
        return Attended(in_order(made.query), in_order(made.key), made.scale)

    def computed(self, layer: Layer, attended: Attended) -> Attended:
        """As the layer's processor has them: with its norms, and on its scale."""
        attn: Any = layer.module
        q, k = _heads(attn, attended.query), _heads(attn, attended.key)
        scale = attn.scale
        if layer.processor.endswith("2_0"):  # those on torch's fused attention norm both, and have its own scale
            q, k = (x if norm is None else norm(x) for x, norm in ((q, attn.norm_q), (k, attn.norm_k)))
            scale = q.shape[-1] ** -0.5
        return Attended(q, k, scale)

    def unchangeable(self, layer: Layer) -> str | None:
        """Layers whose processors do not attend with what `to_q`, `to_k` and `to_v` make of their input."""
        if any(word in layer.processor for word in _OWN_PROJECTIONS):
            return f"{layer.processor} at {layer.name!r} attends with other queries, keys and values than its own"
        return None

    def text_keys(self, layer: Layer, embeds: torch.Tensor) -> Float[torch.Tensor, "row head position width"]:
        """By the layer's to_k, or fused to_kv."""
        module: Any = layer.module
        fused = computes_fused(module)
        projection = module.to_kv if fused else module.to_k
        home = next(projection.parameters()).device
        if home.type != "meta":  # offloaded as a whole model, it waits on the host while the text is encoded
            embeds = embeds.to(home)
        made = projection(embeds).chunk(2, dim=-1)[0] if fused else projection(embeds)
        return self.by_head(layer, Attended(made, made)).key

    # Sizes

    def grids(self, denoiser: nn.Module, layers: Collection[str]) -> WatchedGrids:
        """By hooks around the layers: each block has a grid of its own."""
        return WatchedGrids(denoiser, layers)

    def layer_grids(self, blueprint: nn.Module, size: Grid) -> dict[str, Grid]:
        """By the UNet's own code, run once without weights; GLIGEN's layers are among them."""
        with torch.device("meta"):
            inputs = self.example_inputs(blueprint, size)
        return grids_of_pass(blueprint, inputs, super().attention_layers(blueprint))

    def streams(self, denoiser: nn.Module, call: Call) -> dict[str, int]:  # noqa: ARG002
        """None: its blocks return the picture alone."""
        return {}

    def blocks(self, blueprint: nn.Module, inputs: Call, own: nn.Module) -> Blocks:
        """By the UNet's own code, run once without weights."""
        return blocks_of(blueprint, inputs, own)

    # Obstacles

    def obstacles(self, parts: Mapping[str, nn.Module], wanted: Mapping[str, str]) -> Iterator[str]:
        """Attention over frames, merged pixels, and processors with projections of their own."""
        for name, module in parts.items():
            if any(word in type(module).__name__ for word in _OVER_TIME):
                yield f"{name!r} attends over frames, which have no grid (y, x). Only pictures are observed"
                break
        yield from _merged(parts, wanted)
        for name in wanted:
            processor = type(getattr(parts.get(name), "processor", None)).__name__
            if any(word in processor for word in _OWN_PROJECTIONS):
                reason = f"{processor} at {name!r} attends with other queries and keys than to_q and to_k make"
                yield f"{reason}. Exchange it, or {_WITHOUT}"
                break


def _merged(parts: Mapping[str, nn.Module], wanted: Mapping[str, str]) -> Iterator[str]:
    """Pixels merged by tomesd: fewer queries than pixels, in self-attention unless more is asked for."""
    patched = (module for module in parts.values() if type(module).__name__ == "ToMeBlock")
    arguments = getattr(next(patched, None), "_tome_info", {}).get("args", {})
    for kind, argument in (("self_attention", "merge_attn"), ("cross_attention", "merge_crossattn")):
        if arguments.get(argument) and kind in wanted.values():
            yield f"tomesd merges pixels in {kind}, which then fill no grid. tomesd.remove_patch(pipe), or {_WITHOUT}"
            return


def _reaches_kernel(layer: Layer, pixels: torch.Tensor) -> bool:
    """Whether torch's kernel is given what the layer's projections make, in float32, of which it keeps all digits."""
    return (
        not torch.compiler.is_compiling()
        and layer.processor in _AT_KERNEL
        and pixels.dtype == torch.float32
        and pixels.is_cpu
        and not torch.is_autocast_enabled("cpu")
    )


def _heads(attn: Any, x: torch.Tensor) -> torch.Tensor:
    return x.reshape(*x.shape[:2], attn.heads, -1).transpose(1, 2)


def _text_width(config: Any) -> int:
    own: Any = getattr(config, "cross_attention_dim", 1)
    widths = getattr(config, "encoder_hid_dim", None) or own
    return int(widths if isinstance(widths, int) else widths[0])


def _conditions(config: Any) -> dict[str, Any]:
    """What SDXL (text and time), Kandinsky (image) and upscalers (class labels) need besides."""
    width: Any = getattr(config, "projection_class_embeddings_input_dim", None)
    conditions: dict[str, Any] = {}
    if getattr(config, "addition_embed_type", None) == "text_time":
        text = torch.zeros(1, width - 6 * config.addition_time_embed_dim)
        conditions["added_cond_kwargs"] = {"text_embeds": text, "time_ids": torch.zeros(1, 6)}
    elif getattr(config, "addition_embed_type", None) == "image":
        embeds = torch.zeros(1, _text_width(config))
        conditions["added_cond_kwargs"] = {"image_embeds": embeds}
    if getattr(config, "class_embed_type", None) in ("projection", "simple_projection"):
        conditions["class_labels"] = torch.zeros(1, width)
    elif getattr(config, "class_embed_type", None) or getattr(config, "num_class_embeds", None):
        conditions["class_labels"] = torch.zeros(1, dtype=torch.long)
    return conditions
