"""Every module of a network, found faster than torch's recursion finds them; a run looks at all several times."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import Any

from torch import nn

Listed = dict[Any, tuple[nn.Module, dict[str, Any]]]
_HERE = local()  # what a thread has listed, while nothing changes
_HOLDERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


@contextmanager
def listed_once() -> Iterator[None]:
    """In the block this thread lists each network once: for code that looks at modules and changes none."""
    outer, _HERE.listed = _listed(), Listed()
    try:
        yield
    finally:
        _HERE.listed = outer


@contextmanager
def changing() -> Iterator[None]:
    """In the block, within `listed_once`, modules may change: they are listed anew each time, and after it again."""
    outer, _HERE.listed = _listed(), None
    try:
        yield
    finally:
        _HERE.listed = outer
        if outer is not None:
            outer.clear()


def modules_of(network: nn.Module) -> Mapping[str, nn.Module]:
    """Dotted name -> module, the network under "" first, each once: as `named_modules` has them, in its order."""
    return _once(_modules_of, network)


def processors_of(network: nn.Module) -> Mapping[str, Any]:
    """Dotted name of a module -> its attention processor, of those that have one."""
    return _once(_processors_of, network)


def _listed() -> Listed | None:
    return getattr(_HERE, "listed", None)


def _once(look: Callable[[nn.Module], dict[str, Any]], network: nn.Module) -> dict[str, Any]:
    listed = _listed()
    if listed is None:
        return look(network)
    key = look, id(network)
    if key not in listed:
        listed[key] = network, look(network)  # the network too, so that its id stays its own
    return listed[key][1]


def _modules_of(network: nn.Module) -> dict[str, nn.Module]:
    found, seen = dict[str, nn.Module](), set[int]()
    waiting: list[tuple[str, nn.Module]] = [("", network)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        found[name] = module
        inner = vars(module).get("_modules", {})
        if inner:
            before = f"{name}." if name else ""
            waiting += [(before + key, one) for key, one in reversed(inner.items()) if one is not None]
    return found


def _processors_of(network: nn.Module) -> dict[str, Any]:
    every = modules_of(network).items()
    return {name: one for name, module in every if (one := attached(module, "processor")) is not None}


def only_holds(module: nn.Module) -> bool:
    """Whether a module only holds others and is not called itself: hooks on it hear nothing."""
    return isinstance(module, _HOLDERS) or type(module).forward is nn.Module.forward


def attached(module: nn.Module, name: str) -> Any:
    """An attribute or submodule of a module; None where there is none, which torch is slow to say."""
    there = vars(module)
    if name in there:
        return there[name]
    inner = there.get("_modules", {})  # torch.jit's has no `get`
    return inner[name] if name in inner else None  # noqa: SIM401
