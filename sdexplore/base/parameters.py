"""Parameters of functions, asked of Python once for each: a run asks tens of times, and `inspect` takes its time."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=256)
def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function by name, in order.

    Args:
        function: As its class or module has it: a bound method would be kept alive, and its object with it.
    """
    return inspect.signature(function).parameters
