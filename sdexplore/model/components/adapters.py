"""Adapters of a pipeline (LoRA and its kin, IP-Adapter): their strengths, where they are, and strengths put back."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from ...trace.provenance import AdapterFacts, Strength
from ..families.attention_modules import computes_fused
from ..families.family import unwrapped
from ..families.modules import modules_of, processors_of

PICTURES = "IP-Adapter"  # how those are named that have no name of their own
_PARTS, _ADDED = ("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj")
_COPIES: Mapping[str, str] = {"to_qkv": "to_q", "to_kv": "to_k", "to_added_qkv": "add_q_proj"}  # and one of its parts
_COPIED: Mapping[str, tuple[str, tuple[str, ...]]] = {  # a projection -> the copy that computes it, and its parts
    **dict.fromkeys(_PARTS, ("to_qkv", _PARTS)),
    **dict.fromkeys(_ADDED, ("to_added_qkv", _ADDED)),
}
_DIGITS = 6  # of a strength: peft keeps its product with alpha / rank


def networks(pipe: Any) -> dict[str, nn.Module]:
    """The pipeline's networks by component, out of torch.compile's shell; by name, so that all processes agree."""
    return {name: unwrapped(one) for name, one in sorted(pipe.components.items()) if isinstance(one, nn.Module)}


def tuner_layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """Every layer of a network to which peft added adapters, by dotted name."""
    # Where peft was never imported, nothing of it is in a network.
    kind = getattr(sys.modules.get("peft.tuners.tuners_utils"), "BaseTunerLayer", None)
    if kind is not None:
        yield from ((name, module) for name, module in modules_of(network).items() if isinstance(module, kind))


def adapters_of(pipe: Any) -> list[AdapterFacts]:
    """Every adapter that changes the picture, or that did before it was unloaded and is in the weights."""
    strengths: dict[str, dict[str, float]] = defaultdict(dict)
    merged: dict[str, int] = defaultdict(int)
    for component, network in networks(pipe).items():
        for name, layer in tuner_layers(network):
            for adapter in getattr(layer, "scaling", {}):
                strengths[adapter][f"{component}.{name}"] = _strength(layer, adapter)
                merged[adapter] += adapter in layer.merged_adapters
    found: list[AdapterFacts] = [
        {
            "name": adapter,
            "strength": _shared(by_layer),
            "fused": bool(merged[adapter]),
            "in_weights": bool(merged[adapter]),
        }
        for adapter, by_layer in strengths.items()
    ]
    # diffusers keeps the names of what it fused; the strength goes with the adapter.
    left = sorted(set(getattr(pipe, "fused_loras", ())) - strengths.keys())
    found += [{"name": name, "strength": None, "fused": True, "in_weights": True} for name in left]
    return [*found, *_of_pictures(pipe)]


def unreached(network: nn.Module) -> tuple[list[str], int]:
    """Layers with an adapter that fused projections pass by, and how many layers with an adapter there are.

    A fused projection is a copy of the weights as they were when it was made: it has in it what was in the weights
    then, and no adapter beside them.
    """
    layers = dict(tuner_layers(network))
    passed = []
    for name in layers:
        attention, _, own = name.rpartition(".")
        home: Any = network.get_submodule(attention)
        if own in _COPIED and computes_fused(home) and _passed_by(home, own):
            passed.append(name)
    return passed, len(layers)


@contextmanager
def strengths_restored(pipe: Any) -> Iterator[None]:
    """Puts back each adapter's strength: `cross_attention_kwargs={"scale": 0}` leaves 1 in its place."""
    before = [
        (layer.scaling, dict(layer.scaling))
        for network in networks(pipe).values()
        for _, layer in tuner_layers(network)
        if hasattr(layer, "scaling")
    ]
    try:
        yield
    finally:
        for scaling, values in before:
            scaling.update((name, value) for name, value in values.items() if name in scaling)


def fused_copies(network: nn.Module) -> set[str]:
    """Names of projections that are copies: `fuse_qkv_projections` makes one of three, and keeps the three."""
    return {
        f"{name}.{copy}" if name else copy
        for name, module in network.named_modules()
        for copy, first in _COPIES.items()
        if copy in module._modules and first in module._modules  # noqa: SLF001  (`hasattr` is slow where it fails)
    }


def counted_parameters(network: nn.Module) -> list[nn.Parameter]:
    """The network's parameters, shared ones once, without those of fused copies."""
    copies = fused_copies(network)
    return [one for name, one in network.named_parameters() if name.rpartition(".")[0] not in copies]


def _passed_by(home: Any, own: str) -> bool:
    """Whether a fused projection computes what the layer `own` would, without its adapter."""
    copy, order = _COPIED[own]
    if getattr(home, "is_cross_attention", False) and copy == "to_qkv":
        copy, order = "to_kv", order[1:]
    if own not in order or (fused := getattr(home, copy, None)) is None:
        return False  # the query of cross-attention is projected by itself
    layer = getattr(home, own)
    if set(layer.active_adapters) - set(layer.merged_adapters):
        return True
    sizes = [getattr(home, name).weight.shape[0] for name in order]
    rows = fused.weight.split(sizes)[order.index(own)]
    return not bool((rows == layer.weight).all())


def _strength(layer: Any, adapter: str) -> float:
    """What the adapter's change is multiplied by, as `set_adapters` takes it; 0 where it is off."""
    if adapter not in layer.merged_adapters and (layer.disable_adapters or adapter not in layer.active_adapters):
        return 0.0
    alphas: Any = getattr(layer, "lora_alpha", None) or getattr(layer, "alpha", {})
    alpha, rank = alphas.get(adapter), getattr(layer, "r", {}).get(adapter)
    rooted = getattr(layer, "use_rslora", {})
    rank = rank**0.5 if rank and (rooted.get(adapter) if isinstance(rooted, Mapping) else rooted) else rank
    return round(float(layer.scaling[adapter]) * (rank / alpha if alpha and rank else 1), _DIGITS)


def _shared(by_layer: Mapping[str, float]) -> Strength:
    """One number where all layers have it; else the parts of the pipeline that share one, as large as they go."""
    if len(values := set(by_layer.values())) == 1:
        return values.pop()
    return dict(_parts(by_layer, 1))


def _parts(by_layer: Mapping[str, float], depth: int) -> Iterator[tuple[str, float]]:
    inside: dict[str, dict[str, float]] = defaultdict(dict)
    for name, strength in by_layer.items():
        inside[".".join(name.split(".")[:depth])][name] = strength
    for part, layers in inside.items():
        if len(values := set(layers.values())) == 1:
            yield part, values.pop()
        else:
            yield from _parts(layers, depth + 1)


def _of_pictures(pipe: Any) -> Iterator[AdapterFacts]:
    """IP-Adapters, which have no names: the scales in the order in which they were loaded."""
    by_layer: dict[int, dict[str, float]] = defaultdict(dict)
    for component, network in networks(pipe).items():
        for name, processor in processors_of(network).items():
            if "IPAdapter" in type(processor).__name__:
                for number, scale in enumerate(processor.scale):
                    shared = scale if isinstance(scale, int | float) else sum(scale) / len(scale)
                    by_layer[number][f"{component}.{name}"] = round(float(shared), _DIGITS)
    for number, layers in by_layer.items():
        named = PICTURES if len(by_layer) == 1 else f"{PICTURES} {number}"
        yield {"name": named, "strength": _shared(layers), "fused": False, "in_weights": False}
