"""Rows of a study's table as one looks through them: filtered, sorted, a page at a time.

Only the page's own cells are read whole. A table of a million rows with pictures is never in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from ..base.errors import TraceError
from .manifest import BEGINNINGS, COLUMNS
from .reading import StudyTable
from .values import Kind

_LISTS = ("numbers", "bytes")  # kinds that have no order


@dataclass(frozen=True)
class Page:
    """Some rows, in order.

    Attributes:
        rows: Column -> cell of each; None where it has no value. Each row has its `identity`.
        first: Place of the first one among those that were found, from 0.
        found: How many rows there are of those that were asked for.
    """

    rows: tuple[dict[str, Any], ...]
    first: int
    found: int


def page_of(
    study: StudyTable,
    columns: Sequence[str],
    *,
    where: Mapping[str, Any] | None = None,
    sort: str | None = None,
    descending: bool = False,
    first: int = 0,
    most: int = 12,
) -> Page:
    """A page of a study's rows. Rows without a value in the column that sorts come last, whichever way it sorts.

    Args:
        columns: Which cells.
        where: Which rows, as `StudyTable.table` takes them.
        sort: The column that sorts; None: as the table has them.
        descending: Whether the largest comes first.
        first: Place of the first row; where there are fewer rows, the last page is given.
        most: How many rows.

    Raises:
        TraceError: There is no such column; one that sorts holds lists or pictures.
    """
    kinds = study.kinds
    if sort is not None and kinds.get(sort) in _LISTS:
        raise TraceError(f"{sort!r} has {kinds[sort]} in each cell, which have no order: sort by another column")
    frame = study.table(list(dict.fromkeys(["identity", *([] if sort is None else [sort])])), where=where)
    frame = frame.drop_duplicates("identity", keep="last")  # while a part takes the place of others
    if sort is not None:
        frame = frame.sort_values(sort, ascending=not descending, kind="stable", na_position="last")
    found = len(frame)
    first = max(0, min(first, (found - 1) // most * most))
    wanted = frame["identity"].iloc[first : first + most].tolist()
    cells = study.table(list(dict.fromkeys(["identity", *columns])), where={"identity": wanted})
    by = {row["identity"]: row for row in cells.to_dict("records")}
    rows = [{name: _cell(value) for name, value in by[one].items()} for one in wanted if one in by]
    return Page(tuple(rows), first, found)


def values_of(study: StudyTable, column: str, most: int) -> tuple[list[Any], int]:
    """The first values of a column, in order, at most so many; and how many there are.

    Raises:
        TraceError: There is no such column.
    """
    if study.kinds.get(column) in _LISTS:
        return [], 0
    found = study.table(column)[column].dropna().unique()
    return sorted(found.tolist())[:most], len(found)


def values_with(study: StudyTable, column: str, text: str) -> list[str]:
    """The values of a column of texts that are `text`, or else those that contain it; upper and lower case are one.

    Raises:
        TraceError: There is none, or no such column.
    """
    every = study.table(column)[column].dropna().unique().tolist()
    found = [one for one in every if one == text] or [one for one in every if text.casefold() in one.casefold()]
    if not found:
        raise TraceError(f"no {column} is or contains {text!r}; the table has {len(every)} values there")
    return found


def _cell(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float) and isnan(value):
        return None
    return None if value is None or type(value).__name__ == "NAType" else value


def measured(kinds: Mapping[str, Kind]) -> list[str]:
    """The columns of measures, without those of the runs and of every study."""
    return [name for name in kinds if name not in COLUMNS and not name.startswith(BEGINNINGS)]


def usual_columns(study: StudyTable) -> list[str]:
    """What one wants to see first: the picture, the prompt and the seed, some measures, errors where there are any."""
    kinds, errors = study.kinds, study.progress().errors > 0
    pictures = any(row["thumbnail"] for row in page_of(study, ["thumbnail"]).rows)
    of_runs = [name for name in kinds if name.startswith(BEGINNINGS)]
    first = [*["thumbnail"] * pictures, *["run.prompt"] * ("run.prompt" in kinds)]
    others = [name for name in of_runs if name not in first]
    return [*first, *others[:1], "seed", *measured(kinds)[:3], *["error"] * errors]
