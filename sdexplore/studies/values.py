"""What a measure returns as columns of one row: numbers are float64, and nested results have dotted names.

A column has one kind for ever. Parts of a table whose columns have other types in each part are misread in silence by
common readers: an integer column makes 0.5 a 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from ..base.errors import RunError

Kind: TypeAlias = Literal["number", "text", "numbers", "bytes", "whole"]
"""Of a column: a float64, a text, a list of float64, bytes, an int64 (seeds alone)."""
Value: TypeAlias = float | int | str | list[float] | bytes | None
Row: TypeAlias = dict[str, Value]

MOST: Final = 4096
"""Numbers in one cell."""
_EXACT: Final = 2**53


def kind_of(value: Value) -> Kind | None:
    """The kind of a column that holds this value; None for no value."""
    match value:
        case None:
            return None
        case str():
            return "text"
        case bytes():
            return "bytes"
        case list():
            return "numbers"
        case float():
            return "number"
    return "whole"


def columns_of(name: str, result: Any) -> tuple[Row, list[str]]:  # noqa: ANN401  (whatever a measure returns)
    """The columns of a measure's result, and a note on each that has no value: NaN, or nothing.

    Args:
        name: Of the measure; a result of several parts gives columns `name.part`.

    Raises:
        RunError: The result cannot be a column: an array of two axes, an object.
    """
    row: Row = {}
    notes: list[str] = []
    for column, value in _parts(name, result):
        if value is None:
            notes.append(f"{column}: nothing")
        elif isinstance(value, float) and np.isnan(value):
            notes.append(f"{column}: NaN")
        else:
            row[column] = value
    return row, notes


def _parts(name: str, result: Any) -> Iterator[tuple[str, Value]]:  # noqa: ANN401
    if hasattr(result, "detach") and hasattr(result, "cpu"):  # a tensor
        result = result.detach().cpu().float().numpy()
    if isinstance(result, np.ndarray | np.generic):
        result = _listed(name, result)
    if isinstance(result, Mapping):
        for key, value in result.items():
            yield from _parts(f"{name}.{key}", value)
    elif is_dataclass(result) and not isinstance(result, type):
        for one in fields(result):
            yield from _parts(f"{name}.{one.name}", getattr(result, one.name))
    elif isinstance(result, list | tuple):
        yield name, _numbers(name, result)
    else:
        yield name, _cell(name, result)


def _numbers(name: str, result: list[Any] | tuple[Any, ...]) -> list[float]:
    if len(result) > MOST:
        raise _refusal(name, f"{len(result)} numbers, and a cell holds {MOST} at most")
    cells = [_cell(name, one) for one in result]
    if not all(isinstance(one, float) for one in cells):
        raise _refusal(name, f"a {type(result).__name__} of other things than numbers")
    return [one for one in cells if isinstance(one, float)]


def _cell(name: str, value: Any) -> float | str | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, str):
        return written(value)
    if isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
        if isinstance(value, int) and abs(value) > _EXACT:
            raise _refusal(name, f"{value}, which has more digits than a float64")
        return float(value)
    raise _refusal(name, f"a {type(value).__name__}")


def written(text: str) -> str:
    """A text as UTF-8 takes it; halves of surrogate pairs become their escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _listed(name: str, array: np.ndarray | np.generic) -> Any:  # noqa: ANN401  (a number, or a list of them)
    if array.ndim > 1:
        raise _refusal(name, f"an array of shape {array.shape}")
    return array.tolist()


def _refusal(name: str, what: str) -> RunError:
    return RunError(f"the measure {name!r} returns {what}: return numbers, a text, or a dictionary of them")
