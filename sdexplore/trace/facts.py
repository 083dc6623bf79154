"""How a trace was made, as JSON: what sidecars and other records keep of it."""

from collections.abc import Mapping
from typing import Any

from .trace import Trace


def facts_of(trace: Trace) -> Mapping[str, Any]:
    """How `trace` was made: fingerprint, kind, call and provenance, as JSON."""
    return {
        "fingerprint": trace.fingerprint,
        "kind": trace.kind,
        "call": dict(trace.call),
        "provenance": dict(trace.provenance),
    }
