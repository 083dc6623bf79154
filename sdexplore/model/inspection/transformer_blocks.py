"""The blocks of a diffusion transformer by groups, read from its tree of modules."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ...base.errors import InspectionError
from ...records.transformer_architecture import BlockGroup
from ...records.tree import ModuleNode
from ..components.meta_networks import blueprint, example_inputs
from ..families.family import Family
from ..families.grids import Grid
from .components import tree_of_size


def transformer_parts(network: nn.Module, family: Family, size: Grid) -> dict[str, Any]:
    """What a `TransformerArchitecture` says of the transformer itself, for latents of a size (y, x).

    Raises:
        InspectionError: The transformer does not run on the example that its family makes, or has no list of blocks.
    """
    modules = tree_of_size("", network, size)
    if modules.root.output is None:
        raise InspectionError(modules.note)
    copied = blueprint(network)
    lengths = family.streams(copied, example_inputs(copied, size))
    side = family.patch(copied)
    groups = tuple(
        _group(one, lengths)
        for one in modules.root.children
        if one.class_name == "ModuleList" and any(node.attention for node in one.walk())
    )
    if not groups:
        raise InspectionError("none of its modules is a list of blocks with attention")
    return {
        "transformer": type(network).__name__,
        "patch": side,
        "grid": (size[0] // side, size[1] // side),
        "words": next(iter(lengths.values())),
        "width": groups[-1].width,
        "groups": groups,
    }


def _group(blocks: ModuleNode, lengths: Mapping[str, int]) -> BlockGroup:
    first = blocks.children[0]
    layers = [node.attention for node in first.walk() if node.attention]
    streams = tuple(first.streams) or _of_one(first, lengths)
    return BlockGroup(
        name=blocks.name,
        class_name=first.class_name,
        blocks=len(blocks.children),
        streams=streams,
        # FLUX.1's blocks of one stream take both apart only behind their last product.
        shared=(len(streams) == 1 and " and picture" in streams[0]) or blocks.name.startswith("single_"),
        attention=tuple(dict.fromkeys(layer.kind for layer in layers)),
        heads=layers[0].heads if layers else 0,
        width=(first.output or (0,))[-1],
        parameters=blocks.parameters,
    )


def _of_one(block: ModuleNode, lengths: Mapping[str, int]) -> tuple[str, ...]:
    """What a block that returns one tensor returns, by its length."""
    known = {**{length: name for name, length in lengths.items()}, sum(lengths.values()): " and ".join(lengths)}
    long = block.output[-2] if block.output and len(block.output) > 1 else -1
    alike = len(known) < len(lengths) + 1
    return () if alike or long not in known else (known[long],)
