"""The line of code that makes a picture again, and how the traces that stand in it were made."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..trace.trace import Trace


class CodeLine(str):
    """A line of code that remembers which traces stand in it.

    Attributes:
        sources: `facts_of_traces`, in the order of their names in the line.
        over: Where they are the cells of a Comparison: its axes; else None.
    """

    __slots__ = ("over", "sources")
    sources: tuple[Mapping[str, Any], ...]
    over: Mapping[str, Any] | None

    def __new__(  # noqa: PYI034  (the tests' type checker does not know Self)
        cls, line: str, traces: Iterable[Trace] = (), over: Mapping[str, Any] | None = None
    ) -> "CodeLine":
        """The line, made from `traces`."""
        made = super().__new__(cls, line)
        made.sources = facts_of_traces(traces)
        made.over = over
        return made


def facts_of_traces(traces: Iterable[Trace]) -> tuple[Mapping[str, Any], ...]:
    """How each of `traces` was made: fingerprint, kind, call and provenance, as JSON."""
    return tuple(
        {
            "fingerprint": trace.fingerprint,
            "kind": trace.kind,
            "call": dict(trace.call),
            "provenance": dict(trace.provenance),
        }
        for trace in traces
    )


def summary(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Model, prompt, seed, scheduler and versions of the traces: one value where they agree, else the list of each."""
    found: dict[str, list[Any]] = {"model": [], "prompt": [], "seed": [], "scheduler": [], "versions": []}
    for source in sources:
        provenance, call = source["provenance"], source["call"]
        scheduler = provenance.get("scheduler", {})
        found["model"].append(provenance.get("model"))
        found["prompt"].append(call.get("prompt"))
        found["seed"].append(call.get("seed"))
        found["scheduler"].append(scheduler.get("class"))
        found["versions"].append(provenance.get("versions"))
    return {
        name: values[0] if all(one == values[0] for one in values) else values
        for name, values in found.items()
        if values
    }


def line_of_code(view: str, arguments: str, *traces: Trace) -> CodeLine:
    """The call that makes a picture again; a comment names the traces, and the line remembers how they were made."""
    named = " and ".join(trace.fingerprint for trace in traces)
    return CodeLine(f"sdx.views.{view}({arguments})  # trace{'s' * (len(traces) > 1)} {named}", traces)


def options(given: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Keyword arguments as they stand in a line of code, ", scale='each'", without those that have their defaults.

    Args:
        given: Name → value; of a selection, `Selection.given`, which holds no defaults.
        defaults: Name → value that is left out.
    """
    return "".join(f", {name}={value!r}" for name, value in given.items() if (name, value) not in defaults.items())
