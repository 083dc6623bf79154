"""Which schema a trace's file has: 2 where it holds something that no file of schema 1 holds, and 1 otherwise."""

from collections.abc import Mapping
from typing import Any, Final

SCHEMAS: Final = (1, 2)
"""All that are read."""
# Of provenance. A run writes the first three always, so that every trace of a new run is of schema 2.
_SINCE_2 = frozenset({"used", "foreign", "adapters", "interrupted", "changed"})


def schema_of(facts: Mapping[str, Any]) -> int:
    """The schema in which these facts of a trace are written. An older trace that is saved anew stays what it was."""
    return 2 if _SINCE_2 & dict(facts.get("provenance", {})).keys() else 1
