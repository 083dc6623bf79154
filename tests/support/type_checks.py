"""The type checker that wraps every function of sdexplore in the tests, made quick.

The import hook of jaxtyping (`--jaxtyping-packages`) decorates each function with `jaxtyping.jaxtyped`, which binds the
arguments of every call, so that shapes can be compared, and checks them twice. Most functions name no shape. Their
annotations are checked as thoroughly by beartype alone, in a small part of the time.
"""

import functools
import inspect
from typing import Any, get_args

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

_SHAPED = jaxtyping.jaxtyped
_UNSHAPED = beartype(conf=BeartypeConf(violation_type=TypeError))  # as jaxtyping's own is


def names_a_shape(annotation: Any) -> bool:
    """Whether an annotation holds an array type of jaxtyping. Text may hold one: it is not read here."""
    if isinstance(annotation, str):
        return True
    if isinstance(annotation, list | tuple):  # the arguments of a Callable
        return any(map(names_a_shape, annotation))
    return (inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray)) or any(
        map(names_a_shape, get_args(annotation))
    )


def typed(function: Any = None, *, typechecker: Any) -> Any:
    """`jaxtyping.jaxtyped` for functions that name a shape, and the type checker alone for all others."""
    if function is None:
        return functools.partial(typed, typechecker=typechecker)
    if inspect.isfunction(function) and not any(map(names_a_shape, function.__annotations__.values())):
        return _UNSHAPED(function)
    return _SHAPED(function, typechecker=typechecker)


def install() -> None:
    """Takes effect for modules that are imported later."""
    jaxtyping.jaxtyped = typed

    @beartype  # it reads `int | np.integer[Any]`, the seed of a run, only if it has seen the union in this order before
    def _seen(_: np.integer[Any] | int) -> None: ...
