"""What keeps a run from being observed, found before the run: each with its reason and the way out."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch

from ...base.errors import RunError
from ...base.known_names import lies_in
from ..families import family_of
from ..families.family import Family
from ..families.modules import modules_of
from ..families.video import VideoFamily
from .plans import LayerPlan

# Hooks of diffusers that reuse a layer's result of an earlier step, by words in their names; "fbc" is FirstBlockCache.
_REUSING = ("cache", "broadcast", "skip", "fbc")
# Those of them that call a module or leave it out as a whole: what attends is heard rightly, what does not is silent.
# FasterCache leaves out rows, SeaCache and the cache of text keys work inside layers, skips replace attention itself.
WHOLE_MODULES = frozenset(
    {"fbc_leader_block_hook", "fbc_block_hook", "mag_cache_leader_block_hook", "mag_cache_block_hook"}
    | {"pyramid_attention_broadcast", "taylorseer_cache"}
)
_NEVER_LEFT_OUT = frozenset({"fbc_leader_block_hook"})  # what it does decides about the others
KNOWN_HOOKS = frozenset(
    {"group_offloading", "lazy_prefetch_group_offloading", "layer_execution_tracker", "layerwise_casting"}
    | {"peft_autocast_disable"}
)
_REUSING_PACKAGES = ("DeepCache", "tgate")
Parts: TypeAlias = Mapping[str, torch.nn.Module]
"""The modules of a network by their dotted names, the whole under the empty one."""
_WITHOUT = "leave those layers out: Record(layers=…, self_attention=…), or Record(cross_attention=False)"


def refuse(pipe: Any, plans: Mapping[str, LayerPlan]) -> None:
    """Raises a RunError that names everything that keeps a run from being observed, if there is anything."""
    if found := obstacles(pipe, plans):
        raise RunError(f"run: cannot observe this {type(pipe).__name__}: " + "; and ".join(found))


def obstacles(pipe: Any, plans: Mapping[str, LayerPlan]) -> list[str]:
    """What keeps the planned layers of the pipeline's denoiser from being read, each as "reason. Way out"."""
    family = family_of(pipe)
    parts = modules_of(family.held(pipe))
    wanted = {name: plan.kind for name, plan in plans.items()}
    others = family.further(pipe) if isinstance(family, VideoFamily) else {}
    beside = (one for name, network in others.items() for one in compiled(modules_of(network), family, name))
    return [*compiled(parts, family), *beside, *_reused(parts, plans, family), *family.obstacles(parts, wanted)]


def reusing(parts: Parts, layers: Collection[str]) -> dict[str, str]:
    """Layer -> the hook of a cache that may leave it out of a call, and give an earlier step's result in its place."""
    found: dict[str, str] = {}
    for name, module in parts.items():
        if "_diffusers_hook" not in vars(module):
            continue
        if hooks := (WHOLE_MODULES - _NEVER_LEFT_OUT) & diffusers_hooks(module).keys():
            found |= {layer: min(hooks) for layer in layers if lies_in(layer, name)}
    return found


def own_forward(module: torch.nn.Module) -> Any:
    """The function that replaces the class's own forward on this module; None if nothing does."""
    forward = vars(module).get("forward")
    while isinstance(forward, partial):
        forward = forward.func
    bound = getattr(
        forward, "__func__", None
    )  # it may be the class's own again, set on the module by the code that replaced it
    return None if bound is not None and bound is type(module).forward else forward


def diffusers_hooks(module: torch.nn.Module) -> dict[str, Any]:
    """Hooks of diffusers on a module, by name."""
    # In `vars`, since torch is slow to say that a module has no such attribute.
    registry = vars(module).get("_diffusers_hook")
    return {} if registry is None else dict(getattr(registry, "hooks", {}))


def compiled(parts: Parts, family: Family, component: str = "") -> Iterator[str]:
    """Where a denoiser is compiled, with the way back; empty if it is not.

    Args:
        component: Its name in the pipeline, if it is not the first.
    """
    whole = f"pipe.{component or family.component}"
    for name, module in parts.items():
        place = f"{whole}.get_submodule({name!r})" if name else whole
        there = vars(module)
        children = there.get("_modules", {})
        if isinstance(module, torch.jit.ScriptModule):
            by, out = "torch.jit", "Load the pipeline without it"
        elif "_orig_mod" in children and name:
            by, out = "torch.compile", f"Undo it: {whole}.set_submodule({name!r}, {place}._orig_mod)"
        elif "_orig_mod" in children:
            by, out = "torch.compile", f"Run before compiling, or undo it: {whole} = {whole}._orig_mod"
        elif getattr(module, "_compiled_call_impl", None) is not None:
            by, out = "torch.compile", f"Undo it: for module in {whole}.modules(): module._compiled_call_impl = None"
        elif "forward" in there and hasattr(own_forward(module), "_torchdynamo_orig_callable"):
            by, out = "torch.compile", f"Undo it: del {place}.forward"
        else:
            continue
        hidden = "where hooks never fire; compile_denoiser compiles recorded runs"
        yield f"{repr(name) if name else f'its {family.title}'} is compiled by {by}, {hidden}. {out}"
        return


def _reused(parts: Parts, plans: Mapping[str, LayerPlan], family: Family) -> Iterator[str]:
    for name, module in parts.items():
        if not vars(module).keys() & {"_diffusers_hook", "forward"}:
            continue
        hooks = diffusers_hooks(module).keys() - WHOLE_MODULES
        found = [hook for hook in sorted(hooks) if any(word in hook for word in _REUSING)]
        package = str(getattr(own_forward(module), "__module__", "")).partition(".")[0]
        if package in _REUSING_PACKAGES:
            found.append(package)
        if found and any(lies_in(layer, name) or lies_in(name, layer) for layer in plans):
            where = repr(name) if name else f"the {family.title}"
            reason = f"{found[0]} at {where} reuses results of earlier steps, at which layers are skipped"
            yield f"{reason}. Disable it, or {_WITHOUT}"
            return
