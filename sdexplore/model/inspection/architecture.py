"""The architecture of a pipeline as records: its UNet runs once on the meta device, which gives all shapes."""

from typing import Any, Literal

import torch
from torch import nn

from ...base.errors import InspectionError
from ...records.architecture import Architecture, AutoencoderPlan, Shape, Stage, TextReader
from ..components.meta_networks import attention_facts, blueprint, example_inputs
from ..components.pipeline_parts import autoencoder, denoiser, latent_grid, parts, vae_scale_factor

Side = Literal["down", "mid", "up"]

# Names of the same value in transformers' configs: of CLIP and BERT; of T5 and latent diffusion's own BERT.
_WIDTHS = ("hidden_size", "d_model")
_LAYERS = ("num_hidden_layers", "num_layers", "encoder_layers")
_POSITIONS = ("max_position_embeddings", "n_positions")


def pipeline_architecture(pipe: Any, height: int | None = None, width: int | None = None) -> Architecture:
    """How the pipeline is built, with the shapes of one picture: `views.architecture` draws it.

    The UNet's own code runs once on the meta device, without weights or memory, so the shapes are those of a real
    picture of this size. It works for a pipeline whose weights are not loaded.

    Args:
        height, width: Of the picture in pixels; by default the pipeline's own size.

    Raises:
        InspectionError: The pipeline has no UNet with blocks down, mid and up, or its config does not describe it.
    """
    unet = denoiser(pipe)
    grid, factor = latent_grid(pipe, height, width), vae_scale_factor(pipe)
    try:
        copied = blueprint(unet)
        shapes = _Shapes(copied)
        with torch.no_grad():
            copied(**example_inputs(copied, grid))
        stages = tuple(_stages(copied, shapes, dict(unet.named_children())))
    except Exception as error:
        raise InspectionError(f"the blocks of this {type(unet).__name__} cannot be laid out: {error}") from error
    config: Any = unet.config
    channels = _latent_channels(pipe, config)
    scheduler: Any = getattr(pipe, "scheduler", None)
    plan = _autoencoder(pipe, factor)
    return Architecture(
        pipeline=type(pipe).__name__,
        image=(3 if plan else channels, grid[0] * factor, grid[1] * factor),
        latents=(channels, *grid),
        autoencoder=plan,
        readers=tuple(_readers(pipe)),
        unet=type(unet).__name__,
        unet_input=(int(config.in_channels), *grid),
        stages=stages,
        key_width=next((layer.key_dim for layer in attention_facts(copied, {}) if layer.kind == "cross"), None),
        stem=shapes.outputs["conv_in"],
        time_width=_time_width(copied),
        residual=_residual(copied),
        downsampler=_downsampler(copied),
        upsampler=_upsampler(copied),
        parameters=_parameters(unet),
        scheduler=type(scheduler).__name__,
        num_train_timesteps=int(getattr(getattr(scheduler, "config", None), "num_train_timesteps", 0)),
        prediction_type=str(getattr(getattr(scheduler, "config", None), "prediction_type", "flow")),
    )


