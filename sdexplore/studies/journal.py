"""Rows that are in no part yet, a line each: so that a killed driver loses only the runs that were under way."""

import base64
import errno
import io
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from ..base import json_text
from ..base.errors import RunError
from ..base.os_errors import told
from .values import Row

_NAME: Final = "_rows.jsonl"
_BYTES: Final = "base64"


class Journal:
    """The file of rows that wait for their part."""

    def __init__(self, folder: Path, measures: Collection[str]) -> None:
        self._path, self._measures = folder / _NAME, sorted(measures)
        self._file: io.FileIO | None = None

    def add(self, row: Row) -> None:
        """Writes a row.

        Raises:
            RunError: The system refuses.
        """
        with told(RunError, f"cannot write {str(self._path)!r}", "make room, and call Study.run again: it goes on"):
            if self._file is None:
                self._file = io.FileIO(self._path, "w")
                self._say({"measures": self._measures})
            self._say({name: _packed(value) for name, value in row.items() if value is not None})

    def _say(self, line: dict[str, Any]) -> None:
        content = (json_text.dumps(line, ascii_only=True) + "\n").encode("ascii")
        if self._file is not None and self._file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def clear(self) -> None:
        """Forgets the rows, which stand in a part now."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)


def rows_left_in(folder: Path) -> tuple[list[str], list[Row]]:
    """What a killed driver left: the measures of its rows, and the rows. A line that was half written is left out."""
    path = folder / _NAME
    if not path.exists():
        return [], []
    measures: list[str] = []
    rows: list[Row] = []
    for text in path.read_text(encoding="ascii", errors="replace").splitlines():
        try:
            line = json_text.loads(text)
        except ValueError:
            continue
        if "identity" in line:
            rows.append({name: _unpacked(value) for name, value in line.items()})
        else:
            measures = list(line.get("measures", []))
    return measures, rows


def _packed(value: Any) -> Any:  # noqa: ANN401  (a cell)
    return {_BYTES: base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _unpacked(value: Any) -> Any:  # noqa: ANN401  (as above)
    return base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value
