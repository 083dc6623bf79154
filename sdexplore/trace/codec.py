"""The fields of a Trace as facts and arrays of a file, and back; damaged facts are refused."""

from collections.abc import Mapping
from typing import Any

from ..base.display import clip
from ..base.errors import TraceError
from ..text.tokenization import Tokenization, Tokenizations
from .declaration import FACTS, KEYED, Declared, Kind, declared, parts_in
from .fields import TraceFields
from .layers import LayerRows
from .lazy import Part, StoredArrays, held

# Of the facts: what `LayerRows.to_json` says, by name of the array. The first two are in every file but the oldest.
_SECTIONS = ("attention", "queries")
_WHERE_THERE = ("features", "statistics")  # sections and mappings that only files have which hold such arrays
_ALWAYS_THERE = ("kind", "call", "provenance", "tokens", "flags")  # in every file, from the first version on

_OBJECTS = (
    *(("provenance", name) for name in ("scheduler", "foreign", "used", "interrupted")),
    ("call", "arguments"),
)


def facts_of(trace: TraceFields) -> dict[str, Any]:
    """Everything of a trace but its arrays, as JSON."""
    facts: dict[str, Any] = {"mappings": {}} | {section: {} for section in _SECTIONS}
    for one in declared(type(trace)):
        value = held(trace, one.name)
        match one.kind:
            case Kind.VALUE:
                facts[one.name] = value
            case Kind.OBJECT:
                facts[one.name] = dict(value)
            case Kind.TOKENS:
                facts[one.name] = {role: {name: t.to_json() for name, t in by.items()} for role, by in value.items()}
            case Kind.BY_ROLE | Kind.BY_STEP:
                if value or one.name not in _WHERE_THERE:
                    facts["mappings"][one.name] = list(parts_in(value))
            case Kind.BY_LAYER if one.rows is not None and (value or one.name not in _WHERE_THERE):
                facts[one.rows.SECTION] = facts.get(one.rows.SECTION, {}) | {
                    f"{one.name}/{role}/{layer}": rows.to_json()
                    for role, layers in value.items()
                    for layer, rows in layers.items()
                }
    return facts


def fields_of(
    facts: Mapping[str, Any], arrays: Mapping[str, Part], trace: type[TraceFields] = TraceFields
) -> dict[str, Any]:
    """The fields of a trace by name, from the facts and arrays of its file.

    A field that is younger than the file is left out, so that the trace gets the field's default.

    Args:
        trace: The class that declares the fields.

    Raises:
        TraceError: The facts contradict the arrays, or an array belongs to no field.
        KeyError: A fact or an array is missing.
        Exception: Any other class, where facts are of another form than a trace's.
    """
    if astray := set(_object(facts, "digests")) ^ set(arrays):
        raise TraceError(f"its header and its arrays disagree about {sorted(astray)}")
    left = dict(arrays)
    layers, keys = _layers(facts, left, trace), _object(facts, "mappings")
    fields = dict[str, Any](layers)
    for one in declared(trace):
        if one.kind in KEYED:
            fields[one.name] = StoredArrays({key: left.pop(f"{one.name}/{key}") for key in keys.get(one.name, ())})
        elif one.kind is Kind.ARRAY and (one.name in left or not one.optional):
            fields[one.name] = left.pop(one.name)
        elif one.kind in FACTS and (one.name in facts or one.name in _ALWAYS_THERE):
            fields[one.name] = _fact(one, facts)
    _check_forms(fields)
    if left:
        raise TraceError(f"it holds {sorted(left)}, which no trace does")
    return fields


def _check_forms(fields: Mapping[str, Any]) -> None:
    """TraceError where a fact that is read without a look at what it is has another form."""
    for name, inner in _OBJECTS:
        if inner in fields[name]:
            _object(fields[name], inner)
    for inner in ("freeu", "tome"):
        if fields["provenance"].get("foreign", {}).get(inner) is not None:
            _object(fields["provenance"]["foreign"], inner)
    adapters = fields["provenance"].get("adapters", [])
    if not isinstance(adapters, list) or not all(isinstance(one, dict) for one in adapters):
        raise TraceError(f"'adapters' is {clip(repr(adapters))}, not a list of objects")
    modules = fields["provenance"].get("modules", [])
    if not isinstance(modules, list) or not all(isinstance(one, str) for one in modules):
        raise TraceError(f"'modules' is {clip(repr(modules))}, not a list of names")


def _layers(
    facts: Mapping[str, Any], left: dict[str, Part], trace: type[TraceFields]
) -> dict[str, dict[str, dict[str, LayerRows]]]:
    """Field -> role -> layer -> rows. The arrays are taken out of `left`."""
    rows = {one.name: one.rows for one in declared(trace) if one.rows is not None}
    found: dict[str, dict[str, dict[str, LayerRows]]] = {name: {} for name in rows}
    described = _object(facts, "attention")
    for section in ("queries", "features"):
        described |= dict(facts.get(section, {}))
    for key, said in described.items():
        name, role, layer = key.split("/", 2)
        found[name].setdefault(role, {})[layer] = rows[name].from_json(left.pop(key), said)
    return found


def _fact(one: Declared, facts: Mapping[str, Any]) -> Any:  # noqa: ANN401  (of every kind)
    if one.kind is Kind.VALUE:
        return facts[one.name]
    value = _object(facts, one.name)
    if one.kind is not Kind.TOKENS:
        return value
    return {
        role: Tokenizations({key: Tokenization.from_json(said) for key, said in by.items()})
        for role, by in value.items()
    }


def _object(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(facts[name], dict):
        raise TraceError(f"{name!r} is {clip(repr(facts[name]))}, not an object")
    return dict(facts[name])
