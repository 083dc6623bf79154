"""What a worker does: makes runs, measures them, and returns a row for each. It raises nothing that a run is to blame for.

A row is a dictionary of numbers and texts, so that no trace travels to the driver.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import Stopped
from ..trace.record import Record
from ..trace.trace import Trace
from .identity import canonical
from .keeping import Keep
from .making import Source, loaded, run_of
from .measure import Measure
from .planned import ABOUT, PlannedRun
from .stopping import NeverStop, Stop
from .values import Row, columns_of, written

_LONGEST = 2000  # characters of an error


@dataclass(frozen=True, eq=False)
class Task:
    """One run to make; or to measure alone, where its trace was kept.

    Attributes:
        known: The row that it has already; new measures are added to it.
        trace: The file of its trace, in the study's folder; "" where the run is to be made.
    """

    run: PlannedRun
    known: Row = field(default_factory=dict)
    trace: str = ""

    def row_of_error(self, error: str) -> Row:
        """The row of a run that could not be made."""
        return {**begun(self.run), "error": written(error)}


@dataclass(frozen=True, eq=False)
class Work:
    """What all runs of a study have in common, as it travels to the workers.

    Attributes:
        measures: (measure, what its columns begin with).
        added: Those of the measures that a row lacks whose trace was kept.
        folder: The study's, where traces are kept.
    """

    source: Source
    load: Mapping[str, Any]
    record: Record
    measures: Sequence[tuple[Measure, str]]
    keep: Keep
    folder: str
    added: Sequence[tuple[Measure, str]] = ()
    stop: Stop = NeverStop()

    def rows(self, tasks: Sequence[Task]) -> list[Row]:
        """A row for each task; fewer where the study is stopped.

        Raises:
            CannotLoadError: The source cannot be loaded in this process.
        """
        found = []
        for task in tasks:
            if self.stop.is_set():
                break
            row = self._measured_again(task) if task.trace else self._made(task.run)
            if row is not None:
                found.append(row)
        return found

    def _made(self, run: PlannedRun) -> Row | None:
        source = loaded(self.source, self.load)
        row, began = begun(run), time.perf_counter()
        try:
            trace = run_of(source, run.arguments, run.seed, self.record, self.stop.is_set)
        except Stopped:
            return None
        except Exception as error:  # noqa: BLE001  (it is the row's error, and the study goes on)
            row["error"] = _told(error)
        else:
            row["fingerprint"] = trace.fingerprint
            errors = self._measured(row, trace, run, source, self.measures)
            try:
                row |= self.keep.of_run(trace, row, self.folder)
            except Exception as error:  # noqa: BLE001  (as above: the numbers stay)
                errors.append(_told(error))
            row["error"] = written("; ".join(errors)) or None
        row["seconds"] = time.perf_counter() - began
        return row

    def _measured_again(self, task: Task) -> Row:
        """The row that was there, with the measures that were added, read from the kept trace."""
        row = dict(task.known)
        try:
            trace = Trace.load(Path(self.folder) / task.trace)
        except Exception as error:  # noqa: BLE001  (it is the row's)
            row["error"] = _told(error)
            return row
        errors = self._measured(row, trace, task.run, None, self.added)
        row["error"] = written("; ".join([*([str(row["error"])] if row.get("error") else []), *errors])) or None
        return row

    def _measured(
        self,
        row: Row,
        trace: Trace,
        run: PlannedRun,
        source: Any,  # noqa: ANN401  (a pipeline)
        measures: Sequence[tuple[Measure, str]],
    ) -> list[str]:
        """Adds the measures' columns to the row; returns what went wrong, which costs that measure alone."""
        errors = []
        notes = [str(row["missing"])] if row.get("missing") else []
        given = {**run.arguments, "seed": run.seed, ABOUT: run.about}
        for measure, prefix in measures:
            try:
                columns, missing = columns_of(prefix, measure.of(trace, given, source))
            except Exception as error:  # noqa: BLE001  (it is the row's error, and the other measures stay)
                errors.append(f"{prefix}: {_told(error)}")
            else:
                row |= columns
                notes += missing
        row["missing"] = written("; ".join(notes)) or None
        return errors


def begun(run: PlannedRun) -> Row:
    """The columns that a row has however its run ends."""
    row: Row = {"identity": run.identity, "seed": run.seed, "call": canonical(run.told), "error": None}
    for beginning, told in (("run", run.told["arguments"]), ("about", run.told.get(ABOUT, {}))):
        for name, value in told.items():
            row[f"{beginning}.{name}"] = _argument(value)
    return row


def _argument(value: Any) -> float | str | None:  # noqa: ANN401  (plain JSON)
    """An argument as a cell: numbers as numbers, texts as texts, all else as JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else written(value)
    if isinstance(value, bool | int | float):
        return float(value)
    return canonical(value)


def _told(error: Exception) -> str:
    return written(f"{type(error).__name__}: {error}"[:_LONGEST])
