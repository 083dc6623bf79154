"""Whether a graph of a network may be made at all: finds what in it may do something else at the next call."""

from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch

from ..capture.obstacles import diffusers_hooks, own_forward
from ..families.family import Family

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")  # where a module keeps them
_FUNCTIONS = (FunctionType, MethodType, partial)  # made once: a union made at every question takes longer
# Modules and processors of these packages do at every call what their settings say. Others may count calls.
_STEADY = frozenset({"torch", "diffusers", "peft", "transformers"})
# The methods of torch's Module that a call goes through; libraries change others (`to`, `compile`).
_CALLED = frozenset({"__call__", "_wrapped_call_impl", "_call_impl", "__getattr__"})
# Packages whose decorators those have around their own functions.
_DECORATING = frozenset({"contextlib", "dataclasses", "functools", "huggingface_hub", "typing"})


def obstacle(network: torch.nn.Module, family: Family) -> str | None:
    """Why no graph can replace this network, its hooks apart; None if one can.

    What is not torch's, diffusers' or peft's own may do something else at the next call; a graph holds what it did
    while it was traced.
    """
    if network.training:
        return f"it is in training mode; pipe.{family.component}.eval() ends that"
    for name, module in network.named_modules():
        if (reason := _in_the_way(module, repr(name) if name else "the whole")) is not None:
            return reason
        if name and (hooked := own_forward(module)) is not None:
            by = getattr(hooked, "__module__", None) or "something"
            return f"{by} has replaced the forward of {name!r}"
    for place in namespaces_of(network):
        for name, function in functions_of(place):
            if place is torch.nn.Module and name not in _CALLED:
                continue
            if (by := package_of(function)) not in _STEADY | _DECORATING:
                return f"{name!r} of {place.__name__} is code of {by}, not {package_of(place)}'s own"
    places = {tensor.device for tensor in (*network.parameters(), *network.buffers())}
    return f"its weights lie on {len(places)} devices" if len(places) > 1 else None


def _in_the_way(module: torch.nn.Module, where: str) -> str | None:
    attributes = vars(module)  # asking a module for an attribute that it lacks takes longer than all else here
    if "_hf_hook" in attributes:
        return "its weights are offloaded by accelerate, which moves them in between"
    if "_diffusers_hook" in attributes and (hooks := list(diffusers_hooks(module))):
        return f"diffusers' hook {hooks[0]!r} is on {where}"
    if replaced := _replaced_method(module):
        return f"{replaced!r} of {where} is not its class's own"
    for part in (module, attributes.get("processor", module)):
        if package_of(type(part)) not in _STEADY:
            return f"{type(part).__qualname__} at {where} is code of {type(part).__module__}, not diffusers' own"
    return None


def foreign_hooks(network: torch.nn.Module) -> str | None:
    """What is hooked into the network from outside; None if nothing is. It is asked before the probes are on it."""
    if (hooked := own_forward(network)) is not None:
        by = getattr(hooked, "__module__", None) or "something"
        return f"{by} has replaced the forward of the whole"
    if any(hooks_everywhere()):
        return "a hook is on every module there is"
    for name, module in network.named_modules():
        if name and any(vars(module)[kind] for kind in HOOKS):
            return f"a hook is on {name!r}"
    return None


def hooks_everywhere() -> tuple[dict[int, Any], ...]:
    """The hooks that torch has on all modules, before the forward and after."""
    there = torch.nn.modules.module
    return there._global_forward_pre_hooks, there._global_forward_hooks  # noqa: SLF001  (where torch keeps them)


def namespaces_of(network: torch.nn.Module) -> list[Any]:
    """Where the functions of a network are looked up: the classes of its parts, and torch's functional."""
    parts = [part for module in network.modules() for part in (module, vars(module).get("processor", module))]
    classes = {one: None for kind in dict.fromkeys(map(type, parts)) for one in kind.__mro__}
    return [*(one for one in classes if package_of(one) in _STEADY), torch.nn.functional]


def functions_of(place: Any) -> Iterator[tuple[str, FunctionType]]:
    """(name, function) of the functions in a class or module that are written in Python."""
    for name, value in vars(place).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(function, FunctionType):
            yield name, function


def package_of(thing: Any) -> str:
    """The package of a class or module; of a function, that of its code, whatever `__module__` says."""
    written = getattr(thing, "__globals__", {}).get("__name__") or getattr(thing, "__module__", None) or thing.__name__
    return str(written).partition(".")[0]


def _replaced_method(module: torch.nn.Module) -> str | None:
    """A function that replaces one of the class's own, `forward` apart, or that is of no known package."""
    for name, value in vars(module).items():
        if name in ("forward", "processor") or not isinstance(value, _FUNCTIONS):
            continue
        own = getattr(type(module), name, None)
        function = value.func if isinstance(value, partial) else value
        known = str(function.__module__).partition(".")[0] in _STEADY
        if not known or (own is not None and getattr(function, "__func__", function) is not own):
            return name
    return None
