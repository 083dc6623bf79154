"""What a graph of a network was made from: whether it may be made at all, and whether it still holds."""

import hashlib
from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch

from .obstacles import diffusers_hooks, own_forward

Hooks = tuple[tuple[str, str, int], ...]

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
_BOOKKEEPING = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_version", "forward"})
_FUNCTIONS = (FunctionType, MethodType, partial)  # once: a union made anew at every question takes longer
# Whose modules and processors do at every call what their settings say. Others' may count, or look around.
_STEADY = frozenset({"torch", "diffusers", "peft", "transformers"})


def obstacle(network: torch.nn.Module) -> str | None:
    """Why no graph of this network can stand for it, its hooks apart; None where one can.

    What is not torch's, diffusers' or peft's own may do something else at the next call; a graph holds what it did
    while it was traced.
    """
    if network.training:
        return "it is in training mode; pipe.unet.eval() ends that"
    for name, module in network.named_modules():
        if (reason := _in_the_way(module, repr(name) if name else "the whole")) is not None:
            return reason
        if name and (hooked := own_forward(module)) is not None:
            by = getattr(hooked, "__module__", None) or "something"
            return f"{by} has put its own forward in the place of {name!r}"
    places = {parameter.device for parameter in network.parameters()}
    return f"its weights lie on {len(places)} devices" if len(places) > 1 else None


def _in_the_way(module: torch.nn.Module, where: str) -> str | None:
    if hasattr(module, "_hf_hook"):
        return "its weights are offloaded by accelerate, which moves them in between"
    if hooks := list(diffusers_hooks(module)):
        return f"diffusers' hook {hooks[0]!r} is on {where}"
    if replaced := _replaced_method(module):
        return f"{replaced!r} of {where} is not its class's own"
    for part in (module, getattr(module, "processor", module)):
        if not _steady(part):
            return f"{type(part).__qualname__} at {where} is code of {type(part).__module__}, not diffusers' own"
    return None


def foreign_hooks(network: torch.nn.Module) -> str | None:
    """What is hooked into the network from outside; None where nothing is. Asked before the probes are there."""
    if (hooked := own_forward(network)) is not None:
        by = getattr(hooked, "__module__", None) or "something"
        return f"{by} has put its own forward in the place of the whole"
    everywhere = torch.nn.modules.module
    if everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks:  # noqa: SLF001  (where torch keeps them)
        return "a hook is on every module there is"
    inner = (name for name, _, _ in hooks_of(network) if name)
    found = next(inner, None)
    return None if found is None else f"a hook is on {found!r}"


def hooks_of(network: torch.nn.Module) -> Hooks:
    """Module, kind and identity of every hook."""
    return tuple(
        (name, kind, id(hook))
        for name, module in network.named_modules()
        for kind in _HOOKS
        for hook in getattr(module, kind).values()
    )


def _steady(part: Any) -> bool:
    return type(part).__module__.partition(".")[0] in _STEADY


def _replaced_method(module: torch.nn.Module) -> str | None:
    """A function that stands in the place of one of the class's, `forward` apart, or that is nobody's known."""
    for name, value in vars(module).items():
        if name in ("forward", "processor") or not isinstance(value, _FUNCTIONS):
            continue
        own = getattr(type(module), name, None)
        function = value.func if isinstance(value, partial) else value
        known = str(function.__module__).partition(".")[0] in _STEADY
        if not known or (own is not None and getattr(function, "__func__", function) is not own):
            return name
    return None


def weights_digest(network: torch.nn.Module) -> str:
    """A digest of where each weight lies and in what format; numbers that change in place leave it as it is."""
    tensors = (*network.named_parameters(), *network.named_buffers())
    return _digest(
        f"{name} {tensor.data_ptr()} {tuple(tensor.shape)} {tensor.dtype} {tensor.device}" for name, tensor in tensors
    )


def structure_digest(network: torch.nn.Module) -> str:
    """A digest of classes and settings of every module and attention processor.

    Adapters' scales, FreeU's factors, chunked feed-forward: plain values, which a graph holds as constants. Of a
    function among them, such as an activation, it is the name that counts.
    """
    return _digest(
        f"{name} {type(module).__module__}.{type(module).__qualname__} {_plain(_settings(module))}"
        for name, module in network.named_modules()
    )


def _settings(module: torch.nn.Module) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(module).items()
        if key not in _BOOKKEEPING and not key.endswith("_hooks") and "hooks_" not in key
    }


def _plain(value: Any, depth: int = 4) -> Any:  # noqa: PLR0911  (a line a kind)
    """`value` as far as it is plain: numbers and names as they are, of objects their class and plain attributes."""
    match value:
        case None | bool() | int() | float() | str() | torch.dtype() | torch.device():
            return value
        case torch.Tensor():
            return (value.data_ptr(), tuple(value.shape))
        case _ if depth == 0:
            return type(value).__qualname__
        case dict():
            return [(str(key), _plain(inner, depth - 1)) for key, inner in value.items()]
        case list() | tuple():
            return [_plain(inner, depth - 1) for inner in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case FunctionType() | MethodType() | BuiltinFunctionType():
            return f"{value.__module__}.{value.__qualname__}"
        case torch.nn.Module():
            return type(value).__qualname__  # its own entry says more
    own = getattr(value, "__dict__", {})
    return (type(value).__qualname__, [(key, _plain(inner, depth - 1)) for key, inner in own.items()])


def _digest(lines: Iterator[str]) -> str:
    content = hashlib.sha256()
    for line in lines:
        content.update(line.encode())
    return content.hexdigest()
