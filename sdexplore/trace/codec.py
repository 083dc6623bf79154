"""A Trace as the facts and arrays of a file, and back: checked before anyone reads it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.display import clip
from ..base.errors import SdexploreError, TraceError
from ..text.tokenization import Tokenization, Tokenizations
from .growing_file import TraceDraft
from .layout import ARRAYS, MAPPINGS, Attention, Queries
from .trace import Trace, preview_in


def assemble(cls: type[Trace], name: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trace:
    """The Trace of file `name`; parts that are missing, unknown or of the wrong shape raise TraceError."""
    try:
        digests = _objects(facts, "digests")
        if astray := set(digests) ^ set(arrays):
            raise TraceError(f"its header and its arrays disagree about {sorted(astray)}")  # noqa: TRY301
        left = dict(arrays)
        trace = _assemble(cls, facts, left)
        if left:
            raise TraceError(f"it holds {sorted(left)}, which no trace does")  # noqa: TRY301
    except SdexploreError as error:
        raise TraceError(f"{name!r} is damaged: {error}") from error
    except KeyError as error:
        raise TraceError(f"{name!r} is damaged: {error} is missing") from error
    except Exception as error:
        raise TraceError(f"{name!r} is damaged: {type(error).__name__}: {error}") from error
    trace.__dict__["digests"] = digests  # not a field: a trace in memory has none
    return trace


def _assemble(cls: type[Trace], facts: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Trace:
    """Takes what it uses out of `arrays`."""
    attention: dict[str, dict[str, dict[str, Attention]]] = {"cross_attention": {}, "self_attention": {}}
    for key, entry in _objects(facts, "attention").items():
        kind, role, layer = key.split("/", 2)
        attention[kind].setdefault(role, {})[layer] = Attention(
            probs=arrays.pop(key),
            steps=tuple(entry["steps"]),
            columns=tuple(tuple(column) for column in entry["columns"]),
            tokenizer=entry["tokenizer"],
            head_mean=entry["head_mean"],
        )
    queries: dict[str, dict[str, Queries]] = {}
    for key, steps in facts.get("queries", {}).items():
        _, role, layer = key.split("/", 2)
        queries.setdefault(role, {})[layer] = Queries(values=arrays.pop(key), steps=tuple(steps))
    provenance = _objects(facts, "provenance")
    if "scheduler" in provenance:
        _objects(provenance, "scheduler")
    call = _objects(facts, "call")
    if "arguments" in call:
        _objects(call, "arguments")
    keys = _objects(facts, "mappings")
    parts: dict[str, Any] = (
        attention
        | {"queries": queries}
        | {name: {key: arrays.pop(f"{name}/{key}") for key in keys[name]} for name in MAPPINGS}
        | {name: arrays.pop(name) for name in ARRAYS if name == "timesteps" or name in arrays}
    )
    return cls(
        kind=facts["kind"],
        call=call,
        provenance=provenance,
        tokens={
            role: Tokenizations({key: Tokenization.from_json(value) for key, value in by.items()})
            for role, by in _objects(facts, "tokens").items()
        },
        flags=_objects(facts, "flags"),
        **parts,
    )


def _objects(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(facts[name], dict):
        raise TraceError(f"{name!r} is {clip(repr(facts[name]))}, not an object")
    return dict(facts[name])


def facts_of(trace: Trace) -> dict[str, Any]:
    """Everything of `trace` but its arrays, as JSON."""
    described = {
        f"{name}/{role}/{layer}": {
            "steps": list(attention.steps),
            "columns": [list(column) for column in attention.columns],
            "tokenizer": attention.tokenizer,
            "head_mean": attention.head_mean,
        }
        for name in ("cross_attention", "self_attention")
        for role, layers in getattr(trace, name).items()
        for layer, attention in layers.items()
    }
    return {
        "kind": trace.kind,
        "call": dict(trace.call),
        "provenance": dict(trace.provenance),
        "tokens": {role: {name: t.to_json() for name, t in by.items()} for role, by in trace.tokens.items()},
        "attention": described,
        "queries": {
            f"queries/{role}/{layer}": list(queries.steps)
            for role, layers in trace.queries.items()
            for layer, queries in layers.items()
        },
        "mappings": {name: list(getattr(trace, name)) for name in MAPPINGS},
        "flags": dict(trace.flags),
    }


def sealed(draft: TraceDraft, trace: Trace) -> None:
    """Makes a draft whose arrays are those of `trace` its file."""
    draft.seal(facts_of(trace), preview_in(trace))
