"""Every fault that was once found in the product has a test that holds it, or a reason why it has none.

`faults.json` has a line for each fault: its words, its status and

- "held": `tests`, the tests that fail if the fault comes back, as "tests/room/test_file.py::test_name";
- "refused": `reason`, why the product refuses it, and `tests` that hold the refusal;
- "open": `reason`, why nothing holds it.
"""

import ast
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).parents[1]
_FAULTS: list[dict[str, Any]] = json.loads((_TESTS / "product" / "faults.json").read_text(encoding="utf-8"))
_KEYS = {"held": {"tests"}, "refused": {"reason", "tests"}, "open": {"reason"}}


@cache
def _tests_of(file: str) -> frozenset[str]:
    """The names of the tests that a file defines, at its top or in a class."""
    tree = ast.parse((_TESTS.parent / file).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: fault["fault"][:60])
def test_a_fault_is_held_by_tests_that_exist_or_has_a_reason(fault: dict[str, Any]) -> None:
    assert set(fault) == {"fault", "status", *_KEYS[fault["status"]]}
    assert fault.get("reason", "a reason").strip()
    assert fault.get("tests", ["a test"])
    for test in fault.get("tests", ()):
        file, _, name = test.partition("::")
        assert name in _tests_of(file), test


def test_no_fault_stands_twice() -> None:
    assert [words for words, count in Counter(fault["fault"] for fault in _FAULTS).items() if count > 1] == []
