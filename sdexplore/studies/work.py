"""What a worker does: makes runs, measures them, and returns a row for each, also for a run that fails.

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
from .keeping import Keep, trace_of
from .making import CannotLoadError, Source, loaded, run_of, runs_of, silent
from .measure import Measure
from .planned import ABOUT, PlannedRun
from .stopping import NeverStop, Stop
from .values import Row, columns_of, written

_LONGEST = 2000  # characters of an error
_NEVER = NeverStop()


@dataclass(frozen=True, eq=False)
class Task:
    """One run to make; or to measure alone, where its trace was kept.

    Attributes:
        known: The row that it has already; new measures are added to it.
        kept: Whether its trace was kept, so that it is read and the run not made.
        lacking: Keys of the measures that the row lacks.
    """

    run: PlannedRun
    known: Row = field(default_factory=dict)
    kept: bool = False
    lacking: frozenset[str] = frozenset()

    def row_of_error(self, error: str) -> Row:
        """The row of a run that could not be made."""
        return {**begun(self.run), "error": written(error)}


@dataclass(frozen=True)
class NotLoaded:
    """Why a worker cannot load the source. It is returned and not raised: Dask would log it with each task."""

    reason: str


@dataclass(frozen=True, eq=False)
class Work:
    """What all runs of a study have in common, as it travels to the workers.

    Attributes:
        measures: (measure, what its columns begin with).
        folder: The study's, where traces are kept.
        together: How many prompts one call of the pipeline may draw.
    """

    source: Source
    load: Mapping[str, Any]
    record: Record
    measures: Sequence[tuple[Measure, str]]
    keep: Keep
    folder: str
    stop: Stop = _NEVER
    together: int = 1

    def rows(self, tasks: Sequence[Task]) -> list[Row] | NotLoaded:
        """A row for each task, fewer where the study is stopped; or why the source cannot be loaded in this process."""
        found: list[Row] = []
        try:
            for group in self._groups(tasks):
                if self.stop.is_set():
                    break
                if group[0].kept:
                    found += map(self._measured_again, group)
                else:
                    found += self._made([task.run for task in group])
        except CannotLoadError as error:
            return NotLoaded(str(error))
        return found

    def _groups(self, tasks: Sequence[Task]) -> list[list[Task]]:
        """Tasks that one call of the pipeline draws: of following seeds, and but for the prompt the same arguments."""
        groups: list[list[Task]] = []
        for task in tasks:
            last = groups[-1] if groups else []
            if last and len(last) < self.together and _one_call(last[-1], task):
                last.append(task)
            else:
                groups.append([task])
        return groups

    def _made(self, runs: Sequence[PlannedRun]) -> list[Row]:
        """The rows of runs that one call draws; none where it was stopped."""
        source = loaded(self.source, self.load)
        rows, began = [begun(run) for run in runs], time.perf_counter()
        try:
            traces = self._traces(source, runs)
        except Stopped:
            return []
        except Exception as error:  # noqa: BLE001  (it is the rows' error, and the study goes on)
            for row in rows:
                row["error"] = _told(error)
        else:
            for row, trace, run in zip(rows, traces, runs, strict=True):
                self._fill(row, trace, run, source)
        for row in rows:
            row["seconds"] = (time.perf_counter() - began) / len(rows)
            row["batch"] = float(len(rows))
        return rows

    def _traces(self, source: Any, runs: Sequence[PlannedRun]) -> Sequence[Trace]:  # noqa: ANN401  (any pipeline)
        first = runs[0]
        if len(runs) == 1:
            return [run_of(source, first.arguments, first.seed, self.record, self.stop.is_set)]
        prompts = [run.arguments["prompt"] for run in runs]
        return runs_of(source, {**first.arguments, "prompt": prompts}, first.seed, self.record, self.stop.is_set)

    def _fill(self, row: Row, trace: Trace, run: PlannedRun, source: Any) -> None:  # noqa: ANN401  (as above)
        row["fingerprint"] = trace.fingerprint
        errors = self._measured(row, trace, run, source, self.measures)
        try:
            row |= self.keep.of_run(trace, row, self.folder)
        except Exception as error:  # noqa: BLE001  (the numbers stay)
            errors.append(_told(error))
        row["error"] = written("; ".join(errors)) or None

    def _measured_again(self, task: Task) -> Row:
        """The row that was there, with the measures that were added, read from the kept trace."""
        row = dict(task.known)
        try:
            trace = Trace.load(Path(self.folder) / trace_of(task.run.identity))
        except Exception as error:  # noqa: BLE001  (it is the row's)
            row["error"] = _told(error)
            return row
        lacking = [(one, prefix) for one, prefix in self.measures if one.key in task.lacking]
        errors = self._measured(row, trace, task.run, None, lacking)
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
                with silent(source):
                    columns, missing = columns_of(prefix, measure.of(trace, given, source))
            except Exception as error:  # noqa: BLE001  (it is the row's error, and the other measures stay)
                errors.append(f"{prefix}: {_told(error)}")
            else:
                row |= columns
                notes += missing
        row["missing"] = written("; ".join(notes)) or None
        return errors


def _one_call(one: Task, other: Task) -> bool:
    """Whether one call of the pipeline can draw both, the second behind the first."""
    if one.kept or other.kept or other.run.seed != one.run.seed + 1:
        return False
    prompts = (one.run.arguments.get("prompt"), other.run.arguments.get("prompt"))
    same = {**one.run.told["arguments"], "prompt": ""} == {**other.run.told["arguments"], "prompt": ""}
    return same and all(isinstance(prompt, str) for prompt in prompts)


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
