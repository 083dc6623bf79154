"""The table of a study as its one driver writes it: locked, and whole at every moment."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..base.errors import RunError
from ..base.os_errors import told
from ..base.user_warnings import warn_user
from . import compaction
from .identities import Identities
from .journal import Journal, rows_left_in
from .manifest import Manifest
from .parts import clear_drafts, is_whole, measures_of_part, parts_in, set_aside, write_part
from .values import Kind, Row, kind_of

if sys.platform != "win32":  # there a second driver is not noticed
    import fcntl

_LOCK: Final = "_lock"
_SECONDS: Final = 10.0  # after which rows go into a part, so that a table is read while it grows
_MOST_PARTS: Final = 64  # small ones, after which they are put together


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder is this process's alone, until the block or the process ends, whatever ends it.

    Raises:
        RunError: Another driver has it, or it cannot be made.
    """
    with told(RunError, f"Study(to={str(folder)!r}): cannot make this folder"):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if sys.platform != "win32":
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"Study.run: {str(folder)!r} has a driver already, another process or another Study here; wait for "
                    "it, stop it, or give another folder"
                ) from None
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True)
class OlderRow:
    """A row that a new one takes the place of.

    Attributes:
        part, number: Where it is.
        lacking: Keys of the measures that it lacks; none where its run failed and is made again.
        kept: Whether the run's trace was kept.
    """

    part: Path
    number: int
    lacking: frozenset[str]
    kept: bool


