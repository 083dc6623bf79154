"""A Trace from the parts that its file holds, checked before anyone reads it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import SdexploreError, TraceError
from .tokenization import Tokenization, Tokenizations
from .trace import _ARRAYS, Attention, Trace


def assemble(cls: type[Trace], name: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trace:
    """The Trace of file `name`; parts that are missing, unknown or of the wrong shape raise TraceError."""
    try:
        trace = _assemble(cls, facts, arrays)
        missing = set(facts["digests"]) ^ set(arrays)
    except SdexploreError as error:
        raise TraceError(f"{name!r} is damaged: {error}") from error
    except Exception as error:
        raise TraceError(f"{name!r} is damaged: {type(error).__name__}: {error}") from error
    if missing:
        raise TraceError(f"{name!r} is damaged: its header and its arrays disagree about {sorted(missing)}")
    trace.__dict__["digests"] = dict(facts["digests"])  # not a field: a trace in memory has none
    return trace


def _assemble(cls: type[Trace], facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trace:
    attention: dict[str, dict[str, dict[str, Attention]]] = {"cross_attention": {}, "self_attention": {}}
    for key, entry in facts["attention"].items():
        kind, role, layer = key.split("/", 2)
        attention[kind].setdefault(role, {})[layer] = Attention(
            probs=arrays[key],
            steps=tuple(entry["steps"]),
            columns=tuple(tuple(column) for column in entry["columns"]),
            tokenizer=entry["tokenizer"],
            head_mean=entry["head_mean"],
        )
    decoded = {
        kind: dict(zip(facts[kind], arrays[kind], strict=True)) if facts[kind] else {}
        for kind in ("decoded", "decoded_x0")
    }
    return cls(
        kind=facts["kind"],
        call=facts["call"],
        provenance=facts["provenance"],
        tokens={
            role: Tokenizations({key: Tokenization.from_json(value) for key, value in by.items()})
            for role, by in facts["tokens"].items()
        },
        noise_preds={
            key.removeprefix("noise_preds/"): array for key, array in arrays.items() if key.startswith("noise_preds/")
        },
        **attention,
        **decoded,
        flags=facts["flags"],
        **{name: arrays[name] for name in _ARRAYS if name in arrays},
    )
