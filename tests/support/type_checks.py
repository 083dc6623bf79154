"""The type checker that wraps every function of sdexplore in the tests, made quick.

The import hook of jaxtyping (`--jaxtyping-packages`) decorates each function with `jaxtyping.jaxtyped`, which binds the
arguments of every call, so that shapes can be compared, and checks them twice. beartype alone checks as thoroughly in a
small part of the time; where annotations name shapes, within a scope of jaxtyping, in which shapes must agree. A
function that is defined inside another is made anew at every call of that one; its checks are written once, and keep
nothing of it alive.
"""

import contextlib
import dataclasses
import functools
import inspect
from types import CellType, CodeType, FunctionType
from typing import Any, get_args, get_type_hints

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

_JAXTYPED = jaxtyping.jaxtyped
_UNSHAPED = beartype(conf=BeartypeConf(violation_type=TypeError))  # as jaxtyping's own is
_SHAPED = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
_TARGET = "__beartype_func"  # the default by which beartype's wrapper knows its function
_INNER: dict[CodeType, tuple[dict[str, Any], FunctionType]] = {}  # annotations and wrapper of inner functions


class _Scope(contextlib.ContextDecorator):
    """In one call of a function, an axis of one name has one length."""

    axes = _JAXTYPED("context")

    def __enter__(self) -> None:
        self.axes.__enter__()

    def __exit__(self, *error: object) -> None:
        self.axes.__exit__(*error)


_SCOPE = _Scope()


def names_a_shape(annotation: Any) -> bool:
    """Whether an annotation holds an array type of jaxtyping. Text may hold one: it is not read here."""
    return any(isinstance(part, str) or _is_array(part) for part in _parts(annotation))


def _parts(annotation: Any) -> Any:
    """The annotation and what it is made of."""
    yield annotation
    inside = annotation if isinstance(annotation, list | tuple) else get_args(annotation)  # a list: of a Callable
    for part in inside:
        yield from _parts(part)


def _is_array(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray)


def typed(function: Any = None, *, typechecker: Any) -> Any:
    """`jaxtyping.jaxtyped`, whose checks are beartype's alone where they need no more."""
    if function is None:
        return functools.partial(typed, typechecker=typechecker)
    if inspect.isclass(function) and dataclasses.is_dataclass(function) and inspect.isfunction(function.__init__):
        if not hasattr(function.__init__, "__wrapped__"):  # an inherited one is checked already
            function.__init__ = typed(function.__init__, typechecker=typechecker)
        return function
    if not inspect.isfunction(function):
        return _JAXTYPED(function, typechecker=typechecker)
    return (_inner if "<locals>" in function.__qualname__ else _wrapped)(function, typechecker)


def _wrapped(function: FunctionType, typechecker: Any) -> Any:
    annotations = {name: _read(annotation, function) for name, annotation in function.__annotations__.items()}
    arrays = [part for annotation in annotations.values() for part in _parts(annotation) if _is_array(part)]
    if not arrays:
        return _checked(function, annotations, _UNSHAPED)
    if inspect.isgeneratorfunction(function) or any("{" in array.dim_str for array in arrays):
        return _JAXTYPED(function, typechecker=typechecker)  # a length that is computed from the arguments
    return _SCOPE(_checked(function, annotations, _SHAPED))


def _read(annotation: Any, function: FunctionType) -> Any:
    """An annotation with what its text names; Any where that is not known yet, as jaxtyping has it."""
    if not any(isinstance(part, str) for part in _parts(annotation)):
        return annotation

    def named(_: annotation) -> None: ...

    try:
        return get_type_hints(named, function.__globals__, include_extras=True)["_"]
    except Exception:  # noqa: BLE001  (as jaxtyping)
        return Any


def _checked(function: FunctionType, annotations: dict[str, Any], typechecker: Any) -> Any:
    """The function as beartype wraps it, which reads these annotations of it."""
    before, function.__annotations__ = function.__annotations__, annotations
    try:
        wrapper = typechecker(function)
    finally:
        function.__annotations__ = before
    wrapper.__annotations__ = before
    return wrapper


def _inner(function: FunctionType, typechecker: Any) -> Any:
    annotations, wrapper = _INNER.get(function.__code__, ({}, None))
    if wrapper is None or annotations != function.__annotations__:
        hollow = _hollow(function)
        wrapper = _wrapped(hollow, typechecker)
        if wrapper is not hollow and _TARGET not in (getattr(wrapper, "__kwdefaults__", None) or {}):
            return _wrapped(function, typechecker)
        _INNER[function.__code__] = (function.__annotations__, wrapper)
    if _TARGET not in (wrapper.__kwdefaults__ or {}):
        return function  # there was nothing to check
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
