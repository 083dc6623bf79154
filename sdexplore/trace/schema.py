"""Which schema a trace's file has: 2 where it holds something that no file of schema 1 holds, and 1 otherwise."""

from collections.abc import Mapping
from typing import Any, Final

from ..base import json_text

SCHEMAS: Final = (1, 2)
"""All that are read."""
# Of provenance. A run writes the first three always, so that every trace of a new run is of schema 2.
_SINCE_2 = frozenset({"used", "foreign", "adapters", "interrupted", "changed", "modules"})
_FIELDS_SINCE_2 = frozenset({"word_attention", "concept_scores"})


def schema_of(facts: Mapping[str, Any]) -> int:
    """The schema in which these facts of a trace are written. An older trace that is saved anew stays what it was."""
    told = not _SINCE_2.isdisjoint(facts.get("provenance", {})) or "features" in facts
    told |= "statistics" in facts.get("mappings", {})
    told |= any(name.partition("/")[0] in _FIELDS_SINCE_2 for name in facts.get("attention", {}))
    return 2 if told or _shares_keys(facts) or json_text.holds_no_number(facts) else 1


def _shares_keys(facts: Mapping[str, Any]) -> bool:
    """Whether several tokenizers share the keys of a layer, or names stand for several tokens of a prompt."""
    shared = any("tokenizers" in said for said in facts.get("attention", {}).values())
    return shared or any("names" in said for by in facts.get("tokens", {}).values() for said in by.values())
