"""Shapes and grids of a network, found on the meta device: no weights, no memory.

A *blueprint* is a second network of the same class and config whose parameters have shapes and no
content. Its forward pass runs the model's real code, so grids of any size come out as they will be,
while the user's own module is only read.
"""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch
import torchinfo
from diffusers.models.attention_processor import Attention
from torch import nn
from transformers import PreTrainedModel

from sdexplore.base.errors import InspectionError
from sdexplore.records.tree import AttentionLayer

Grid = tuple[int, int]
TOKENS = 77  # any count does: no shape but the text's own depends on it


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without the shell of torch.compile."""
    inner = getattr(module, "_orig_mod", module)
    return inner if isinstance(inner, nn.Module) else module


def blueprint(module: nn.Module) -> nn.Module:
    """A network of the module's class and config on the meta device, in evaluation mode.

    Raises:
        InspectionError: The module has no config to build from.
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
        size: Of the `sample` argument (y, x); by default the config's own.

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
        if "hidden_states" in takes:
            known = _transformer_inputs(config, takes)
            return {name: value for name, value in known.items() if name in takes}
        y, x = size or pair(getattr(config, "sample_size", None))
        known = {
            "sample": torch.zeros(1, config.in_channels, y, x),
            "timestep": torch.zeros(1),
            "encoder_hidden_states": torch.zeros(1, TOKENS, _text_width(config)),
            **_conditions(config),
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


def grids(network: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Grid]:
    """Grid (y, x) of every attention layer of a blueprint, by dotted name.

    It is taken from the layer's own input, or from that of the nearest module around it which still
    has four axes (the transformer block): queries are flattened, and a root cannot undo that.
    """
    seen: dict[str, Grid] = {}
    layers = [name for name, module in network.named_modules() if _attention(module)]
    around = {part: network.get_submodule(part) for name in layers for part in _with_ancestors(name)}

    def watch(name: str, module: nn.Module) -> None:
        def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            tensors = (v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor))
            first = next(tensors, None)
            if first is not None and first.ndim == 4:  # noqa: PLR2004  (batch channel y x)
                seen[name] = (int(first.shape[2]), int(first.shape[3]))

        module.register_forward_pre_hook(note, with_kwargs=True)

    for name, module in around.items():
        watch(name, module)
    with torch.no_grad():
        network(**inputs)
    found = ((name, next(filter(None, map(seen.get, _with_ancestors(name))), None)) for name in layers)
    return {name: grid for name, grid in found if grid}


def _with_ancestors(name: str) -> list[str]:
    """The dotted name and the names of all modules around it but the root, nearest first."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def output_shapes(network: nn.Module, inputs: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Output's shape of every module of a blueprint that returned a tensor, by torchinfo.

    Of several tensors the first counts, which in transformers' outputs is the last hidden state.
    """
    firsts: dict[str, tuple[int, ...]] = {}

    def watch(name: str, module: nn.Module) -> None:
        def note(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Mapping):  # torchinfo would take the last
                tensors = (v for v in output.values() if isinstance(v, torch.Tensor))
                first = next(tensors, None)
                if first is not None:
                    firsts[name] = tuple(first.shape)

        module.register_forward_hook(note)

    for name, module in network.named_modules():
        watch(name, module)
    summary = torchinfo.summary(network, input_data=dict(inputs), verbose=0, col_names=())
    torchinfo.torchinfo.clear_cached_forward_pass()  # it would keep the blueprint alive
    names = {id(module): name for name, module in network.named_modules()}
    flat = ((names.get(info.layer_id), info.output_size) for info in summary.summary_list)
    return {
        name: tuple(shape)
        for name, shape in flat
        if name is not None and shape and all(isinstance(length, int) for length in shape)
    } | firsts


def attention_facts(network: nn.Module, grids: Mapping[str, Grid]) -> tuple[AttentionLayer, ...]:
    """The attention layers of a network, of diffusers or transformers, with the known grids."""
    found = ((name, _attention(module)) for name, module in network.named_modules())
    return tuple(AttentionLayer(name, *facts, resolution=grids.get(name)) for name, facts in found if facts)


def _attention(module: nn.Module) -> tuple[Any, int, int, int] | None:
    """Kind, heads, head width and key width of an attention layer; None for other modules."""
    if isinstance(module, Attention):
        kind = "joint" if _is_joint(module) else "cross" if module.is_cross_attention else "self"
        return kind, module.heads, module.inner_dim // module.heads, module.cross_attention_dim
    if not type(module).__name__.endswith("Attention"):
        return None
    queries, many = getattr(module, "to_q", None), getattr(module, "heads", None)
    # The newer transformers of diffusers have each their own class of attention.
    if isinstance(queries, nn.Linear) and isinstance(many, int):
        kind = "joint" if _is_joint(module) else "self"
        return kind, many, queries.out_features // many, queries.in_features
    # transformers has no common base: CLIP's and T5's attention name their attributes differently.
    heads = getattr(module, "num_heads", getattr(module, "n_heads", None))
    width = getattr(module, "head_dim", getattr(module, "key_value_proj_dim", None))
    keys = getattr(getattr(module, "k_proj", getattr(module, "k", None)), "in_features", None)
    return ("self", heads, width, keys) if heads and width and keys else None


def _is_joint(module: nn.Module) -> bool:
    """Whether picture and text attend together: projected apart (SD 3, FLUX), or as one row (FLUX's second half)."""
    return getattr(module, "add_q_proj", None) is not None or getattr(module, "pre_only", False) is True


def pair(size: Any) -> Grid:
    """(y, x) of a size in a config, which may be one number, two, or absent (64 then)."""
    if isinstance(size, int) or not size:
        return size or 64, size or 64
    return int(size[0]), int(size[-1])
