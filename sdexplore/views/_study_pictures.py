"""Thumbnails of a study: on a grid of two factors, and examples from both ends of a measure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.display import clip
from ..base.errors import TraceError
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.labels import row_label
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.thumbnails import pixels_of
from ..records.studied import Studied
from ..strings.wording import counted as said
from ..strings.wording import listed, wording
from ._study import PROMPT, in_words, levels_of, line_of, numbers_of, short
from .made_from import made_from

_ROWS, _COLUMNS = 12, 12


@made_from("study")
def study_pictures(
    study: Studied,
    *,
    rows: str = PROMPT,
    columns: str = "seed",
    where: Mapping[str, Any] | None = None,
) -> Picture:
    """Draws the thumbnails of a study's runs on a grid: a factor downwards, another one across.

    A cell is empty where there is no such run, or it failed. Where several runs have the same two levels, the first is
    drawn, and the title says so: choose rows by `where`.

    Args:
        study: A Study with keep="thumbnails", or what `sdx.studies.read` opened.
        rows, columns: The columns of the two factors; up to 12 levels each.
        where: Which rows, as `study.table` takes them.

    Raises:
        TraceError: There is no such column; no thumbnail was kept; a factor has too many levels.
    """
    frame = _with_thumbnails(study, [rows, columns], where, "study_pictures")
    down = levels_of(frame, rows, _ROWS, "study_pictures")
    across = levels_of(frame, columns, _COLUMNS, "study_pictures")
    first = frame.drop_duplicates([rows, columns])
    cells = {
        (row, column): pixels_of(content)
        for row, column, content in zip(first[rows], first[columns], first["thumbnail"], strict=True)
    }
    y, x = next(iter(cells.values())).shape[:2]
    several = "" if len(first) == len(frame) else wording("study_pictures.several")
    with panels(len(down), len(across), aspect=y / x, top=0.6) as (figure, axes):
        by = wording("study_pictures.title", study=study.identity, rows=drawable(rows), columns=drawable(columns))
        figure.suptitle(listed(filter(None, (by, several))), fontsize=9)
        for line, row in zip(axes, down, strict=True):
            row_label(line[0], short(row, 40), size=SMALL)
            for ax, column in zip(line, across, strict=True):
                if (row, column) in cells:
                    ax.imshow(cells[row, column])
        for ax, column in zip(axes[0], across, strict=True):
            ax.set_title(f"{drawable(columns)} {short(column)}", fontsize=SMALL)
    given = {"rows": rows, "columns": columns, "where": where}
    semicolon = wording("list.semicolon")
    alt = wording(
        "study_pictures.alt",
        pictures=said(len(cells), "picture"),
        study=study.identity,
        rows=rows,
        columns=columns,
        down=semicolon.join(clip(in_words(one), 60) for one in down),
        across=semicolon.join(clip(in_words(one), 60) for one in across),
    )
    return Picture(
        figure=figure,
        data={f"{in_words(row)}, {in_words(column)}": image for (row, column), image in cells.items()},
        alt=wording("study_pictures.alt.several", alt=alt) if several else alt,
        caption=wording("study_pictures.caption", rows=rows, columns=columns),
        call=line_of("study_pictures", study, len(cells), [], given, _bytes(first["thumbnail"].tolist())),
    )


@made_from("study")
def study_ends(
    study: Studied, column: str, *, count: int = 5, label: str = PROMPT, where: Mapping[str, Any] | None = None
) -> Picture:
    """Draws examples from both ends of a measure: the thumbnails of the lowest and of the highest runs.

    Upper row: the lowest, from the lowest on; lower row: the highest, from the highest on. Each has its number and its
    label. They are the ends of the study and no typical runs.

    Args:
        study: A Study with keep="thumbnails", or what `sdx.studies.read` opened.
        column: The measure's column.
        count: How many of each end, 1 to 8.
        label: The column that names a run.
        where: Which rows, as `study.table` takes them.

    Raises:
        TraceError: There is no such column, or no number in it; no thumbnail was kept; the count is another.
    """
    most = 8
    if not 1 <= count <= most:
        raise TraceError(f"study_ends(count={count!r}): 1 to {most} of each end")
    frame, left = numbers_of(study, column, [label, "thumbnail"], where, "study_ends")
    frame = _checked(frame, "study_ends").sort_values(column, kind="stable")
    ends = {"lowest": frame.head(count), "highest": frame.tail(count)[::-1]}
    images = {name: [pixels_of(content) for content in rows["thumbnail"]] for name, rows in ends.items()}
    y, x = images["lowest"][0].shape[:2]
    across = len(images["lowest"])
    with panels(2, across, aspect=y / x, top=0.7) as (figure, axes):
        runs = said(len(frame), "run")
        told = wording("study_ends.title", study=study.identity, column=drawable(column), runs=runs)
        figure.suptitle(listed(filter(None, (told, left))), fontsize=9)
        for line, (name, rows) in zip(axes, ends.items(), strict=True):
            row_label(line[0], wording(f"study_ends.{name}"))
            for ax, image, value, what in zip(line, images[name], rows[column], rows[label], strict=True):
                ax.imshow(image)
                ax.set_title(f"{value:.3g}\n{short(what, 22)}", fontsize=SMALL)
    given = {"count": count, "label": label, "where": where}
    alt = wording(
        "study_ends.alt",
        column=column,
        study=study.identity,
        runs=runs,
        lowest=_listed(ends["lowest"], label, column),
        highest=_listed(ends["highest"], label, column),
    )
    return Picture(
        figure=figure,
        data={f"{name} {place}": image for name, found in images.items() for place, image in enumerate(found)},
        alt=wording("study.alt.left", alt=alt, left=left) if left else alt,
        caption=wording("study_ends.caption", column=column),
        call=line_of(
            "study_ends", study, 2 * across, [column], given, _bytes([c for r in ends.values() for c in r["thumbnail"]])
        ),
    )


def _listed(rows: Any, label: str, column: str) -> str:  # noqa: ANN401  (a DataFrame)
    return listed(
        f"{clip(in_words(what), 60)} ({value:.3g})" for what, value in zip(rows[label], rows[column], strict=True)
    )


def _with_thumbnails(study: Studied, others: Sequence[str], where: Mapping[str, Any] | None, view: str) -> Any:  # noqa: ANN401
    return _checked(study.table(list(dict.fromkeys([*others, "thumbnail"])), where=where), view)


def _checked(frame: Any, view: str) -> Any:  # noqa: ANN401  (a DataFrame)
    found = frame[frame["thumbnail"].notna()]
    if found.empty:
        raise TraceError(f"{view}: no run has a thumbnail: sdx.Study(keep='thumbnails') keeps them")
    return found


def _bytes(contents: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(contents), np.uint8)
