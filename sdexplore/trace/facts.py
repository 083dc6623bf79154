"""How a trace was made, as JSON: what sidecars and other records keep of it."""

from collections.abc import Mapping
from typing import Any

from .step_decoding import NAMES
from .trace import Trace


def facts_of(trace: Trace) -> Mapping[str, Any]:
    """How `trace` was made: fingerprint, kind, call and provenance, as JSON."""
    return {
        "fingerprint": trace.fingerprint,
        "kind": trace.kind,
        "call": dict(trace.call),
        "provenance": dict(trace.provenance),
    }


def facts_as_drawn(trace: Trace) -> Mapping[str, Any]:
    """`facts_of`, and under "pictures" which steps are decoded by now: a figure shows the others by the linear preview.

    "named" are the steps that the trace keeps pictures of, "decoded" and "decoded_x0" those whose pictures are there,
    "others" those that another decoder made, under its name.
    """
    there = {name: {step for step in range(trace.num_steps) if trace.is_decoded(name, step)} for name in NAMES}
    others: dict[str, set[int]] = {}
    for (_, step), (_, by) in trace.decoding.others.items():
        others.setdefault(by, set()).add(step)
    pictures = {"named": list(trace.decoded)} | {name: sorted(steps) for name, steps in there.items()}
    return {**facts_of(trace), "pictures": pictures | {"others": {by: sorted(steps) for by, steps in others.items()}}}
