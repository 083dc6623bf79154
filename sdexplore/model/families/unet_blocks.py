"""The blocks of a UNet with the shapes of one forward pass: down, mid and up, and what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ...records.architecture import Shape, Stage
from .attention_modules import attention_facts_of

Side = Literal["down", "mid", "up"]


@dataclass(frozen=True)
class Blocks:
    """The blocks of a UNet, in words and numbers.

    Attributes:
        stem: (channel, y, x) behind its first convolution.
        time_width: Width of the timestep's embedding.
        residual, downsampler, upsampler: What they consist of.
    """

    stages: tuple[Stage, ...]
    stem: Shape
    time_width: int
    residual: str
    downsampler: str
    upsampler: str


def blocks_of(blueprint: nn.Module, inputs: Mapping[str, Any], own: nn.Module) -> Blocks:
    """The blocks of a UNet.

    Args:
        blueprint: A UNet of the same class and config on the meta device; it is run once.
        inputs: The arguments of that run.
        own: The UNet itself, whose parameters are counted.
    """
    shapes = _Shapes(blueprint)
    with torch.no_grad():
        blueprint(**inputs)
    return Blocks(
        stages=tuple(_stages(blueprint, shapes, dict(own.named_children()))),
        stem=shapes.outputs["conv_in"],
        time_width=_time_width(blueprint),
        residual=_residual(blueprint),
        downsampler=_downsampler(blueprint),
        upsampler=_upsampler(blueprint),
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
    layers = [facts for module in block.modules() if (facts := attention_facts_of(module))]
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
        parameters=sum(parameter.numel() for parameter in held.parameters()),
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