class Writer:
    """Takes rows as they come, and knows which runs are done. Only under the folder's lock.

    Attributes:
        manifest: As it stands in the folder.
        done: Identities of the runs that have their row.
        failed: Those of them whose row has an error.
        older: Identity of a run that is to be made or measured again -> its row.
    """

    def __init__(self, folder: Path, manifest: Manifest, wanted: Sequence[str], *, retry_errors: bool) -> None:
        self._folder, self.manifest, self._wanted = folder, manifest, frozenset(wanted)
        self._waiting: list[Row] = []
        self._kinds: dict[str, Kind] = {}  # of columns that the manifest does not hold yet
        self._open: tuple[Path, Any] | None = None  # the part that was read last
        self._since, self._small = time.monotonic(), 0
        clear_drafts(folder)
        compaction.finish(folder)
        self._set_aside_damaged()
        self._take_over(*rows_left_in(folder))
        self.journal = Journal(folder, wanted)
        self.done = Identities()
        self.failed: set[bytes] = set()
        self.older: dict[bytes, OlderRow] = {}
        for part in parts_in(folder):
            self._read_identities(part, retry_errors=retry_errors)
        if self.older:
            self._save(replace(self.manifest, superseding=True))

    def _set_aside_damaged(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for part in parts_in(self._folder):
            try:
                if is_whole(part):
                    pq.read_metadata(part)
                    continue
            except (OSError, pa.ArrowException):
                pass
            warn_user(f"Study: {part.name} is damaged; it is {set_aside(part).name} now, and its runs are made again")

    def _take_over(self, measures: list[str], rows: list[Row]) -> None:
        """Makes a part of the rows that a killed driver left, unless they stand in one."""
        import pyarrow.parquet as pq

        parts = parts_in(self._folder)
        if rows and parts:
            last = set(pq.read_table(parts[-1], columns=["identity"])["identity"].to_pylist())
            rows = [row for row in rows if row["identity"] not in last]
        if rows:
            self._know(rows)
            write_part(self._folder, rows, self.manifest.columns, measures)
        Journal(self._folder, ()).clear()

    def _read_identities(self, part: Path, *, retry_errors: bool) -> None:
        import pyarrow.parquet as pq

        lacking = self._wanted - measures_of_part(pq.read_metadata(part))
        table = pq.read_table(part, columns=["identity", "error", *(["trace"] if lacking else [])])
        failed = table["error"].is_valid().to_pylist()
        kept = table["trace"].is_valid().to_pylist() if lacking else None
        for row, told_ in enumerate(table["identity"].to_pylist()):
            identity, wrong = bytes.fromhex(told_), failed[row] and retry_errors
            self.failed.discard(identity)
            if lacking or wrong:
                self.done.discard(identity)
                self.older[identity] = OlderRow(
                    part, row, frozenset() if wrong else lacking, kept=bool(kept and kept[row])
                )
            else:
                self._has_row(identity, failed=failed[row])
                self.older.pop(identity, None)

    def _has_row(self, identity: bytes, *, failed: bool) -> None:
        self.done.add(identity)
        self.failed.discard(identity)
        if failed:
            self.failed.add(identity)

    def row_of(self, identity: bytes) -> Row:
        """The row that a run has already, of those in `older`."""
        import pyarrow.parquet as pq

        part, number = self.older[identity].part, self.older[identity].number
        if self._open is None or self._open[0] != part:
            self._open = (part, pq.read_table(part))
        found: Row = self._open[1].slice(number, 1).to_pylist()[0]
        return {name: value for name, value in found.items() if value is not None}

    def add(self, row: Row) -> None:
        """Takes a row; a cell of another kind than its column is left out, which is the row's error.

        Raises:
            RunError: The system refuses: a full disk. The row is kept, see `waiting`.
        """
        row = self._fitting(row)
        self._has_row(bytes.fromhex(str(row["identity"])), failed=bool(row.get("error")))
        self._waiting.append(row)
        self.journal.add(row)
        self.tick()

    @property
    def waiting(self) -> list[Row]:
        """Rows that are in no part yet."""
        return list(self._waiting)

    def tick(self) -> None:
        """Makes a part of the rows that wait, if they are many or have waited long."""
        if len(self._waiting) >= compaction.FULL or (self._waiting and time.monotonic() - self._since > _SECONDS):
            self.flush()

    def flush(self) -> None:
        """Makes a part of the rows that wait.

        Raises:
            RunError: The system refuses; the rows stay.
        """
        if self._waiting:
            self._know(self._waiting)
            write_part(self._folder, self._waiting, self.manifest.columns, self._wanted)
            self._small += len(self._waiting) < compaction.FULL
            self._waiting = []
            self.journal.clear()
            if self._small >= _MOST_PARTS and not self.older:
                self.compact()
        self._since = time.monotonic()

    def compact(self) -> None:
        """Puts parts together, one row a run, all columns in each."""
        superseding = self.manifest.superseding
        with told(RunError, f"cannot put the parts of {str(self._folder)!r} together", "make room; no row is lost"):
            compaction.compact(self._folder, self.manifest.columns, superseding=superseding)
        self._small = 0
        if superseding:
            self._save(replace(self.manifest, superseding=False))

    def close(self) -> None:
        """Writes what waits, and puts parts together."""
        self.flush()
        self.compact()

    def _fitting(self, row: Row) -> Row:
        found, wrong = dict(row), []
        for name, value in row.items():
            kind, known = kind_of(value), self.manifest.columns.get(name) or self._kinds.get(name)
            if kind is None or kind == known:
                continue
            if known is None:
                self._kinds[name] = kind
            else:
                wrong.append(f"{name} is a {kind} here and a {known} in other rows")
                found[name] = None
        if wrong:
            told_ = "; ".join([*([str(row["error"])] if row.get("error") else []), *wrong])
            found["error"] = told_
        return found

    def _know(self, rows: Sequence[Row]) -> None:
        """The manifest knows the columns of these rows before a part has them."""
        kinds = {
            name: kind
            for row in rows
            for name, value in row.items()
            if name not in self.manifest.columns and (kind := kind_of(value)) is not None
        }
        if kinds:
            self._save(self.manifest.with_kinds(kinds))
        self._kinds.clear()

    def _save(self, manifest: Manifest) -> None:
        manifest.save(self._folder)
        self.manifest = manifest


def closing(writer: Writer) -> list[Row]:
    """Closes a writer after an error, as far as the system lets it; returns the rows that could not be written."""
    with suppress(RunError):
        writer.close()
    return writer.waiting
