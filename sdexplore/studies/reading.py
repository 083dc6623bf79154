"""`read`: a study's folder as a table. It opens without reading rows, and needs no torch."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base.atomic_files import named
from ..base.display import Block, Line, Shown, clip, count
from ..base.errors import TraceError, did_you_mean
from ..base.user_warnings import warn_user
from ..records.study_progress import StudyProgress
from ..trace.trace import Trace
from . import compaction
from .conditions import expression_of
from .keeping import trace_of
from .manifest import Manifest, manifest_in
from .opening import Again
from .parts import arrow, is_whole, parts_in, schema_of
from .values import Kind

_TRIES = 3  # a driver may put parts together while they are read


class StudyTable(Shown):
    """A study's folder: a row a run, read where it is asked for.

    Attributes:
        folder: Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: set[str] = set()  # damaged parts that a warning named: a dashboard reads the table again and again

    @property
    def _manifest(self) -> Manifest:
        return manifest_in(self.folder)

    @property
    def identity(self) -> str:
        """Of the study, eight hexadecimal digits: where its runs come from, and how they are recorded."""
        return self._manifest.identity

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: `identity`, `run.<argument>`, `about.<name>`, those of every study, of measures."""
        return tuple(self._manifest.columns)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Column -> what it holds: "number", "whole", "text", "numbers" (a list of them in each cell) or "bytes"."""
        return dict(self._manifest.columns)

    def __len__(self) -> int:
        if self._manifest.superseding:
            return len(self.table("identity"))
        return sum(one.num_rows for one in self._metadata())

    def table(self, columns: Sequence[str] | str | None = None, where: Any = None) -> Any:  # noqa: ANN401
        """The rows as a pandas DataFrame; those of the last ten seconds of a study that runs may not be there yet.

        Args:
            columns: Which columns; None: all. Others are not read.
            where: Which rows: column -> a value, several values, a slice of numbers or texts (both ends are included,
                as in slice(0.5, None)), None for no value, or ... for any value; or an expression of
                `pyarrow.compute`. None: all.

        Raises:
            TraceError: There is no such column; it holds other things than `where` asks for; the folder holds no study.
        """
        manifest = self._manifest
        wanted = list(manifest.columns) if columns is None else [columns] if isinstance(columns, str) else list(columns)
        for name in (*wanted, *(where if isinstance(where, Mapping) else ())):
            if name not in manifest.columns:
                raise TraceError(
                    f"study {manifest.identity} has no column {name!r}; {did_you_mean(str(name), manifest.columns)}"
                )
        conditions = isinstance(where, Mapping)
        expression = expression_of(where, manifest.columns) if conditions else where
        read = {*wanted, *where} if conditions else set(wanted) if where is None else None
        for _ in range(_TRIES):
            try:
                return self._read(manifest, wanted, expression, read)
            except FileNotFoundError as error:
                gone = error
            except (arrow().ArrowInvalid, arrow().ArrowTypeError, arrow().ArrowNotImplementedError) as error:
                raise TraceError(f"study.table(where={where!r:.200}): {error}") from error
        raise TraceError(f"study {manifest.identity}: a part went away while it was read: {gone}")

    def _read(
        self,
        manifest: Manifest,
        wanted: list[str],
        expression: Any,  # noqa: ANN401  (pyarrow's)
        read: Collection[str] | None,
    ) -> Any:  # noqa: ANN401  (a DataFrame)
        pa, dataset = arrow(), self._dataset(manifest, read)
        if manifest.superseding:  # runs are made again: of a run's two rows the later one counts
            every = dataset.to_table()
            later = every["identity"].to_pandas().duplicated(keep="last").to_numpy()
            dataset = pa.dataset.dataset(every.filter(pa.array(~later)))
        return dataset.to_table(columns=wanted, filter=expression).to_pandas()

    def _paths(self) -> list[Path]:
        """Whole parts; one that is damaged is told once."""
        hidden = compaction.replaced(self.folder)
        found = []
        for part in parts_in(self.folder):
            if part.name in hidden:
                continue
            if is_whole(part):
                found.append(part)
            elif part.name not in self._told:
                self._told.add(part.name)
                warn_user(f"study: {part.name} is damaged and left out; Study.run makes its runs again")
        return found

    @property
    def damaged(self) -> tuple[str, ...]:
        """Names of parts that are no whole Parquet files, which the table leaves out; `Study.run` makes their runs."""
        return tuple(part.name for part in parts_in(self.folder) if not is_whole(part))

    def _dataset(self, manifest: Manifest, read: Collection[str] | None) -> Any:  # noqa: ANN401  (pyarrow's)
        """The rows as Arrow reads them; `read`: the columns that will be read, None where that is not known."""
        del read  # it reads what is asked for of it
        pa = arrow()
        schema, paths = schema_of(manifest.columns), [str(part) for part in self._paths()]
        if not paths:
            return pa.dataset.dataset(schema.empty_table())
        return pa.dataset.dataset(paths, schema=schema, format="parquet")

    def _metadata(self) -> list[Any]:
        pa = arrow()
        return [pa.parquet.read_metadata(part) for part in self._paths()]

    def errors(self) -> Any:  # noqa: ANN401  (a DataFrame)
        """The rows of runs that failed, wholly or in a measure, as a DataFrame; `error` says why."""
        return self.table(where=arrow().dataset.field("error").is_valid())

    def progress(self) -> StudyProgress:
        """How far the study is."""
        manifest, frame = self._manifest, self.table(["error"])
        return StudyProgress(
            study=manifest.identity,
            folder=str(self.folder),
            planned=manifest.planned,
            rows=len(frame),
            errors=int(frame["error"].notna().sum()),
        )

    def open(
        self,
        row: Any,  # noqa: ANN401  (a DataFrame's row)
        *,
        check: bool = True,
        on_step: Callable[[Any], object] | None = None,
    ) -> Trace:
        """The trace of a row: the one that was kept, or the run made again and compared with the row.

        Args:
            row: A row of the table, or its identity.
            check: Whether a run that comes out otherwise is an error. Where its last digits differ (other threads,
                versions, a batch), a warning says by how much.
            on_step: As `run` takes it, where the run is made again.

        Raises:
            TraceError: There is no such row; the run came out otherwise.
            RunError: It cannot be made again: an argument was a picture or an array, of which a row has the hash.
        """
        return self.open_told(row, check=check, on_step=on_step, told=warn_user)

    def open_told(
        self,
        row: Any,  # noqa: ANN401  (as above)
        *,
        check: bool,
        told: Callable[[str], object],
        on_step: Callable[[Any], object] | None = None,
        begun: Callable[[str], object] = str,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Trace:
        """As `open`, for who does not wait in a cell.

        Args:
            row, check, on_step: As `open` takes them.
            told: Gets how far the run is from its row, where it is not the same to the bit.
            begun: Gets what is done, before it is: loading the source, making the run.
            cancelled: Asked while the run waits for its turn, and after each step.

        Raises:
            Stopped: It was cancelled.
        """
        found = self._row(row)
        kept = self.folder / trace_of(found["identity"])
        if kept.is_file():
            return Trace.load(kept)
        return self._again(found).compared_with(
            found, check=check, told=told, on_step=on_step, begun=begun, cancelled=cancelled
        )

    def _row(self, row: Any) -> dict[str, Any]:  # noqa: ANN401
        identity = row if isinstance(row, str) else dict(row).get("identity")
        if not isinstance(identity, str):
            raise TraceError(f"study.open({row!r:.80}): give a row of study.table(), with its column 'identity'")
        frame = self.table(where={"identity": identity})
        if not len(frame):
            raise TraceError(f"study {self.identity} has no row {identity!r}")
        return {str(name): value for name, value in frame.iloc[-1].items()}

    def _again(self, row: Mapping[str, Any]) -> Again:
        """How a row's run is made again, as far as the folder tells it."""
        manifest, told = self._manifest, json.loads(row["call"])
        return Again.of_row(manifest, told)

    def blocks(self) -> list[Block]:
        """What the repr shows: how many rows, and the columns of measures."""
        manifest = self._manifest
        own = [name for name in manifest.columns if "." in name or "[" in name]
        planned = "" if manifest.planned is None else f" of {count(manifest.planned)} planned runs"
        return [
            Line(f"Study {manifest.identity} in {str(self.folder)!r}: {count(len(self))}{planned}", strong=True),
            Line(f"of {clip(manifest.source, 80)}; columns {clip(', '.join(own), 400)}"),
        ]


def read(folder: str | os.PathLike[str]) -> StudyTable:
    """A study's folder, to be read: no row is read, and torch is not needed. A driver may write to it meanwhile.

    Raises:
        TraceError: It holds no study.
        RunError: pyarrow is not installed.
    """
    arrow()
    path = named(folder if isinstance(folder, str) else Path(folder), TraceError)
    manifest_in(path)
    return StudyTable(path)
