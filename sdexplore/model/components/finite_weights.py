"""Weights that are NaN or infinite, found by one sum over each tensor.

Every weight is read once, at the speed of the memory that holds it (a second for some 10 GB). The answer is kept until
a tensor of the network is replaced or written to. Weights that lie nowhere (meta device, disk) are not read.
"""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from ...strings.wording import told
from .pipeline_parts import parts

_FOUND: WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], tuple[str, ...]]] = WeakKeyDictionary()


def not_finite(network: nn.Module) -> tuple[str, ...]:
    """Dotted names of the parameters that hold NaN or an infinity."""
    found = network.named_parameters()
    parameters = [(name, one) for name, one in found if one.is_floating_point() and not one.is_meta]
    state = tuple((one.data_ptr(), _writes(one)) for _, one in parameters)
    known = _FOUND.get(network)
    if known is None or known[0] != state:
        known = _FOUND[network] = (state, tuple(name for name, one in parameters if not _finite(one.detach())))
    return known[1]


def broken_weights(pipe: Any) -> dict[str, str]:
    """Component -> what is broken in its weights, in words; empty where every weight is a number."""
    found = {name: not_finite(one) for name, one in parts(pipe).items() if isinstance(one, nn.Module)}
    return {name: _words(names) for name, names in found.items() if names}


def _writes(tensor: torch.Tensor) -> int:
    """How often a tensor was written to; those made in inference mode do not count it."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001  (torch has no public name for it)


def _words(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return told("components.fact.broken", weight=names[0])
    return told("components.fact.broken.more", weight=names[0], more=len(names) - 1)


def _finite(tensor: torch.Tensor) -> bool:
    wide = tensor.float() if tensor.element_size() == 1 else tensor
    if bool(torch.isfinite(wide.sum(dtype=torch.float64 if wide.dtype == torch.float64 else torch.float32))):
        return True
    return bool(torch.isfinite(wide).all())  # large numbers may add up to infinity
