"""JSON that holds numbers which are none: NaN and the infinities as `{"float": "nan" | "inf" | "-inf"}`.

Python's own `json` writes them as NaN and Infinity, which is no JSON: no browser reads it. Headers of traces, sidecars,
manifests and every other JSON of sdexplore are written and read here.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

_KEY = "float"
_NAMES = ("nan", "inf", "-inf")


def dumps(
    value: Any,  # noqa: ANN401  (JSON)
    *,
    indent: int | None = None,
    ascii_only: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """`value` as JSON that every reader takes; `loads` returns the same floats.

    Args:
        default: Makes JSON of a value that is none, as in `json.dumps`.

    Raises:
        TypeError, ValueError: The value cannot be written as JSON.
    """
    return json.dumps(_marked(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False, default=default)


def loads(text: str | bytes) -> Any:  # noqa: ANN401  (JSON)
    """The value in `text`, with its floats.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    return restored(json.loads(text))


def holds_no_number(value: Any) -> bool:  # noqa: ANN401  (JSON)
    """Whether a float somewhere in `value` is NaN or infinite."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(holds_no_number, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_no_number, value))


def _marked(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, float):
        return value if math.isfinite(value) else {_KEY: str(float(value))}
    if isinstance(value, Mapping):
        marked = {key: _marked(inner) for key, inner in value.items()}
        return {_KEY: marked} if _is_mark(marked) else marked  # the user's own object of that form stays an object
    return list(map(_marked, value)) if isinstance(value, list | tuple) else value


def restored(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """JSON as `json.loads` read it, with its floats."""
    if isinstance(value, list):
        return list(map(restored, value))
    if not isinstance(value, dict):
        return value
    if _is_mark(value):
        inner = value[_KEY]
        return float(inner) if isinstance(inner, str) else {key: restored(one) for key, one in inner.items()}
    return {key: restored(inner) for key, inner in value.items()}


def _is_mark(value: object) -> bool:
    if not isinstance(value, dict) or len(value) != 1 or _KEY not in value:
        return False
    inner = value[_KEY]
    return inner in _NAMES if isinstance(inner, str) else _is_mark(inner)
