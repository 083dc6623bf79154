"""The type checker that wraps every function of sdexplore in the tests, made quick.

The import hook of jaxtyping (`--jaxtyping-packages`) decorates each function with `jaxtyping.jaxtyped`, which binds the
arguments of every call, so that shapes can be compared, and checks them twice. Most functions name no shape. Their
annotations are checked as thoroughly by beartype alone, in a small part of the time. A function that is defined inside
another is made anew at every call of that one; its checks are written once, and keep nothing of it alive.
"""

import functools
import inspect
from types import CellType, CodeType, FunctionType
from typing import Any, get_args

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

_SHAPED = jaxtyping.jaxtyped
_UNSHAPED = beartype(conf=BeartypeConf(violation_type=TypeError))  # as jaxtyping's own is
_TARGET = "__beartype_func"  # the default by which beartype's wrapper knows its function
_INNER: dict[CodeType, tuple[dict[str, Any], FunctionType]] = {}  # annotations and wrapper of inner functions


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
        return _inner(function, _UNSHAPED) if "<locals>" in function.__qualname__ else _UNSHAPED(function)
    return _SHAPED(function, typechecker=typechecker)


def _inner(function: FunctionType, typechecker: Any) -> Any:
    annotations, wrapper = _INNER.get(function.__code__, ({}, None))
    if wrapper is None or annotations != function.__annotations__:
        wrapper = typechecker(_hollow(function))
        if _TARGET not in (getattr(wrapper, "__kwdefaults__", None) or {}):
            return typechecker(function)
        _INNER[function.__code__] = (function.__annotations__, wrapper)
    again = FunctionType(
        wrapper.__code__, wrapper.__globals__, wrapper.__name__, wrapper.__defaults__, wrapper.__closure__
    )
    again.__kwdefaults__ = {**wrapper.__kwdefaults__, _TARGET: function}
    return functools.update_wrapper(again, function)


def _hollow(function: FunctionType) -> FunctionType:
    """The function without the objects it has seen: what is kept of it must not keep a dashboard."""
    cells = tuple(CellType() for _ in function.__code__.co_freevars)
    hollow = FunctionType(function.__code__, function.__globals__, function.__name__, None, cells)
    hollow.__annotations__, hollow.__qualname__ = function.__annotations__, function.__qualname__
    return hollow


def install() -> None:
    """Takes effect for modules that are imported later."""
    jaxtyping.jaxtyped = typed

    @beartype  # it reads `int | np.integer[Any]`, the seed of a run, only if it has seen the union in this order before
    def _seen(_: np.integer[Any] | int) -> None: ...
