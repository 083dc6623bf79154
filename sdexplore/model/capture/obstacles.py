"""What keeps a run from being observed: found before the run, each with its reason and the way out."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch

from ...base.errors import RunError
from ...base.known_names import lies_in
from .plans import LayerPlan

# Hooks of diffusers that reuse what a layer gave at an earlier step, by words in their names.
_REUSING = ("cache", "broadcast", "skip")
KNOWN_HOOKS = frozenset(
    {"group_offloading", "lazy_prefetch_group_offloading", "layer_execution_tracker", "layerwise_casting"}
    | {"peft_autocast_disable"}
)
_REUSING_PACKAGES = ("DeepCache", "tgate")
# Processors that attend with other queries and keys than the layer's to_q and to_k make.
_OWN_PROJECTIONS = ("CustomDiffusion", "CrossFrame", "AddedKV")
_OVER_TIME = ("Temporal", "Transformer3D")
Parts: TypeAlias = Mapping[str, torch.nn.Module]
"""The modules of a network by their dotted names, the whole under the empty one."""
_WITHOUT = "leave those layers out: Record(layers=…, self_attention=…), or Record(cross_attention=False)"


def refuse(pipe: Any, plans: Mapping[str, LayerPlan]) -> None:
    """Raises RunError with everything that keeps a run from being observed, if there is anything."""
    if found := obstacles(pipe, plans):
        raise RunError(f"cannot observe this {type(pipe).__name__}: " + "; and ".join(found))


def obstacles(pipe: Any, plans: Mapping[str, LayerPlan]) -> list[str]:
    """Every obstacle to reading the planned layers of the pipeline's UNet, as "reason. Way out"; best none."""
    parts = dict(pipe.unet.named_modules())
    return [
        *compiled(parts),
        *_over_time(parts),
        *_reused(parts, plans),
        *_merged(parts, plans),
        *_foreign(parts, plans),
    ]


def own_forward(module: torch.nn.Module) -> Any:
    """The function that stands in the place of the class's own forward; None where nothing does."""
    forward = vars(module).get("forward")
    while isinstance(forward, partial):
        forward = forward.func
    bound = getattr(forward, "__func__", None)  # the class's own, put back by who took it away
    return None if bound is not None and bound is type(module).forward else forward


def diffusers_hooks(module: torch.nn.Module) -> dict[str, Any]:
    """Hooks of diffusers on a module, by name."""
    # In `vars`, for torch takes its time to say that a module has no such attribute.
    return dict(getattr(vars(module).get("_diffusers_hook"), "hooks", {}))


def compiled(parts: Parts) -> Iterator[str]:
    """Where the UNet is compiled, with the way back; nothing where it is not."""
    for name, module in parts.items():
        place = f"pipe.unet.get_submodule({name!r})" if name else "pipe.unet"
        children = vars(module).get("_modules", {})
        if isinstance(module, torch.jit.ScriptModule):
            by, out = "torch.jit", "Load the pipeline without it"
        elif "_orig_mod" in children and name:
            by, out = "torch.compile", f"Undo it: pipe.unet.set_submodule({name!r}, {place}._orig_mod)"
        elif "_orig_mod" in children:
            by, out = "torch.compile", "Run before compiling, or undo it: pipe.unet = pipe.unet._orig_mod"
        elif getattr(module, "_compiled_call_impl", None) is not None:
            by, out = "torch.compile", "Undo it: for module in pipe.unet.modules(): module._compiled_call_impl = None"
        elif hasattr(own_forward(module), "_torchdynamo_orig_callable"):
            by, out = "torch.compile", f"Undo it: del {place}.forward"
        else:
            continue
        hidden = "where hooks never fire; compile_denoiser compiles recorded runs"
        yield f"{repr(name) if name else 'its UNet'} is compiled by {by}, {hidden}. {out}"
        return


def _over_time(parts: Parts) -> Iterator[str]:
    for name, module in parts.items():
        if any(word in type(module).__name__ for word in _OVER_TIME):
            yield f"{name!r} attends over frames, which have no grid (y, x). Only pipelines of pictures are observed"
            return


def _reused(parts: Parts, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    for name, module in parts.items():
        if not vars(module).keys() & {"_diffusers_hook", "forward"}:
            continue
        reusing = [hook for hook in diffusers_hooks(module) if any(word in hook for word in _REUSING)]
        package = str(getattr(own_forward(module), "__module__", "")).partition(".")[0]
        if package in _REUSING_PACKAGES:
            reusing.append(package)
        if reusing and any(lies_in(layer, name) or lies_in(name, layer) for layer in plans):
            where = repr(name) if name else "the UNet"
            reason = f"{reusing[0]} at {where} reuses results of earlier steps, where layers are skipped"
            yield f"{reason}. Disable it, or {_WITHOUT}"
            return


def _merged(parts: Parts, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    """Tokens merged by tomesd: fewer queries than pixels, in self-attention unless asked for more."""
    patched = (module for module in parts.values() if type(module).__name__ == "ToMeBlock")
    arguments = getattr(next(patched, None), "_tome_info", {}).get("args", {})
    for kind, argument in (("self_attention", "merge_attn"), ("cross_attention", "merge_crossattn")):
        if arguments.get(argument) and any(plan.kind == kind for plan in plans.values()):
            yield f"tomesd merges pixels in {kind}, which then fill no grid. tomesd.remove_patch(pipe), or {_WITHOUT}"
            return


def _foreign(parts: Parts, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    for name in plans:
        processor = type(getattr(parts.get(name), "processor", None)).__name__
        if any(word in processor for word in _OWN_PROJECTIONS):
            reason = f"{processor} at {name!r} attends with other queries and keys than to_q and to_k make"
            yield f"{reason}. Exchange it, or {_WITHOUT}"
            return
