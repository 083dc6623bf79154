"""The language of a dashboard: it speaks as long as it lives what was spoken when it was opened.

A callback, a job or a call in the main thread comes later than the code that handed it over, from another thread
perhaps, and another language may be set by then. So each takes its language along from where it is handed over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from ..base.options import options, pinned

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_Method = TypeVar("_Method", bound=Callable[..., Any])


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """In the block this language is spoken, in this thread; the other options are what they are."""
    with pinned(replace(options(), lang=lang)):
        yield


def as_now(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """`function`, which speaks whenever it is called the language that is spoken now."""
    lang = options().lang

    @wraps(function)
    def called(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        with speaking(lang):
            return function(*given, **named)

    return called


def in_its_language(method: _Method) -> _Method:
    """A method of an object with a board, which speaks the language of that board."""

    @wraps(method)
    def called(self: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401  (of any class)
        with speaking(self.board.lang):
            return method(self, *given, **named)

    return cast("_Method", called)
