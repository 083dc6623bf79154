"""The line of code that makes a picture again, and how the traces that stand in it were made."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..changes.several import as_json
from ..trace.facts import facts_as_drawn
from ..trace.trace import Trace


class CodeLine(str):
    """A line of code that remembers what its names stand for.

    Attributes:
        sources: How the traces in it were made, as `facts_as_drawn` says it, in the order of their names in the line.
        over: Where they are the cells of a Comparison: its axes, changes in them as JSON; else None.
        given: Name in the line → digest of the array that the user gave under that name: a mask, an image.
    """

    __slots__ = ("given", "over", "sources")
    sources: tuple[Mapping[str, Any], ...]
    over: Mapping[str, Any] | None
    given: Mapping[str, Mapping[str, Any]]

    def __new__(  # noqa: PYI034  (the tests' type checker does not know Self)
        cls,
        line: str,
        traces: Iterable[Trace | Mapping[str, Any]] = (),
        over: Mapping[str, Any] | None = None,
        given: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> "CodeLine":
        """The line, made from `traces`, or from the facts of traces that are not at hand, and from `given` arrays."""
        made = super().__new__(cls, line)
        made.sources = tuple(facts_as_drawn(one) if isinstance(one, Trace) else one for one in traces)
        made.over = None if over is None else {name: as_json(values) for name, values in over.items()}
        made.given = {name: _digest(array) for name, array in given.items()}
        return made


def _digest(array: np.ndarray) -> dict[str, Any]:
    """Shape, number format and hash of an array, as JSON."""
    content = np.ascontiguousarray(array).tobytes()
    return {"array": list(array.shape), "dtype": str(array.dtype), "sha256": hashlib.sha256(content).hexdigest()[:16]}


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


def line_of_code(
    view: str, arguments: str, *traces: Trace, given: Mapping[str, np.ndarray] = MappingProxyType({})
) -> CodeLine:
    """The call that makes a picture again; a comment names the traces, and the line remembers how they were made.

    Args:
        view: Name of the view.
        arguments: As they stand in the line, the names of traces first.
        traces: In the order of their names.
        given: Name in `arguments` → the user's array that it stands for.
    """
    named = " and ".join(trace.fingerprint for trace in traces)
    return CodeLine(f"sdx.views.{view}({arguments})  # trace{'s' * (len(traces) > 1)} {named}", traces, given=given)


_SETTING: Final = re.compile(r"sdx\.set_options\(lang='\w+'\); ")


def in_language(line: str, lang: str) -> str:
    """The line of a picture in this language: "sdx.set_options(lang='ja'); …" where it is not English.

    No `with` block: a notebook shows the last expression of a cell, and would show none.
    """
    if lang == "en" or _SETTING.match(line):
        return line
    written = f"sdx.set_options(lang={lang!r}); {line}"
    if not isinstance(line, CodeLine):
        return written
    made = CodeLine(written, line.sources, line.over)
    made.given = line.given
    return made


def without_language(line: str) -> str:
    """The line without the language that `in_language` put before it."""
    return _SETTING.sub("", line)


def options(given: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Keyword arguments as they stand in a line of code, ", scale='each'", without those that have their defaults.

    Args:
        given: Name → value; of a selection, `Selection.given`, which holds no defaults.
        defaults: Name → value that is left out.
    """
    return "".join(f", {name}={value!r}" for name, value in given.items() if (name, value) not in defaults.items())
