"""Networks that many tests make: a copy has the same numbers, and takes a third of the time.

A copy shares nothing with the first network, so that a test may do with it what it likes.
"""

import copy
import functools
from collections import OrderedDict
from typing import Any

import torch
from torch import nn

_PLAIN = (type(None), bool, int, float, str, type, torch.dtype)
_EMPTY = (dict, OrderedDict, set, list)


def copied(make):
    """Has a function return copies of what it made of the same arguments; torch's generator is left as by the first."""
    made: dict[str, tuple[nn.Module, torch.Tensor]] = {}

    @functools.wraps(make)
    def again(**options):
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = make(**options), torch.get_rng_state()
        network, state = made[key]
        torch.set_rng_state(state)
        return duplicate(network)

    return again


def duplicate(network: nn.Module) -> nn.Module:
    """`copy.deepcopy`, without its slow way around modules, parameters and what cannot change."""
    modules = {id(module): (module, object.__new__(type(module))) for module in network.modules()}
    memo: dict[int, Any] = {place: new for place, (_, new) in modules.items()}
    memo |= {id(one): _cloned(one) for one in (*network.parameters(), *network.buffers())}
    for module, new in modules.values():
        vars(new).update({name: _copy(value, memo) for name, value in vars(module).items()})
    return memo[id(network)]


def _cloned(tensor: torch.Tensor) -> torch.Tensor:
    new = tensor.detach().clone()
    return nn.Parameter(new, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else new


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if type(value) in _EMPTY and not value:
        return type(value)()
    if type(value) is dict:  # modules, parameters and buffers by name, for the most part
        return {name: memo[id(one)] if id(one) in memo else _copy(one, memo) for name, one in value.items()}
    return copy.deepcopy(value, memo)
