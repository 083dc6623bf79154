"""Conditions on columns, as `StudyTable.table(where=…)` takes them, as an expression of Arrow's.

Values are given the column's own type here. Left to itself, Arrow compares whole numbers with a float64 as float32, and
refuses seeds from 16,777,217 on.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Final

from ..base.errors import TraceError
from .parts import arrow, schema_of
from .values import Kind

_MOST: Final = 2**63 - 1  # of an int64
_HOLDS: Final[Mapping[Kind, str]] = {
    "number": "numbers",
    "whole": "whole numbers",
    "text": "texts",
    "numbers": "lists of numbers",
    "bytes": "pictures",
}


def expression_of(where: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Any:  # noqa: ANN401  (a pyarrow Expression)
    """All of these conditions together; None of none.

    Args:
        where: Column -> a value, several, a slice of which both ends are included, None, or ...
        kinds: Of the columns, among which each of these is.

    Raises:
        TraceError: A column holds other things.
    """
    found = None
    for name, value in where.items():
        one = _condition(name, value, kinds[name])
        found = one if found is None else found & one
    return found


def _condition(name: str, value: Any, kind: Kind) -> Any:  # noqa: ANN401
    data = arrow().dataset
    field = data.field(name)
    if value is None:
        return field.is_null()
    if value is ...:
        return field.is_valid()
    if isinstance(value, slice):
        return _between(name, value, kind)
    alone = isinstance(value, str) or not hasattr(value, "__iter__")
    asked = [_checked(name, one, kind) for one in ([value] if alone else value)]
    several = [int(one) if kind == "whole" else one for one in asked if kind != "whole" or _is_whole(one)]
    if not several:
        return data.scalar(False)  # noqa: FBT003
    return field.isin(arrow().array(several, schema_of({name: kind}).field(name).type))


def _between(name: str, ends: slice, kind: Kind) -> Any:  # noqa: ANN401
    data = arrow().dataset
    field, column = data.field(name), schema_of({name: kind}).field(name).type
    if ends.step is not None:
        raise TraceError(f"study.table(where={{{name!r}: {ends!r}}}): a range of values has no step: slice(low, high)")
    low, high = (None if end is None else _checked(name, end, kind) for end in (ends.start, ends.stop))
    if kind == "whole":
        if low == math.inf or high == -math.inf:
            return data.scalar(False)  # noqa: FBT003
        low = None if low in (None, -math.inf) else max(-_MOST - 1, min(math.ceil(low), _MOST))
        high = None if high in (None, math.inf) else max(-_MOST - 1, min(math.floor(high), _MOST))
    found = field.is_valid()
    if low is not None:
        found &= field >= arrow().scalar(low, column)
    return found if high is None else found & (field <= arrow().scalar(high, column))


def _checked(name: str, value: Any, kind: Kind) -> Any:  # noqa: ANN401
    """The value as the column's kind has it; whole numbers stay as they were given."""
    if kind == "text" and isinstance(value, str):
        return value
    number = isinstance(value, Real) or type(value).__name__ == "bool_"  # numpy's bool is no Real
    if kind in ("number", "whole") and number and not math.isnan(value):
        return float(value) if kind == "number" else value
    raise TraceError(
        f"study.table(where={{{name!r}: {value!r:.200}}}): this column holds {_HOLDS[kind]}, so that a condition is "
        f"{'one of them, or ' * (kind in ('number', 'whole', 'text'))}None for no value, or ... for any value"
    )


def _is_whole(value: Any) -> bool:  # noqa: ANN401
    return bool(math.isfinite(value) and value == math.floor(value) and -_MOST - 1 <= value <= _MOST)
