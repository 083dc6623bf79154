"""What a study's folder says of itself: where its runs come from, its measures, the kind of each column."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..base import atomic_files, json_text
from ..base.errors import RunError, TraceError
from ..base.os_errors import told
from .keeping import MANIFEST
from .values import Kind

SCHEMA: Final = 1
COLUMNS: Final[dict[str, Kind]] = {
    "identity": "text",
    "seed": "whole",
    "seconds": "number",
    "error": "text",
    "missing": "text",
    "fingerprint": "text",
    "trace": "text",
    "thumbnail": "bytes",
    "batch": "number",
    "call": "text",
}
"""The columns of every study."""
BEGINNINGS: Final = ("run.", "about.")
"""Of the columns of a run's arguments, and of what is known of it."""


@dataclass(frozen=True)
class Manifest:
    """What stands in `_study.json`.

    Attributes:
        identity: Of the study: of its source, load and Record.
        source, load, record: As JSON.
        measures: Key of a measure -> what its columns begin with.
        columns: Column -> its kind, in the order of the table.
        planned: How many runs were asked for at last; None where that is not known.
        superseding: Whether a row may stand twice, since runs are made or measured again; the later one counts.
    """

    identity: str
    source: str
    load: dict[str, Any]
    record: dict[str, Any]
    measures: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Kind] = field(default_factory=lambda: dict(COLUMNS))
    planned: int | None = None
    superseding: bool = False

    def with_kinds(self, kinds: dict[str, Kind]) -> "Manifest":
        """The manifest with more columns; those of the runs stand before those of the measures."""
        ordered = sorted({**self.columns, **kinds}.items(), key=lambda item: self._place(item[0]))
        return replace(self, columns=dict(ordered))

    def _place(self, name: str) -> int:
        if name == "identity":
            return 0
        if name.startswith(BEGINNINGS):
            return 1
        return 2 if name in COLUMNS else 3

    def save(self, folder: Path) -> None:
        """Writes it, whole.

        Raises:
            RunError: The system refuses.
        """
        content = json_text.dumps({"sdexplore": "study", "schema": SCHEMA, **vars(self)}, indent=1)
        atomic_files.save(folder / MANIFEST, content.encode(), RunError)


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / MANIFEST).is_file()


def manifest_in(folder: str | os.PathLike[str]) -> Manifest:
    """The manifest of a study's folder.

    Raises:
        TraceError: The folder holds no study, or one of a later sdexplore.
    """
    path = Path(folder) / MANIFEST
    if not is_study(Path(folder)):
        raise TraceError(f"{os.fspath(folder)!r} holds no study: there is no {MANIFEST}, which Study.run writes first")
    with told(TraceError, f"cannot read {str(path)!r}"):
        content = path.read_bytes()
    try:
        facts = json_text.loads(content)
        schema = facts.pop("schema")
        kind = facts.pop("sdexplore")
        if kind != "study" or schema > SCHEMA:
            raise TraceError(f"{str(path)!r} is of schema {schema!r}: a later sdexplore wrote it")
        return Manifest(**facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TraceError(f"{str(path)!r} is damaged: {error}") from error
