"""The type checker that wraps every function of sdexplore in the tests, made quick.

The import hook of jaxtyping (`--jaxtyping-packages`) decorates each function and each dataclass with
`jaxtyping.jaxtyped`, which binds the arguments of every call and checks them twice. Most functions name no shape. Their
annotations are checked as thoroughly by beartype alone, in a small part of the time. Where shapes are named, beartype
checks them within a context of jaxtyping, which compares them. Only an axis that is computed of an argument ("{width}")
needs jaxtyping's own wrapper, and annotations that are text. A function that is defined inside another is made anew at
every call of that one; its checks are written once, and keep nothing of it alive.
"""

import dataclasses
import functools
import inspect
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType
from typing import Any, Literal, get_args, get_origin

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

_JAXTYPED = jaxtyping.jaxtyped
_SHAPES = _JAXTYPED("context")
_OF_JAXTYPING = {"__name__": jaxtyping.__name__}  # a warning looks for the user's line behind the wrappers, by this
_SHAPED = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
_UNSHAPED = beartype(conf=BeartypeConf(violation_type=TypeError))  # as jaxtyping's own is
_TARGET = "__beartype_func"  # the default by which beartype's wrapper knows its function
_INNER: dict[CodeType, tuple[dict[str, Any], FunctionType]] = {}  # annotations and wrapper of inner functions


def shapes_in(annotation: Any) -> Iterator[str]:
    """The shapes of the array types of jaxtyping that an annotation holds, as text; text itself is not read here."""
    if isinstance(annotation, list | tuple):  # the arguments of a Callable
        for one in annotation:
            yield from shapes_in(one)
    elif inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray):
        yield annotation.dim_str
    else:
        for one in get_args(annotation):
            yield from shapes_in(one)


def is_read_by_beartype(annotation: Any) -> bool:
    """Whether an annotation says all by itself: neither text nor an axis that is computed of an argument."""
    if isinstance(annotation, str) or any("{" in shape for shape in shapes_in(annotation)):
        return False
    parts = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    return get_origin(annotation) is Literal or all(map(is_read_by_beartype, parts))


def typed(function: Any = None, *, typechecker: Any) -> Any:
    """`jaxtyping.jaxtyped`, but for what beartype checks as thoroughly."""
    if function is None:
        return functools.partial(typed, typechecker=typechecker)
    if dataclasses.is_dataclass(function):
        made = vars(function).get("__init__")
        if made is not None and not hasattr(made, "__wrapped__"):  # neither inherited nor written out
            function.__init__ = typed(made, typechecker=typechecker)
        return function
    if not inspect.isfunction(function) or not all(map(is_read_by_beartype, function.__annotations__.values())):
        return _JAXTYPED(function, typechecker=typechecker)
    shaped = any(any(shapes_in(one)) for one in function.__annotations__.values())
    checker = _SHAPED if shaped else _UNSHAPED
    checked = _inner(function, checker) if "<locals>" in function.__qualname__ else checker(function)
    return _comparing(checked) if shaped else checked


def _comparing(checked: FunctionType) -> Any:
    shapes = _SHAPES

    def within(*args: Any, **kwargs: Any) -> Any:
        with shapes:
            return checked(*args, **kwargs)

    wrapper = FunctionType(within.__code__, _OF_JAXTYPING, checked.__name__, None, within.__closure__)
    return functools.update_wrapper(wrapper, checked)


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
