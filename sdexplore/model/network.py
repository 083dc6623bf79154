"""What a graph of a network was made from: whether it may be made at all, and whether it still holds."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch

from .obstacles import own_forward

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
_BOOKKEEPING = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_version", "forward"})


def obstacle(network: torch.nn.Module) -> str | None:
    """Why no graph of this network can stand for it; None where one can.

    Hooks and replaced methods are code that a graph would run once, while it is traced, and never again.
    """
    if network.training:
        return "it is in training mode; pipe.unet.eval() ends that"
    for name, module in network.named_modules():
        where = repr(name) if name else "the whole"
        if hasattr(module, "_hf_hook"):
            return "its weights are offloaded by accelerate, which moves them in between"
        if hooks := list(getattr(getattr(module, "_diffusers_hook", None), "hooks", {})):
            return f"diffusers' hook {hooks[0]!r} is on {where}"
        if (hooked := own_forward(module)) is not None:
            return (
                f"{getattr(hooked, '__module__', None) or 'something'} has put its own forward in the place of {where}"
            )
        if name and any(getattr(module, kind) for kind in _HOOKS):
            return f"a hook is on {where}"
    places = {parameter.device for parameter in network.parameters()}
    return f"its weights lie on {len(places)} devices" if len(places) > 1 else None


def weights_digest(network: torch.nn.Module) -> str:
    """A digest of where each weight lies and in what format; numbers that change in place leave it as it is."""
    tensors = (*network.named_parameters(), *network.named_buffers())
    return _digest(
        f"{name} {tensor.data_ptr()} {tuple(tensor.shape)} {tensor.dtype} {tensor.device}" for name, tensor in tensors
    )


def structure_digest(network: torch.nn.Module) -> str:
    """A digest of everything else that its code may read: classes, settings of every module and attention processor.

    Adapters' scales, FreeU's factors, chunked feed-forward: plain values, which a graph holds as constants.
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
        case torch.nn.Module():
            return type(value).__qualname__  # its own entry says more
    own = getattr(value, "__dict__", {})
    return (type(value).__qualname__, [(key, _plain(inner, depth - 1)) for key, inner in own.items()])


def _digest(lines: Iterator[str]) -> str:
    content = hashlib.sha256()
    for line in lines:
        content.update(line.encode())
    return content.hexdigest()
