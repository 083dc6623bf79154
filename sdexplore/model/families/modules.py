"""Every module of a network, found faster than torch's recursion finds them; a run looks at all several times."""

from typing import Any

from torch import nn

_HOLDERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def modules_of(network: nn.Module) -> dict[str, nn.Module]:
    """Dotted name -> module, the network under "" first, each once: as `named_modules` has them, in its order."""
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
