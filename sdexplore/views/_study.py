"""What views of a study share: rows of a column that have numbers, values of factors in words, the line of code."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.display import counted
from ..base.errors import TraceError
from ..figures.code_lines import CodeLine, options
from ..figures.font_families import drawable
from ..records.studied import Studied
from ..strings.wording import counted as said
from ..strings.wording import wording

PROMPT = "run.prompt"
_DEFAULTS = {
    "where": None,
    "clusters": PROMPT,
    "rows": PROMPT,
    "label": PROMPT,
    "columns": "seed",
    "count": 5,
}


def numbers_of(
    study: Studied, column: str, others: Sequence[str], where: Mapping[str, Any] | None, view: str
) -> tuple[Any, str]:
    """The rows of `study` whose `column` is a finite number, as a DataFrame; and what was left out, in words.

    Raises:
        TraceError: There is no such column; it holds no numbers.
    """
    frame = study.table(list(dict.fromkeys([column, *others])), where=where)
    if frame[column].dtype.kind not in "fi":
        raise TraceError(f"{view}({column!r}): this column holds no numbers")
    finite = np.isfinite(frame[column].to_numpy(np.float64))
    if not finite.any():
        raise TraceError(f"{view}({column!r}): none of {counted(len(frame), 'run')} has a number there")
    left = int((~finite).sum())
    return frame[finite], wording("study.left", runs=said(left, "run")) if left else ""


def in_words(value: Any) -> str:  # noqa: ANN401  (a cell)
    """A level of a factor."""
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def short(value: Any, most: int = 28) -> str:  # noqa: ANN401  (a cell)
    """A level of a factor, for a figure."""
    return drawable(in_words(value), most)


def levels_of(frame: Any, over: str, most: int, view: str) -> list[Any]:  # noqa: ANN401  (a DataFrame)
    """The values of a factor, in order.

    Raises:
        TraceError: There are more than a figure has room for.
    """
    found = list(frame[over].dropna().unique())
    found = sorted(found) if all(isinstance(one, float | int) for one in found) else found
    if len(found) > most:
        raise TraceError(
            f"{view}(over={over!r}): it has {len(found)} values, and {most} have room: choose rows by where="
            f"{{{over!r}: […]}}"
        )
    if not found:
        raise TraceError(f"{view}(over={over!r}): no run has a value there")
    return found


def line_of(
    view: str, study: Studied, shown: int, first: Sequence[Any], given: Mapping[str, Any], drawn: np.ndarray
) -> CodeLine:
    """The line of code; a comment names the study, and the line has a digest of what was drawn of it.

    Args:
        first: Arguments by place, behind the study.
        given: Those by name; without those that have the defaults which views of a study share.
        drawn: The numbers, or pictures, of the rows that are shown.
    """
    asked = "".join(f", {one!r}" for one in first) + options(given, _DEFAULTS)
    told = f"  # study {study.identity}, {counted(shown, 'run')}"
    return CodeLine(f"sdx.views.{view}(study{asked}){told}", given={"study": drawn})
