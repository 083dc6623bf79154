"""The errors of sdexplore: each repeats the user's input and says what would be right."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

Value = TypeVar("Value")


class SdexploreError(Exception):
    """Base of every error that sdexplore raises on purpose."""


class LoadError(SdexploreError):
    """A source could not be loaded; the message says how to get it."""


class InspectionError(SdexploreError):
    """A pipeline has no such component, or the component has nothing to show."""


class UnknownNameError(InspectionError, KeyError):
    """A record does not hold this name. The error is a KeyError too, as any mapping raises."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class TokenError(SdexploreError):
    """A word, phrase or position is not in the prompt."""


class TraceError(SdexploreError):
    """A trace does not hold what was asked for, or its file is damaged or foreign."""


class RunError(SdexploreError):
    """A run cannot be started, or cannot be observed, as it was asked for."""


class PublishError(SdexploreError, ValueError):
    """Something cannot be saved or published as asked; the message says what to change."""


class Stopped(SdexploreError):  # noqa: N818  (an outcome, as in StopIteration)
    """A run was stopped from `on_step`.

    Attributes:
        trace: What was recorded until then: a Trace (or Traces) without image and decoded steps;
            None if not even one step was finished.
    """

    def __init__(self, message: str, trace: Any = None) -> None:  # noqa: ANN401  (Trace is a level higher)
        super().__init__(message)
        self.trace = trace


_NEAR = 3  # misses that a message names
_TELLING = 2  # letters; a shorter beginning tells too little to be a near miss


def did_you_mean(wanted: str, known: Iterable[str], *, most: int = 12) -> str:
    """The tail of an error message: the near misses of `wanted` among `known`, or all that is known.

    A near miss begins with `wanted`, or is spelled similarly.
    """
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    typed = wanted.casefold()
    longer = [name for name in sorted(folded, key=len) if len(typed) >= _TELLING and name.startswith(typed)]
    widest = [name for name in longer if not any(name.startswith(f"{other}.") for other in longer)]
    alike = get_close_matches(typed, folded, n=_NEAR)
    near = [folded[hit] for hit in dict.fromkeys((*widest[: _NEAR - 1], *alike))][:_NEAR]
    if near:
        return "did you mean " + " or ".join(map(repr, near)) + "?"
    shown = ", ".join(map(repr, names[:most]))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"there is {shown}{more}" if names else "there is none"


@contextmanager
def errors_named(function: str) -> Iterator[None]:
    """Errors about a trace or its words that are raised in the block begin with the function that the user called."""
    try:
        yield
    except (TraceError, TokenError) as error:
        raise type(error)(f"{function}: {error}") from error


def look_up(entries: Mapping[str, Value], name: str, what: str) -> Value:
    """The entry `name`.

    Args:
        what: What the entries are, for the message: "component in the StableDiffusionPipeline".

    Raises:
        UnknownNameError: There is no such entry.
    """
    try:
        return entries[name]
    except (KeyError, TypeError):
        raise UnknownNameError(f"no {what} is called {name!r}; {did_you_mean(str(name), entries)}") from None
