"""Shapes and grids of a network, found on the meta device without weights or memory.

A *blueprint* is a second network of the same class and config, whose parameters have shapes and no content. Its forward
pass runs the model's real code, so the grids of any size are those of a real run. The user's own module is only read.
"""

import copy
import inspect
from collections.abc import Iterator, Mapping, ValuesView
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torchinfo
from torch import nn
from transformers import PreTrainedModel

from ...base.errors import InspectionError
from ...records.tree import AttentionLayer
from ..families import family_of
from ..families.attention_modules import attention_facts_of
from ..families.family import Family
from ..families.grids import Grid, WatchedGrids, pair

Shape: TypeAlias = tuple[int, ...]
TOKENS = 77  # any number works: only the text's own shape depends on it


def blueprint(module: nn.Module) -> nn.Module:
    """A network of the module's class and config on the meta device, in evaluation mode.

    Raises:
        InspectionError: The module has no config to build one from.
    """
    config: Any = getattr(module, "config", None)
    with torch.device("meta"):
        if isinstance(module, PreTrainedModel):
            network: nn.Module = type(module)(copy.deepcopy(config))
            return network.eval()
        if hasattr(type(module), "from_config") and isinstance(config, Mapping):
            return from_config(type(module), config)
    raise InspectionError(f"{type(module).__name__} has no config to build a blueprint from")


def from_config(cls: Any, config: Mapping[str, Any]) -> nn.Module:
    """A network of a diffusers class on the meta device, in evaluation mode."""
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    if known.get("encoder_hid_dim_type") == "ip_image_proj":
        known["encoder_hid_dim_type"] = None  # set by load_ip_adapter; the constructor refuses it
    with torch.device("meta"):
        network: nn.Module = cls.from_config(known)
    return network.eval()


def example_inputs(network: nn.Module, size: Grid | None = None) -> dict[str, Any]:
    """Arguments on the meta device for one forward pass over one image.

    Args:
        network: A blueprint.
        size: Of a denoiser's latents (y, x); by default the config's own.

    Raises:
        InspectionError: Nothing is known about the network's arguments.
    """
    config: Any = network.config
    with torch.device("meta"):
        if isinstance(network, PreTrainedModel):
            if network.main_input_name == "pixel_values":
                channels = getattr(config, "num_channels", 3)
                return {"pixel_values": torch.zeros(1, channels, *pair(config.image_size))}
            tokens = getattr(config, "max_position_embeddings", TOKENS)
            return {network.main_input_name: torch.zeros(1, min(tokens, TOKENS), dtype=torch.long)}
        if not hasattr(config, "in_channels"):
            raise InspectionError(f"the arguments of {type(network).__name__} are not known")
        takes = inspect.signature(network.forward).parameters
        if takes.keys() & {"timestep", "t"}:  # a denoiser
            with suppress(InspectionError):  # of no known family, or its family does not say
                return family_of(network).example_inputs(network, size)
        if "hidden_states" in takes:
            known = _transformer_inputs(config, takes)
        else:
            known = {
                "sample": torch.zeros(1, config.in_channels, *(size or pair(getattr(config, "sample_size", None))))
            }
        return {name: value for name, value in known.items() if name in takes}


