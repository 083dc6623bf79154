"""`doctor`: what a run would record of a pipeline in its present state; nothing is run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch

from ...base.display import counted
from ...base.errors import InspectionError
from ...records.diagnosis import Diagnosis, LayerNote
from ...trace.provenance import AdapterFacts
from ...trace.record import USUAL, Record
from ..capture.obstacles import KNOWN_HOOKS, WHOLE_MODULES, compiled, diffusers_hooks, obstacles, own_forward, reusing
from ..capture.plans import LayerPlan, plan_layers
from ..compiled.denoiser import compiled_denoiser
from ..components.adapters import PICTURES, adapters_of
from ..components.finite_weights import broken_weights
from ..components.pipeline_parts import attention_layers, denoiser, device_of, parts
from ..components.prompt_doubts import doubts_of_tokenizers
from ..components.tokens import tokenizers_of
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.family import Family
from ..families.modules import modules_of
from ..runs.check_record import check_kind, misses
from ..runs.check_video import not_kept, video_obstacles
from ..runs.conditions import active_backend
from ..schedulers import noise_levels
from .condition_warnings import condition_warnings

_OPERATIONS = {  # how a processor of diffusers computes attention, by a word in its class
    "2_0": "torch's scaled_dot_product_attention",
    "XFormers": "xformers",
    "Sliced": "naive softmax, a slice at a time",
    "NPU": "npu_fusion_attention",
    "XLA": "flash attention of torch_xla",
}


def doctor(pipe: Any, record: Record = USUAL) -> Diagnosis:
    """What `run` with this Record would do: obstacles with the way out, warnings, adapters, roles and layers.

    Raises:
        InspectionError: It is no diffusers pipeline. A pipeline without a denoiser of a known family has that as its
            obstacle.
        RunError: `record` is not a Record.
    """
    check_kind(record)
    try:
        network, family = denoiser(pipe), family_of(pipe)
    except InspectionError as error:
        return _without_denoiser(pipe, error)
    there = family.attention_layers(network)
    plans = plan_layers(there, record)
    roles = dict(family.role_conditions(pipe))
    layers = tuple(_layers(pipe, there, plans))
    return Diagnosis(
        pipeline=type(pipe).__name__,
        obstacles=(*video_obstacles(pipe), *_unasked(family, record), *obstacles(pipe, plans)),
        warnings=(
            *_of_weights(pipe),
            *_warnings(pipe, network, family),
            *_of_caches(network, plans),
            *condition_warnings(pipe),
            *_unfulfilled(pipe, record, there, layers, tuple(roles)),
        ),
        facts=dict(_facts(pipe, network, family, record)),
        roles=roles,
        recorded_roles=tuple(role for role in roles if role in record.roles and plans),
        layers=layers,
    )


def _without_denoiser(pipe: Any, error: InspectionError) -> Diagnosis:
    """What is told of a pipeline that cannot be run here; raises the error where it is no pipeline."""
    held = parts(pipe)
    networks = {name: type(one).__name__ for name, one in held.items() if isinstance(one, torch.nn.Module)}
    out = "text_encoding, reconstruction, schedule, tree and config work without it"
    scheduler = held.get("scheduler")
    facts = {**networks, **({} if scheduler is None else {"scheduler": _scheduler(scheduler)})}
    return Diagnosis(type(pipe).__name__, (f"{error}. {out}",), (), facts, {}, (), ())


def _scheduler(scheduler: Any) -> str:
    reason = noise_levels.refusal(scheduler)
    return f"{type(scheduler).__name__}; " + ("σ and x0 recorded" if reason is None else f"no σ and no x0: {reason}")


def _facts(pipe: Any, network: Any, family: Family, record: Record) -> Iterator[tuple[str, str]]:
    dtype, device = str(next(network.parameters()).dtype).removeprefix("torch."), device_of(pipe)
    yield family.title, f"{type(network).__name__}, {dtype}, computes on {device.type}"
    by_others = any(compiled(dict(family.held(pipe).named_modules()), family))
    yield "compiled", "yes: no run can be observed" if by_others else "no"
    if (runs := compiled_denoiser(network)) is not None:
        yield "runs", f"compiled, backend {runs.backend!r}; a new kind of call is traced first"
    yield "offloaded", _offloaded(pipe, network)
    found = _processors(network)
    counts = Counter(type(processor).__name__ for processor in found)
    yield "processors", ", ".join(f"{number} × {name}" for name, number in counts.most_common())
    yield "attention computed by", ", ".join(dict.fromkeys(_operation(one, family) for one in found))
    fused = sum(type(processor).__name__.startswith("Fused") for processor in found)
    yield "projections", f"fused in {fused} layers (to_qkv, to_kv)" if fused else "apart (to_q, to_k)"
    yield from _adapters(pipe, network)
    if any(getattr(block, "s1", None) for block in getattr(network, "up_blocks", ())):
        yield "FreeU", "on; it changes features after attention, so the record stays exact"
    yield "scheduler", _scheduler(pipe.scheduler)
    if family.video:
        yield "attention", "not recorded: its layers attend over frames. Latents, predictions, x0 and frames are"
        return
    kept = {"mean": "mean over heads", "heads": "every head", False: "not recorded"}[record.cross_attention]
    yield "cross-attention", f"{kept}, columns={record.columns!r}" if record.cross_attention else kept
    yield "self-attention", f"of {record.self_attention}" if record.self_attention else "not recorded"
    if record.concepts:
        yield "concepts beside the text", ", ".join(record.concepts)
    if record.word_attention:
        yield "attention of words to the picture", "of every joint layer that layers= names"


def _unasked(family: Family, record: Record) -> Iterator[str]:
    """What of the Record a run of a video would refuse."""
    if family.video and (reason := not_kept(record)) is not None:
        yield reason.removeprefix("record=").replace("):", ":", 1)


def _processors(network: Any) -> list[Any]:
    return [found for module in network.modules() if (found := getattr(module, "processor", None)) is not None]


def _offloaded(pipe: Any, network: Any) -> str:
    hooks = [getattr(module, "_hf_hook", None) for module in network.modules()]
    if any(getattr(hook, "offload", False) for one in hooks for hook in getattr(one, "hooks", (one,))):
        return "layer by layer, by accelerate (enable_sequential_cpu_offload)"
    if any("group_offloading" in diffusers_hooks(module) for module in network.modules()):
        return "in groups of layers (enable_group_offload)"
    if getattr(pipe, "_all_hooks", None):
        return "model by model (enable_model_cpu_offload)"
    return "no"


def _operation(processor: Any, family: Family) -> str:
    name = type(processor).__name__
    if not type(processor).__module__.startswith("diffusers."):
        return f"{name}'s own"
    other = f"diffusers' attention backend {active_backend()!r}" if family.dispatches else "naive softmax"
    return next((operation for word, operation in _OPERATIONS.items() if word in name), other)


def _adapters(pipe: Any, network: Any) -> Iterator[tuple[str, str]]:
    found = [one for one in adapters_of(pipe) if not one["name"].startswith(PICTURES)]
    if beside := [one for one in found if not one["in_weights"]]:
        yield "LoRA", ", ".join(f"{one['name']} ({_strength(one)})" for one in beside)
    if fused := [one["name"] for one in found if one["in_weights"]]:
        yield "LoRA in the weights", ", ".join(sorted(fused))
    pictures = [processor for processor in _processors(network) if "IPAdapter" in type(processor).__name__]
    if pictures:
        tokens, scales = tuple(pictures[0].num_tokens), pictures[0].scale
        yield (
            "IP-Adapter",
            f"picture tokens {tokens}, scale {scales}; attention to the text is recorded, attention to them is not",
        )
    if getattr(pipe, "controlnet", None) is not None:
        yield "ControlNet", f"{type(pipe.controlnet).__name__}; its own attention is not recorded"
    if hasattr(pipe, "pag_attn_processors"):
        yield "perturbed layers", ", ".join(map(str, pipe.pag_applied_layers))


def _of_weights(pipe: Any) -> Iterator[str]:
    for component, what in broken_weights(pipe).items():
        yield f"{component!r} has {what}: every picture is lost with it"


def _of_caches(network: Any, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    left_out = reusing(modules_of(network), plans)
    for hook, number in Counter(left_out.values()).items():
        yield (
            f"{hook} reuses results of earlier steps: {counted(number, 'layer')} may be missing at steps at which it "
            "does; provenance['used']['reused'] of a trace says which"
        )


def _warnings(pipe: Any, network: Any, family: Family) -> Iterator[str]:
    foreign = {type(p).__name__ for p in _processors(network) if not type(p).__module__.startswith("diffusers.")}
    for name in sorted(foreign):
        yield f"{name} is no processor of diffusers: if it changes what to_q and to_k give, the record does not show it"
    for name, module in network.named_modules():
        forward, strange = own_forward(module), sorted(diffusers_hooks(module).keys() - KNOWN_HOOKS - WHOLE_MODULES)
        home = str(getattr(forward, "__module__", ""))
        if forward is not None and home.partition(".")[0] not in ("accelerate", "diffusers", "torch"):
            yield f"{_place(name, family)} runs a forward of {home}'s; a run ends with an error if it skips a layer"
            break
        if strange:
            where = _place(name, family)
            yield f"hook {strange[0]!r} at {where} is not known; a run ends with an error if it skips a layer"
            break
    if any(".fuser." in name and hasattr(module, "processor") for name, module in network.named_modules()):
        yield "GLIGEN's attention over pixels and boxes is not recorded"
    if hasattr(pipe, "pag_attn_processors"):
        yield "perturbed rows have no self-attention in the perturbed layers: the identity replaces it"
    if getattr(pipe.config, "force_zeros_for_empty_prompt", False):
        yield "without negative_prompt, uncond sees all-zero embeddings, so its cross-attention is uniform"
    with suppress(InspectionError):  # a pipeline without tokenizer
        yield from doubts_of_tokenizers(tokenizers_of(pipe))
    if not family.dispatches and (backend := active_backend()) != "native":
        yield f"diffusers' attention backend is set to {backend!r}, which the processors of a {family.title} do not use"


def _unfulfilled(
    pipe: Any, record: Record, there: Mapping[str, Layer], layers: tuple[LayerNote, ...], roles: tuple[str, ...]
) -> Iterator[str]:
    """What the Record names and the pipeline does not have, at the pipeline's default size."""
    found = [miss.text for miss in misses(record, there, {layer.name: layer.grid for layer in layers}, lambda: roles)]
    yield from found
    unconditional = family_of(pipe).unconditional(pipe)  # it has one role, which is always kept
    none = not unconditional and not set(roles).intersection(record.roles)
    if none and not found and any(layer.recorded for layer in layers):
        known = ", ".join(map(repr, roles))
        yield f"Record(roles={record.roles!r}): this pipeline has {known}; no attention would be recorded"


def _place(name: str, family: Family) -> str:
    return repr(name) if name else f"the {family.title}"


def _strength(adapter: AdapterFacts) -> str:
    strength = adapter["strength"]
    if strength == 0:
        return "not active"
    return f"active, × {strength:g}" if isinstance(strength, float) and strength != 1 else "active"


def _layers(pipe: Any, there: Mapping[str, Layer], plans: Mapping[str, LayerPlan]) -> Iterator[LayerNote]:
    try:
        grids = {layer.name: layer.resolution for layer in attention_layers(pipe)}
    except InspectionError:
        grids = {}
    for name, layer in there.items():
        plan, grid = plans.get(name), grids.get(name)
        recorded = ""
        if plan is not None and (grid is None or plan.wants(grid)):
            heads = f"mean over {layer.heads} heads" if plan.head_mean else f"each of {layer.heads} heads"
            unsure = ", if its grid is asked for" if grid is None and plan.grids is not None else ""
            recorded = f"{heads}, {str(plan.dtype).removeprefix('torch.')}{unsure}"
        yield LayerNote(name, layer.facts.kind, layer.heads, grid, layer.processor, recorded)
