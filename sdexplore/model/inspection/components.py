"""What a pipeline is made of, as records: its components, and the modules of one of them."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import nn

from ...base.errors import InspectionError
from ...records.components import Component, Components
from ...records.tree import AttentionLayer, ModuleNode, ModuleTree
from ...strings.wording import told
from ..components.adapters import counted_parameters, fused_copies
from ..components.finite_weights import broken_weights
from ..components.meta_networks import Shape, attention_facts, blueprint, example_inputs, watched_pass
from ..components.pipeline_parts import attention_layers, latent_grid, part, parts, vae_scale_factor
from ..components.vae_family import vae_of_another_family
from ..families import family_of
from ..families.family import unwrapped
from ..families.grids import Grid, with_ancestors
from ..loading.fit_to_machine import fit_of
from ..loading.networks_from_configs import configured


def components(pipe: DiffusionPipeline) -> Components:
    """The components of a pipeline: classes, parameters, number formats, devices, sizes, a summary.

    The summary names NaN and infinities in weights: each weight is read once, and again only where it was changed.

    Raises:
        InspectionError: `pipe` is no diffusers pipeline.
    """
    found = {name: _component(name, one) for name, one in parts(pipe).items()}
    return Components(type(pipe).__name__, found, dict(_summary(pipe)))


def tree(pipe: Any, component: str | None = None, depth: int = 2) -> ModuleTree:
    """The modules of a component (without a name, of the denoiser), of a bare `nn.Module`, or of a configuration alone.

    A path of a config.json, or of a folder with one, needs no weights: the network is then on the meta device.

    All levels are recorded; `depth` says how many the text shows, and how many are unfolded in HTML. Output shapes are
    those of one image of the pipeline's default size, from torchinfo's pass through the network's code on the meta
    device. Where a block of a transformer returns words and picture, both are told. Modules stand in the order in which
    that pass calls them (a UNet's `mid_block` before its `up_blocks`); one that it does not call, behind the one before
    it in the code.

    Raises:
        InspectionError: There is no such component, it is null or not a network, or depth is negative; there is no such
            configuration, or it is not a network's.
    """
    if isinstance(pipe, (str, os.PathLike)):
        name, network = configured(pipe, component)
        tree_of = tree(network, depth=depth)
        return ModuleTree(name, tree_of.root, depth, tree_of.note)
    if depth < 0:
        raise InspectionError(f"depth={depth} is no number of levels; 0 shows the root alone")
    bare = isinstance(pipe, nn.Module) and component is None
    name = "" if bare else component or denoiser_name(pipe)
    module = pipe if bare else part(pipe, name)
    if not isinstance(module, nn.Module):
        raise InspectionError(
            f"component {name!r} is a {type(module).__name__}, no network with modules; "
            f"config(pipe, {name!r}) shows what it holds"
        )
    network = unwrapped(module)
    size = None if bare else _sample_size(pipe, name)
    return tree_of_size(name, network, size, depth)


def tree_of_size(name: str, network: nn.Module, size: Grid | None, depth: int = 2) -> ModuleTree:
    """The modules of a network, with the shapes of latents of a size (y, x); `name` is the component's."""
    facts = _facts(network, size)
    counted = {id(one): "" for copy in fused_copies(network) for one in network.get_submodule(copy).parameters()}
    return ModuleTree(name, _node("", network, facts, counted), depth, facts.note)


def denoiser_name(pipe: Any) -> str:
    """The component that predicts the noise, of a known family or not.

    Raises:
        InspectionError: There is none.
    """
    held = parts(pipe)  # refuses what is no pipeline
    try:
        return family_of(pipe).component
    except InspectionError:
        networks = [name for name, one in held.items() if isinstance(one, nn.Module)]
        found = next((name for name in _DENOISERS if name in networks), None)
        if found is None:
            named = ", ".join(map(repr, networks)) or "none"
            raise InspectionError(
                f"this {type(pipe).__name__} has no denoiser; name another network of it: {named}"
            ) from None
        return found


def _sample_size(pipe: Any, name: str) -> Grid | None:
    """Size (y, x) of what goes into the denoiser or the VAE for the pipeline's default image."""
    try:
        y, x = latent_grid(pipe)
    except InspectionError:
        return None
    if name == "vae":
        factor = vae_scale_factor(pipe)
        return y * factor, x * factor
    return (y, x) if name == denoiser_name(pipe) else None


_DENOISERS = ("unet", "transformer", "prior", "decoder")  # what pipelines call one, of whatever family


@dataclass(frozen=True)
class _Facts:
    """What was found out about a network's modules, by name.

    Attributes:
        outputs: Shapes of the tensors that a module returns.
        first_calls: The place of a module's first call among all calls.
        streams: What the middle axis of a tensor holds ("words", "picture") -> its length.
        shapes: Of a module's own parameters.
    """

    outputs: Mapping[str, tuple[Shape, ...]]
    first_calls: Mapping[str, int]
    streams: Mapping[str, int]
    attention: Mapping[str, AttentionLayer]
    shapes: Mapping[str, list[torch.Size]]
    note: str


def _facts(network: nn.Module, size: Grid | None) -> _Facts:
    try:
        copied = blueprint(network)
        inputs = example_inputs(copied, size)
        watched, streams = watched_pass(copied, inputs, size), _streams(copied, inputs)
        outputs, where = watched.outputs, watched.grids
        shapes = {name: _own_shapes(module) for name, module in copied.named_modules()}
        firsts = {k: v[0] if isinstance(v, list) else v for k, v in inputs.items()}
        tensors = {k: tuple(v.shape) for k, v in firsts.items() if isinstance(v, torch.Tensor)}
        note = "shapes for " + ", ".join(f"{name} {shape}" for name, shape in tensors.items())
    except Exception as error:  # noqa: BLE001  (any network may refuse; the tree then has no shapes)
        outputs, streams, where, shapes = {}, {}, {}, {}
        note = f"without output shapes: {_why_without(network, error)}"
    layers = {layer.name: layer for layer in attention_facts(network, where)}
    return _Facts(outputs, _first_calls(outputs), streams, layers, shapes, note)


def _why_without(network: nn.Module, error: Exception) -> str:
    if isinstance(error, InspectionError):
        return str(error)
    cause, kind = error.__cause__ or error, type(network).__name__  # torchinfo wraps what it caught
    if lacking := re.search(r"missing \d+ required \S+ arguments?: (.+)", str(cause)):
        return f"a {kind} needs {lacking[1]} besides, for which sdexplore has no example"
    return f"this {kind} does not run on the example that sdexplore knows to make for it ({type(cause).__name__})"


def _own_shapes(module: nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in module.parameters(recurse=False)]


def _node(name: str, module: nn.Module, facts: _Facts, seen: dict[int, str]) -> ModuleNode:
    """The record of a module and of all below it; `seen` holds the modules and parameters that are counted already."""
    first = seen.setdefault(id(module), name)
    if first != name:
        return ModuleNode(name, type(module).__name__, shared_with=first)
    own = [p for p in module.parameters(recurse=False) if seen.setdefault(id(p), name) == name]
    # A module that was replaced after the config was written does not have the blueprint's shapes.
    same = facts.shapes.get(name) == _own_shapes(module)
    outputs = facts.outputs.get(name, ()) if same else ()
    # Counted in the order of the code, so that a shared parameter belongs to the same module as ever.
    children = [
        _node(f"{name}.{key}" if name else key, child, facts, seen)
        for key, child in module._modules.items()  # noqa: SLF001  (named_children hides repeats)
        if child is not None
    ]
    return ModuleNode(
        name,
        type(module).__name__,
        sum(parameter.numel() for parameter in own),
        next(iter(outputs), None),
        facts.attention.get(name),
        children=tuple(_as_data_flows(children, facts.first_calls)),
        streams=_named(outputs, facts.streams),
    )


def _first_calls(called: Iterable[str]) -> dict[str, int]:
    """Each called module, and each around it -> the place of its first call among all."""
    first: dict[str, int] = {}
    for place, name in enumerate(called):
        for around in with_ancestors(name):  # a list of blocks is called by its first block
            first.setdefault(around, place)
    return first


def _as_data_flows(children: list[ModuleNode], first: Mapping[str, int]) -> list[ModuleNode]:
    """The children in the order of their first calls; one that was not called stays behind the one before it."""
    places, place = [], -1
    for child in children:
        place = first.get(child.name, place)
        places.append(place)
    return [child for _, child in sorted(zip(places, children, strict=True), key=itemgetter(0))]


def _streams(network: nn.Module, inputs: Mapping[str, Any]) -> Mapping[str, int]:
    try:
        return family_of(network).streams(network, inputs)
    except InspectionError:
        return {}


def _named(outputs: tuple[Shape, ...], lengths: Mapping[str, int]) -> dict[str, Shape]:
    """Each of a block's two tensors by what it holds; empty where their lengths do not tell."""
    found = {name: shape for shape in outputs for name, length in lengths.items() if shape[1:-1] == (length,)}
    return found if len(outputs) == len(found) == len(set(lengths.values())) == len(lengths) else {}


def _component(name: str, held: Any) -> Component:
    if held is None:
        return Component(name)
    inner = unwrapped(held) if isinstance(held, nn.Module) else held
    cls = type(inner)
    library = cls.__module__.partition(".")[0]
    if not isinstance(inner, nn.Module):
        return Component(name, cls.__name__, library)
    parameters, buffers = list(inner.parameters()), list(inner.buffers())
    formats: Counter[str] = Counter()
    counted = counted_parameters(inner)
    for parameter in counted:
        formats[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
    return Component(
        name,
        cls.__name__,
        library,
        sum(parameter.numel() for parameter in counted),
        tuple(dtype for dtype, _ in formats.most_common()),
        tuple(sorted({str(parameter.device) for parameter in parameters})),
        sum(tensor.numel() * tensor.element_size() for tensor in (*parameters, *buffers)),
    )


def _summary(pipe: Any) -> Iterator[tuple[str, str]]:
    for name, what in broken_weights(pipe).items():
        yield told("components.fact.name.broken", component=name), what
    if chosen := fit_of(pipe):
        yield told("components.fact.name.fit"), chosen.in_a_line
    yield told("components.fact.name.guidance"), _guidance(pipe)
    scheduler = getattr(pipe, "scheduler", None)
    if scheduler is not None:
        yield told("components.fact.name.scheduler"), type(scheduler).__name__
        untold = told(f"components.fact.prediction.{'flow' if 'Flow' in type(scheduler).__name__ else 'untold'}")
        predicts = getattr(scheduler.config, "prediction_type", untold)
        yield told("components.fact.name.prediction"), predicts if isinstance(predicts, str) else str(predicts)
    if (strange := vae_of_another_family(pipe)) is not None:
        yield told("components.fact.name.vae"), strange
    attention = told("components.fact.name.attention")
    try:
        yield told("components.fact.name.latents"), _latents(pipe)
        layers = attention_layers(pipe)
    except InspectionError as error:
        yield attention, told("components.fact.refused", why=str(error))
        return
    if family_of(pipe).video:
        yield attention, told("components.fact.over_frames")
        return
    by_kind = {kind: [one for one in layers if one.kind == kind] for kind in ("cross", "self", "joint")}
    for kind, several in by_kind.items():
        if several or (kind != "joint" and not by_kind["joint"]):
            yield told(f"components.fact.name.{kind}"), _by_resolution(several)


def _latents(pipe: Any) -> str:
    (y, x), factor = latent_grid(pipe), vae_scale_factor(pipe)
    family = family_of(pipe)
    taken = family.in_channels(pipe)
    vae = getattr(getattr(pipe, "vae", None), "config", None)
    channels = getattr(vae, "latent_channels", taken)
    of = "frame" if family.video else "image"
    said = told(f"components.fact.latents.{of}", channels=channels, y=y, x=x, height=y * factor, width=x * factor)
    if taken == channels:
        return said
    return told("components.fact.latents.taken", said=said, denoiser=family.title, taken=taken)


def _guidance(pipe: Any) -> str:
    try:
        scale, embedded = pipe.guidance_scale, family_of(pipe).embeds_guidance(pipe)
        active = embedded or getattr(pipe, "do_classifier_free_guidance", False)
    except (AttributeError, InspectionError):  # before its first call, a pipeline of diffusers has neither
        return told("components.fact.guidance.not_run")
    return told(f"components.fact.guidance.{'used' if active else 'not_used'}", scale=scale)


def _by_resolution(layers: list[AttentionLayer]) -> str:
    said = told(f"count.layer.{'one' if len(layers) == 1 else 'other'}", n=len(layers))
    grouped = Counter(layer.resolution for layer in layers if layer.resolution)
    largest_first = sorted(grouped.items(), key=lambda item: item[0], reverse=True)
    if not largest_first:
        return said
    where = tuple(told("components.fact.layers.at", n=number, y=y, x=x) for (y, x), number in largest_first)
    return told("components.fact.layers", layers=said, where=where)
