"""Networks that many tests make: a copy has the same numbers, and takes a third of the time.

A copy shares nothing with the first network, so that a test may do with it what it likes.
"""

import copy
import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

_PLAIN = (type(None), bool, int, float, str, type, torch.dtype)
_EMPTY = (dict, OrderedDict, set, list)


def copied(make):
    """Has a function return copies of what it made of the same arguments; torch's generator is left as by the first."""
    made: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {}

    @functools.wraps(make)
    def again(**options):
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = copier(make(**options)), torch.get_rng_state()
        copy_of, state = made[key]
        torch.set_rng_state(state)
        return copy_of()

    return again


def duplicate(network: nn.Module) -> nn.Module:
    """`copy.deepcopy`, without its slow way around modules, parameters and what cannot change."""
    return copier(network)()


def copier(network: nn.Module) -> Callable[[], nn.Module]:
    """Makes copies of a network; what of a module is to be copied and how is looked up here, once."""
    tensors = [*network.parameters(), *network.buffers()]
    recipes = []
    for module in network.modules():
        attributes = vars(module)
        same = {name: value for name, value in attributes.items() if isinstance(value, _PLAIN)}
        empty = [(name, type(value)) for name, value in attributes.items() if type(value) in _EMPTY and not value]
        done = {*same, *(name for name, _ in empty)}
        others = [(name, value) for name, value in attributes.items() if name not in done]
        recipes.append((id(module), type(module), dict.fromkeys(attributes) | same, empty, others))

    def copied_now() -> nn.Module:
        memo: dict[int, Any] = {place: object.__new__(kind) for place, kind, *_ in recipes}
        memo |= {id(one): _cloned(one) for one in tensors}
        for place, _, attributes, empty, others in recipes:
            new = vars(memo[place])
            new.update(attributes)
            for name, kind in empty:
                new[name] = kind()
            for name, value in others:
                new[name] = _copy(value, memo)
        return memo[id(network)]

    return copied_now


def _cloned(tensor: torch.Tensor) -> torch.Tensor:
    new = tensor.detach().clone()
    return nn.Parameter(new, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else new


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if type(value) is dict:  # modules, parameters and buffers by name, for the most part
        return {name: memo[id(one)] if id(one) in memo else _copy(one, memo) for name, one in value.items()}
    return copy.deepcopy(value, memo)
