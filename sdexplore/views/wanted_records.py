"""Which records a view draws, as its annotations say; one of another kind is refused before anything is drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from inspect import Parameter, signature
from pathlib import PurePath
from typing import Any, Final, get_args, get_type_hints

from ..base.display import clip
from ..base.errors import TraceError
from ..trace.collections import Comparison, Traces
from ..trace.trace import Trace

_MAKERS: Final = {"Trace": "run", "Comparison": "compare"}
"""Name of a record's class -> the function of `sdx` that makes one, where the view does not say it."""

_NAMES: Final = {"Studied": "Study, or what sdx.studies.read opens"}
"""Name of a class -> what users know it as."""


class WantedRecords:
    """The parameters of a view that take records.

    Args:
        view: Its annotations are read when it is called first.
        calls: The functions of `sdx` that make its record; and
        part: the attribute of what they make that is the record; "" for all of it.
    """

    def __init__(self, view: Callable[..., Any], calls: Sequence[str], part: str = "") -> None:
        self._view, self._calls, self._part = view, calls, part

    def check(self, given: Sequence[Any], options: Mapping[str, Any]) -> None:
        """TraceError where an argument is no record of the kind that its parameter takes."""
        for name, value in self._bound(given, options):
            kinds = self._kinds[name]
            if not isinstance(value, kinds):
                raise TraceError(f"{self._view.__name__}({_shown(value)}): {self._wanted(kinds)}{_hint(value, kinds)}")

    def _bound(self, given: Sequence[Any], options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """(parameter, record) of each argument that is to be a record."""
        places = list(self._places)
        for place, value in enumerate(given):
            name = places[min(place, len(places) - 1)]
            if name in self._kinds and (place < len(places) or self._places[name] is Parameter.VAR_POSITIONAL):
                yield name, value
        yield from ((name, value) for name, value in options.items() if name in self._kinds)

    @cached_property
    def _places(self) -> dict[str, Any]:
        return {name: one.kind for name, one in signature(self._view).parameters.items()}

    @cached_property
    def _kinds(self) -> dict[str, tuple[type, ...]]:
        """Parameter -> the classes of the records that it takes; of the parameters that take nothing else."""
        found = {}
        for name, hint in get_type_hints(self._view).items():
            classes = get_args(hint) or (hint,)
            if name in self._places and all(_is_record(one) for one in classes):
                found[name] = tuple(classes)
        return found

    def _wanted(self, kinds: Sequence[type]) -> str:
        named = " or ".join(
            f"{_article(one)} {one}" for one in (_NAMES.get(kind.__name__, kind.__name__) for kind in kinds)
        )
        calls = self._calls or [_MAKERS[one.__name__] for one in kinds if one.__name__ in _MAKERS]
        makers = " or ".join(f"sdx.{one}" for one in dict.fromkeys(calls))
        if self._part:
            return f"it draws {named}, the .{self._part} of what {makers} makes"
        return f"it draws {named}" + (f", as {makers} makes one" if makers else "")


def _is_record(one: object) -> bool:
    return isinstance(one, type) and one.__module__.partition(".")[0] == __package__.partition(".")[0]


def _article(name: str) -> str:
    return "an" if name[0] in "AEIO" else "a"


def _shown(value: object) -> str:
    return clip(repr(value), 80) if value is None or isinstance(value, str | int | float) else type(value).__name__


def _hint(value: object, kinds: Sequence[type]) -> str:
    """What of the given thing could be drawn, where that is known."""
    if isinstance(value, str | PurePath) and Trace in kinds:
        return f"; sdx.Trace.load({str(value)!r}) opens a file"
    if isinstance(value, Comparison | Traces | list | tuple) and Trace in kinds:
        return "; it draws one of several, as in traces[0]"
    if isinstance(value, Traces | list | tuple) and Comparison in kinds:
        return "; these have no argument that tells them apart; sdx.views.attention(traces[0]) draws one of them"
    return ""
