"""A page of a study's rows in the notebook's page: headings that sort, and a button a row that opens it."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import anywidget
import traitlets

from ..base.display import clip
from ..strings.wording import listed, wording
from ..studies.rows import Page
from ..studies.values import Kind
from .language import as_now

_LONGEST: Final = 300  # characters of a cell
_NAME: Final = 80
_WEBP: Final = (b"RIFF", b"WEBP")


class RowsTable(anywidget.AnyWidget):
    """A table in the page.

    Attributes:
        page: What is shown: columns, rows, a caption.
    """

    _esm = files(__package__).joinpath("js", "rows_table.mjs").read_text(encoding="utf-8")
    page = traitlets.Dict().tag(sync=True)

    def __init__(self, sorted_by: Callable[[str], object], opened: Callable[[str], object]) -> None:
        super().__init__(layout={"width": "100%", "min_width": "0"})
        self._sorted_by, self._opened = as_now(sorted_by), as_now(opened)
        self.on_msg(self._asked)

    def _asked(self, _: object, message: Mapping[str, Any], __: object) -> None:
        if message.get("kind") == "sort":
            self._sorted_by(str(message.get("column")))
        elif message.get("kind") == "open":
            self._opened(str(message.get("identity")))

    def show(
        self,
        page: Page,
        columns: Sequence[str],
        kinds: Mapping[str, Kind],
        *,
        sort: str | None,
        descending: bool,
        opened: str | None,
        caption: str,
    ) -> None:
        """Shows a page.

        Args:
            sort: The column that sorts.
            opened: Identity of the row whose run is shown in the dashboard.
            caption: Of the table, in words.
        """
        way = "descending" if descending else "ascending"
        told = [
            {
                "name": name,
                "label": _sort_label(name, again=name == sort and not descending),
                "kind": "picture" if kinds[name] == "bytes" else "text" if kinds[name] == "text" else "number",
                "sorts": kinds[name] not in ("bytes", "numbers"),
                "sorted": way if name == sort else "",
            }
            for name in columns
        ]
        rows = [
            {
                "identity": row["identity"],
                "label": wording("dashboard.rows.open.tip", name=name_of(row)),
                "opened": row["identity"] == opened,
                "cells": [_cell(row.get(name)) for name in columns],
            }
            for row in page.rows
        ]
        words = {name: wording(f"dashboard.rows.{name}") for name in ("picture", "run", "open")}
        self.page = {"columns": told, "rows": rows, "caption": caption, "words": words}

    def clear(self) -> None:
        """Removes the table."""
        self.page = {}


def name_of(row: Mapping[str, Any]) -> str:
    """A run in words: its prompt and seed where the row has them, and the beginning of its identity."""
    prompt, seed = row.get("run.prompt"), row.get("seed")
    said = [clip(prompt, _NAME)] if isinstance(prompt, str) else []
    if isinstance(seed, int):
        said.append(wording("run.seed", seed=seed))
    return listed([*said, str(row["identity"])[:8]])


def _sort_label(name: str, *, again: bool) -> str:
    """What a press on a heading does; `again`: the column sorts already, the lowest first."""
    return wording("dashboard.rows.sort.descending" if again else "dashboard.rows.sort.ascending", name=name)


def _cell(value: Any) -> str | bytes:  # noqa: ANN401  (of any kind)
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value if (value[:4], value[8:12]) == _WEBP else b""
    if isinstance(value, str):
        return clip(value, _LONGEST)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.5g}"
    return clip(", ".join(f"{one:.4g}" for one in value), _LONGEST)