def _transformer_inputs(config: Any, takes: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a diffusion transformer: latents as a picture (SD 3, PixArt), or as a row of patches (FLUX)."""
    y, x = pair(getattr(config, "sample_size", None))
    latents = torch.zeros(1, config.in_channels, y, x)
    width = getattr(config, "joint_attention_dim", None) or getattr(config, "caption_channels", None)
    ids: dict[str, torch.Tensor] = {}
    if "img_ids" in takes:  # 1024 x 1024 pixels: 64 x 64 patches of 2 x 2 latents, each with its three coordinates
        latents = torch.zeros(1, 64 * 64, config.in_channels)
        ids = {"img_ids": torch.zeros(64 * 64, 3), "txt_ids": torch.zeros(TOKENS, 3), "guidance": torch.zeros(1)}
    return {
        "hidden_states": latents,
        "timestep": torch.zeros(1),
        "encoder_hidden_states": torch.zeros(1, TOKENS, width or 1),
        "pooled_projections": torch.zeros(1, getattr(config, "pooled_projection_dim", 1) or 1),
        "added_cond_kwargs": {"resolution": torch.zeros(1, 2), "aspect_ratio": torch.zeros(1, 1)},
        **ids,
    }


@dataclass(frozen=True)
class Watched:
    """What the modules of a network did in one forward pass, by dotted name, in the order in which they were called.

    Attributes:
        outputs: Shapes of the tensors that a module returned, none of what is nested deeper; of its last call.
        grids: Grid (y, x) of every attention layer, as far as it has one.
    """

    outputs: Mapping[str, tuple[Shape, ...]]
    grids: Mapping[str, Grid]


def watched_pass(network: nn.Module, inputs: Mapping[str, Any], size: Grid | None = None) -> Watched:
    """Runs a blueprint once, by torchinfo; the order of its modules' calls, and the shapes of what they return.

    torchinfo tells one tensor a module; hooks add those of modules that return several, the order of the calls, and
    the grids of attention layers.

    Args:
        size: Of a denoiser's latents (y, x). A transformer's places have no content here, so that it alone tells them.
    """
    outputs: dict[str, tuple[Shape, ...]] = {}
    several: dict[str, tuple[Shape, ...]] = {}

    def watch(name: str, module: nn.Module) -> None:
        def begin(_: nn.Module, __: Any) -> None:
            outputs.setdefault(name, ())

        def end(_: nn.Module, __: Any, output: Any) -> None:
            if not isinstance(output, torch.Tensor):
                several[name] = tuple(tuple(one.shape) for one in _flat(output) if isinstance(one, torch.Tensor))

        module.register_forward_pre_hook(begin)
        module.register_forward_hook(end)

    for name, module in network.named_modules():
        watch(name, module)
    family = _family(network)
    told = family is not None and type(family).layer_grids is Family.layer_grids
    layers = [] if told else [name for name, module in network.named_modules() if attention_facts_of(module)]
    places = WatchedGrids(network, layers)
    try:
        summary = torchinfo.summary(network, input_data=dict(inputs), verbose=0, col_names=())
    finally:
        places.remove()
    torchinfo.torchinfo.clear_cached_forward_pass()  # it would keep the blueprint alive
    names = {id(module): name for name, module in network.named_modules()}
    for info in summary.summary_list:
        name, shape = names.get(info.layer_id), tuple(info.output_size or ())
        if name in outputs and shape and all(isinstance(length, int) for length in shape):
            outputs[name] = (shape,)
    where = family.layer_grids(network, size) if family is not None and told and size is not None else places.found()
    return Watched(outputs | several, where)


def _flat(output: Any) -> Iterator[Any]:
    """What a module returns, one by one; of a list of pictures in a field (Z-Image's), each."""
    whole = output.values() if isinstance(output, Mapping) else output
    for one in whole if isinstance(whole, (tuple, list, ValuesView)) else (whole,):
        yield from one if isinstance(one, list) else (one,)


def attention_facts(network: nn.Module, where: Mapping[str, Grid]) -> tuple[AttentionLayer, ...]:
    """The attention layers of a network, of diffusers or transformers, with the grids that are known."""
    family = _family(network)
    own = {} if family is None else family.attention_layers(network)  # a family knows more than its modules tell
    found = (
        (name, own[name].facts if name in own else attention_facts_of(module))
        for name, module in network.named_modules()
    )
    return tuple(
        AttentionLayer(name, facts.kind, facts.heads, facts.head_dim, facts.key_dim, resolution=where.get(name))
        for name, facts in found
        if facts
    )


def _family(network: nn.Module) -> Family | None:
    """The family of a denoiser; None of any other network."""
    try:
        return family_of(network)
    except InspectionError:
        return None
