"""The table that holds JavaScript's formulas to Python's says what Python computes today."""

import json
import math

import formula_cases
import pytest

TABLE = json.loads(formula_cases.TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cases():
    """What Python computes now."""
    return formula_cases.plain(formula_cases.cases())


def same(found, expected, place):
    """Equal, numbers within what another processor may round otherwise; reports the place of a difference."""
    if isinstance(found, dict) and isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key in found:
            same(found[key], expected[key], f"{place} / {key}")
    elif isinstance(found, list) and isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, pair in enumerate(zip(found, expected, strict=True)):
            same(*pair, f"{place} / {number}")
    elif isinstance(found, float) and isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-7), (place, found, expected)
    else:
        assert found == expected, place


def without_run(cases):
    """Without the packed traces, whose levels may round to the next, and whose pictures may be compressed otherwise."""
    traces = {
        name: {key: found for key, found in one.items() if key not in ("facts", "data")}
        for name, one in cases["traces"].items()
    }
    values = {name: {key: one[key] for key in ("values", "means")} for name, one in cases["values"].items()}
    likeness = {name: {"found": one["found"]} for name, one in cases["likeness"].items()}
    return {**cases, "values": values, "traces": traces, "likeness": likeness}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_says_what_python_computes(cases, name):
    same(without_run(cases)[name], without_run(TABLE)[name], name)


def test_the_table_is_complete_and_packed_as_traces_are_today(cases):
    assert TABLE.keys() == cases.keys()
    for name, found in cases["traces"].items():
        stored = TABLE["traces"][name]
        assert shape(stored["facts"]) == shape(found["facts"]), name


def shape(facts):
    """Facts without what depends on a machine: places in the buffer, numbers with a fraction, fingerprints."""
    if isinstance(facts, dict):
        return {
            key: shape(one) for key, one in facts.items() if key not in ("at", "length", "fingerprint", "provenance")
        }
    if isinstance(facts, list):
        return [shape(one) for one in facts]
    return type(facts).__name__ if isinstance(facts, float) else facts