class _Shapes:
    """Notes (channel, y, x) of each block of a UNet: its input, output, and skip connections in both directions."""

    def __init__(self, unet: nn.Module) -> None:
        self.inputs: dict[str, Shape] = {}
        self.outputs: dict[str, Shape] = {}
        self.skips: dict[str, tuple[Shape, ...]] = {}
        for name in ("conv_in", "mid_block", *_blocks(unet, "down_blocks"), *_blocks(unet, "up_blocks")):
            module = unet.get_submodule(name)
            module.register_forward_pre_hook(lambda _, a, k, name=name: self._before(name, a, k), with_kwargs=True)
            module.register_forward_hook(lambda _, __, output, name=name: self._after(name, output))

    def _before(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [*args, *kwargs.values()]
        self.inputs[name] = next(_shape(one) for one in given if isinstance(one, torch.Tensor))
        taken = kwargs.get("res_hidden_states_tuple")
        if taken is None:
            taken = next((one for one in given if isinstance(one, tuple)), ()) if name.startswith("up_blocks") else ()
        if taken:
            self.skips[name] = tuple(_shape(one) for one in reversed(taken))  # the last one is used first

    def _after(self, name: str, output: Any) -> None:
        if isinstance(output, tuple) and name.startswith("down_blocks"):
            self.skips[name] = tuple(_shape(one) for one in output[1])
        self.outputs[name] = _shape(output[0] if isinstance(output, tuple) else output)


def _stages(unet: nn.Module, shapes: _Shapes, own: dict[str, Any]) -> list[Stage]:
    found, level = [], 0
    sides: tuple[tuple[Side, list[str]], ...] = (
        ("down", _blocks(unet, "down_blocks")),
        ("mid", ["mid_block"]),
        ("up", _blocks(unet, "up_blocks")),
    )
    for side, names in sides:
        for name in names:
            output, given = shapes.outputs[name], shapes.inputs[name]
            found.append(_stage(unet, own, name, side, level, given, output, shapes.skips.get(name, ())))
            if side == "down":
                level += output[1:] != given[1:]
            elif side == "up":
                level -= output[1:] != given[1:]
    return found


def _stage(
    unet: nn.Module,
    own: dict[str, Any],
    name: str,
    side: Side,
    level: int,
    given: Shape,
    output: Shape,
    skips: tuple[Shape, ...],
) -> Stage:
    block: Any = unet.get_submodule(name)
    layers = attention_facts(block, {})
    deep = [module for module in block.modules() if type(module).__name__ == "Transformer2DModel"]
    root, _, number = name.partition(".")
    held = own[root][int(number)] if number else own[root]
    return Stage(
        name=name,
        class_name=type(block).__name__,
        side=side,
        level=level,
        grid=given[1:],
        channels=output[0],
        output=output,
        resnets=len(getattr(block, "resnets", ())),
        transformers=tuple(len(one.transformer_blocks) for one in deep),
        cross_attention=sum(layer.kind == "cross" for layer in layers),
        self_attention=sum(layer.kind == "self" for layer in layers),
        heads=max((layer.heads for layer in layers), default=0),
        skips=skips,
        parameters=_parameters(held),
    )


def _blocks(unet: nn.Module, part: str) -> list[str]:
    return [f"{part}.{number}" for number in range(len(unet.get_submodule(part)))]  # type: ignore[arg-type]  # a ModuleList


def _time_width(unet: nn.Module) -> int:
    last: Any = unet.get_submodule("time_embedding.linear_2")
    return int(last.out_features)


def _first(unet: nn.Module, class_name: str) -> Any | None:
    return next((module for module in unet.modules() if type(module).__name__ == class_name), None)


def _residual(unet: nn.Module) -> str:
    block = _first(unet, "ResnetBlock2D")
    if block is None:
        return "none"
    norm, act, conv = (type(getattr(block, part)).__name__ for part in ("norm1", "nonlinearity", "conv1"))
    return f"ResnetBlock2D: {norm}, {act}, {conv}, twice, around a shortcut"


def _downsampler(unet: nn.Module) -> str:
    block = _first(unet, "Downsample2D")
    if block is None:
        return "none"
    stride = getattr(block.conv, "stride", 2)
    return f"{type(block.conv).__name__} of stride {stride[0] if isinstance(stride, tuple) else stride}"


def _upsampler(unet: nn.Module) -> str:
    block = _first(unet, "Upsample2D")
    if block is None:
        return "none"
    conv = getattr(block, "conv", None)
    if getattr(block, "use_conv_transpose", False):
        return type(conv).__name__
    return f"nearest neighbour{', then ' + type(conv).__name__ if getattr(block, 'use_conv', False) else ''}"


def _shape(tensor: torch.Tensor) -> Shape:
    channels, y, x = tensor.shape[1:]
    return int(channels), int(y), int(x)


def _latent_channels(pipe: Any, config: Any) -> int:
    vae = getattr(autoencoder(pipe), "config", None)
    return int(getattr(vae, "latent_channels", None) or config.in_channels)


def _autoencoder(pipe: Any, factor: int) -> AutoencoderPlan | None:
    found = autoencoder(pipe)
    if found is None:
        return None
    name = "vae" if getattr(pipe, "vae", None) is found else "vqvae"
    halves = [_parameters(getattr(found, part, None)) for part in ("encoder", "decoder")]
    widths = tuple(map(int, getattr(found.config, "block_out_channels", ())))
    return AutoencoderPlan(
        name=name,
        class_name=type(found).__name__,
        factor=factor,
        widths=widths,
        encoder_parameters=halves[0],
        decoder_parameters=halves[1],
    )


def _readers(pipe: Any) -> list[TextReader]:
    known = parts(pipe)
    names = [name for name in known if name.startswith("text_encoder") or name == "bert"]
    return [_reader(name, known[name]) for name in names if isinstance(known[name], nn.Module)]


def _reader(name: str, module: Any) -> TextReader:
    def fact(names: tuple[str, ...]) -> int:
        return next((int(found) for one in names if (found := getattr(module.config, one, None))), 0)

    return TextReader(
        name=name,
        class_name=type(module).__name__,
        positions=fact(_POSITIONS),
        layers=fact(_LAYERS),
        width=fact(_WIDTHS),
        parameters=_parameters(module),
    )


def _parameters(module: nn.Module | None) -> int:
    return 0 if module is None else sum(parameter.numel() for parameter in module.parameters())
