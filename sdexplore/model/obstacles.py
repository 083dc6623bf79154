"""What keeps a run from being observed: found before the run, each with its reason and the way out."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch

from ..errors import RunError
from .probes import LayerPlan

# Hooks of diffusers that reuse what a layer gave at an earlier step, by words in their names.
_REUSING = ("cache", "broadcast", "skip")
_REUSING_PACKAGES = ("DeepCache", "tgate")
# Processors that attend with other queries and keys than the layer's to_q and to_k make.
_OWN_PROJECTIONS = ("CustomDiffusion", "CrossFrame", "AddedKV")
_OVER_TIME = ("Temporal", "Transformer3D")
_WITHOUT = "leave those layers out: Record(layers=…, self_attention=…), or Record(cross_attention=False)"


def refuse(pipe: Any, plans: Mapping[str, LayerPlan]) -> None:
    """Raises RunError with everything that keeps a run from being observed, if there is anything."""
    if found := obstacles(pipe, plans):
        raise RunError(f"cannot observe this {type(pipe).__name__}: " + "; and ".join(found))


def obstacles(pipe: Any, plans: Mapping[str, LayerPlan]) -> list[str]:
    """Every obstacle to reading the planned layers of the pipeline's UNet, as "reason. Way out"; best none."""
    unet = pipe.unet
    return [*_compiled(unet), *_over_time(unet), *_reused(unet, plans), *_merged(unet, plans), *_foreign(unet, plans)]


def own_forward(module: torch.nn.Module) -> Any:
    """The function that stands in the place of the class's own forward; None where nothing does."""
    forward = vars(module).get("forward")
    while isinstance(forward, partial):
        forward = forward.func
    return None if getattr(forward, "__func__", None) is type(module).forward else forward


def _compiled(unet: torch.nn.Module) -> Iterator[str]:
    for name, module in unet.named_modules():
        where, place = (f"its {name!r} is", f"pipe.unet.get_submodule({name!r})") if name else ("it is", "pipe.unet")
        if hasattr(module, "_orig_mod"):
            out = f"{place} = {place}._orig_mod" if not name else "put its ._orig_mod in its place"
        elif getattr(module, "_compiled_call_impl", None) is not None:
            out = f"{place}._compiled_call_impl = None"
        elif hasattr(own_forward(module), "_torchdynamo_orig_callable"):
            out = f"del {place}.forward"
        elif isinstance(module, torch.jit.ScriptModule):
            yield f"{where} compiled by torch.jit, where hooks never fire. Load the pipeline without it"
            return
        else:
            continue
        yield f"{where} compiled by torch.compile, where hooks never fire. Run before compiling, or undo it: {out}"
        return


def _over_time(unet: torch.nn.Module) -> Iterator[str]:
    found = next((n for n, m in unet.named_modules() if any(word in type(m).__name__ for word in _OVER_TIME)), None)
    if found:
        yield f"{found!r} attends over frames, which have no grid (y, x). Only pipelines that draw pictures are observed"


def _reused(unet: torch.nn.Module, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    for name, module in unet.named_modules():
        hooks = getattr(getattr(module, "_diffusers_hook", None), "hooks", {})
        reusing = [hook for hook in hooks if any(word in hook for word in _REUSING)]
        package = str(getattr(own_forward(module), "__module__", "")).partition(".")[0]
        if package in _REUSING_PACKAGES:
            reusing.append(package)
        if reusing and any(_belongs(layer, name) for layer in plans):
            where = f"at {name!r}" if name else "at the UNet"
            yield f"{reusing[0]} {where} reuses the results of earlier steps, so layers are silent. Disable it, or {_WITHOUT}"
            return


def _belongs(layer: str, module: str) -> bool:
    """Whether the one lies in the other, or is it."""
    return not module or f"{layer}.".startswith(f"{module}.") or module.startswith(f"{layer}.")


def _merged(unet: torch.nn.Module, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    """Tokens merged by tomesd: fewer queries than pixels, in self-attention unless asked for more."""
    arguments = getattr(unet, "_tome_info", {}).get("args", {})
    for kind, argument in (("self_attention", "merge_attn"), ("cross_attention", "merge_crossattn")):
        if arguments.get(argument) and any(plan.kind == kind for plan in plans.values()):
            what = kind.replace("_", "-")
            yield f"tomesd merges the pixels of {what}, which then fill no grid. tomesd.remove_patch(pipe), or {_WITHOUT}"
            return


def _foreign(unet: torch.nn.Module, plans: Mapping[str, LayerPlan]) -> Iterator[str]:
    for name in plans:
        processor = type(getattr(unet.get_submodule(name), "processor", None)).__name__
        if processor.startswith(_OWN_PROJECTIONS) or "AddedKV" in processor:
            yield f"{processor} at {name!r} attends with other queries and keys than to_q and to_k make. Exchange it, or {_WITHOUT}"
            return
