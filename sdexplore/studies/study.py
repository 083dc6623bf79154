"""`Study`: one question asked of many runs, as a table with a row a run."""

import json
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..base.atomic_files import named
from ..base.display import count
from ..base.errors import RunError
from ..base.user_warnings import warn_user
from ..records.study_progress import StudyProgress
from ..trace.record import Record
from .driving import drive
from .identity import identity_of, plain
from .keeping import Keep
from .lanes import lane_of
from .making import Source, told_source
from .manifest import Manifest, is_study, manifest_in
from .measure import measures_of, prefixes_of
from .opening import Again, restored
from .parts import arrow
from .planned import ABOUT, Plan, planned_run
from .reading import StudyTable
from .stopping import Stop
from .values import Row
from .work import Task, Work
from .writing import Writer, closing, locked

_NUMBERS = Record(decode=0)  # no picture of a step is decoded
_MANY = 4096  # runs that are noted as under way


class Study(StudyTable):
    """A table with a row a run: made here or on a cluster, stopped and gone on with, and read while it grows.

    Runs come from `grid`, a DataFrame, or any iterable of dictionaries, and are never listed. Each is a row with its
    arguments (`run.prompt`), what `about` says of it, and the columns of each measure (`word_map.peak`). A run that
    fails is a row with its `error`; numbers are float64, and a measure that finds NaN or nothing leaves its cell empty,
    which `missing` tells. The folder holds Parquet parts, which pandas, polars and DuckDB read as one table.

    Args:
        source: As `load` takes it; or a function that can be imported and that loads: it returns a pipeline, or a
            function that is called as `run` is and returns a Trace. Each worker loads it once.
        runs: Dictionaries of arguments: those of the pipeline's call, "seed" (0 where none is given), "scheduler",
            "change", "prompt_at"; and "about", a dictionary of what is known of the run beside.
        measure: What is read from each run: a name of `sdx.studies.MEASURES`, (name, {arguments}), a function of a
            Trace that can be imported, a `sdx.studies.Measure`; or several in a list.
        keep: "nothing"; "thumbnails", a small picture in each row; "traces", by the Record; a function of a row, a
            dictionary, that picks whose trace is kept; or several in a list.
        record: What each run records.
        load: Arguments of `load` beside the source.
        to: The study's folder. The same call goes on there, in another process, after a crash, with more runs.

    Raises:
        RunError: One of them is not what it should be; the folder holds another study; pandas or pyarrow is missing.
    """

    def __init__(
        self,
        source: Source,
        *,
        runs: Any,  # noqa: ANN401  (any iterable of dictionaries, a DataFrame)
        measure: Any = (),  # noqa: ANN401  (one or several)
        keep: Any = "nothing",  # noqa: ANN401  (as above)
        record: Record = _NUMBERS,
        load: Mapping[str, Any] = MappingProxyType({}),
        to: str | os.PathLike[str],
    ) -> None:
        arrow()
        super().__init__(named(to if isinstance(to, str) else Path(to), RunError))
        self._source, self._load, self._record = source, dict(load), record
        self._measures, self._keep, self._plan = measures_of(measure), Keep.of(keep), Plan(runs)
        try:
            self._made_of = {"source": told_source(source), "load": plain(self._load)}
        except RunError as error:
            raise RunError(f"Study: {error}") from error
        told = {**self._made_of, "record": plain(record.to_json())}
        self._own = Manifest(identity=identity_of(told)[:8], **told, planned=self._plan.count)
        self._stop = threading.Event()
        self._asked = array("Q")  # the first halves of the identities of this call's runs: eight bytes a run
        self._unwritten: list[Row] = []
        self._check_folder()

    @property
    def identity(self) -> str:
        """Of the study, eight hexadecimal digits: where its runs come from, and how they are recorded."""
        return self._own.identity

    @property
    def _manifest(self) -> Manifest:
        return manifest_in(self.folder) if is_study(self.folder) else self._own

    def _check_folder(self) -> None:
        """RunError where the folder holds another study."""
        there = self._manifest
        for name in ("source", "load", "record"):
            then, now = getattr(there, name), getattr(self._own, name)
            if then != now:
                raise RunError(
                    f"Study(to={str(self.folder)!r}): this folder holds the study {there.identity}, whose {name} is "
                    f"{then!r:.200}, and here it is {now!r:.200}: give another folder"
                )

    def run(
        self,
        executor: Any = None,  # noqa: ANN401  (a Client, an Executor)
        *,
        retry_errors: bool = False,
        on_row: Callable[[StudyProgress], object] | None = None,
        resources: Mapping[str, int | float] | None = None,
        window: int | None = None,
        per_task: int = 1,
        batch: int = 1,
    ) -> StudyProgress:
        """Makes the runs that have no row yet, and returns how far the study is.

        What it made stays, whatever ends it. Ctrl-C and `stop` end runs after their step.

        Args:
            executor: None: here, in this process; a `dask.distributed.Client`, give its workers one thread each; or any
                Executor of `concurrent.futures`. Tested are a LocalCluster of two workers and threads and processes of
                `concurrent.futures`, on one machine. Clusters of SLURM (`dask_jobqueue.SLURMCluster`), Kubernetes and
                dask-cuda give a Client too, and none of them was run; there the folder must be one that the driver
                sees, and where traces are kept one that each worker sees under the same path.
            retry_errors: Whether runs whose row has an error are made again.
            on_row: Called with a StudyProgress after each row; without it a bar is shown.
            resources: Of Dask: what a run takes of its worker, as in {"GPU": 1}.
            window: How many tasks are under way; by default four for each thread of the workers.
            per_task: How many runs are one task; more than one where a run takes less than a tenth of a second. With a
                LocalCluster made here, this process holds Dask's scheduler too, and grew by 79 MiB over 100,000 runs
                that cost nothing, 25 a task. Some 10 of these are Dask's own last 1,000 messages
                (`distributed.admin.low-level-log-length`). A scheduler in a process of its own keeps them there.
            batch: How many runs one call of the pipeline may draw: runs that follow one another, of following seeds,
                and of the same arguments but for the prompt. It is not the same to the bit: latents of the embedded
                model differ by some 5e-5 of 10. The column `batch` has how many it were, and `open` compares within a
                bound. It is faster where a step costs much however small it is: the embedded model at 64 × 64 pixels
                took 0.66, 0.49 and 0.39 of the time with 2, 4 and 8 prompts a call, and at 256 × 256 0.97, 0.98 and
                1.03 (one thread of a CPU, 8 steps). On a GPU it was not measured; `python -m sdexplore.bench --only
                studies` prints it.

        Raises:
            RunError: Another driver has the folder; the source cannot be loaded; a run is no dictionary or has no
                identity; no worker has the resources; the executor is broken; the disk is full.
        """
        for name, given in (("window", window), ("per_task", per_task), ("batch", batch)):
            if given is not None and given < 1:
                raise RunError(f"Study.run({name}={given!r}): at least 1")
        self._stop.clear()
        began = time.monotonic()
        with locked(self.folder):
            writer = self._writer(retry_errors=retry_errors)
            counted = _Counted(self, writer, on_row, began)
            try:
                lane = lane_of(executor, resources)
                work = self._work(writer, lane.stop, batch)
                drive(
                    self._tasks(writer),
                    lane,
                    work,
                    per_task=max(per_task, batch),
                    window=window,
                    took=counted.take,
                    stopped=self._stop.is_set,
                )
                writer.close()
            finally:
                self._unwritten = closing(writer)
                counted.close()
        return replace(counted.progress(stopped=self._stop.is_set()), repeated=_repeated(self._asked))

    def stop(self) -> None:
        """Ends `run`, which another thread is in: runs under way end after their step, and have no row."""
        self._stop.set()

    def _writer(self, *, retry_errors: bool) -> Writer:
        self._check_folder()
        there = self._manifest
        prefixes = prefixes_of(self._measures, there.measures)
        manifest = replace(there, measures={**there.measures, **prefixes}, planned=self._plan.count)
        manifest.save(self.folder)
        writer = Writer(self.folder, manifest, list(prefixes), retry_errors=retry_errors)
        for row in self._unwritten:
            if bytes.fromhex(str(row["identity"])) not in writer.done:
                writer.add(row)
        return writer

    def _work(self, writer: Writer, stop: Stop, batch: int) -> Work:
        prefixes = writer.manifest.measures
        measures = [(one, prefixes[one.key]) for one in self._measures]
        folder = str(self.folder.resolve())
        return Work(self._source, self._load, self._record, measures, self._keep, folder, stop, batch)

    def _tasks(self, writer: Writer) -> Iterator[Task]:
        """A task for each run that is not done."""
        needs = frozenset(one.key for one in self._measures if one.needs_pipeline)
        self._tell(writer, needs)
        asked: set[bytes] = set()
        self._asked = array("Q")
        for number, given in enumerate(self._plan):
            run = planned_run(given, number, self._made_of)
            identity = bytes.fromhex(run.identity)
            self._asked.append(int.from_bytes(identity[:8]))
            if identity in writer.done or identity in asked:
                continue
            asked.add(identity)
            if len(asked) > _MANY:  # what has a row needs no second note
                asked = {one for one in asked if one not in writer.done}
            older = writer.older.get(identity)
            if older is not None and older.kept and older.lacking and not older.lacking & needs:
                yield Task(run, writer.row_of(identity), kept=True, lacking=older.lacking)
            else:
                yield Task(run)

    def _tell(self, writer: Writer, needs: frozenset[str]) -> None:
        """Says what is made again, before it is."""
        failed = sum(not one.lacking for one in writer.older.values())
        read = sum(bool(one.kept and one.lacking and not one.lacking & needs) for one in writer.older.values())
        made, new = len(writer.older) - failed - read, {key for one in writer.older.values() for key in one.lacking}
        names = ", ".join(sorted(writer.manifest.measures[key] for key in new))
        said = [f"{count(failed)} that failed are made again"] * bool(failed)
        said += [f"{count(read)} are measured from their kept traces"] * bool(read)
        said += [f"{count(made)} are made again" + ", since their traces were not kept" * (not new & needs)] * bool(
            made
        )
        if said:
            measured = f"these rows lack {names}; " if names else ""
            warn_user(f"Study.run: {measured}of the runs that are asked for, {'; '.join(said)}")

    def _again(self, row: Mapping[str, Any]) -> Again:
        """How a row's run is made again: from the runs of this study, where the row has only a hash of an argument."""
        measures = [
            (one, self._manifest.measures[one.key]) for one in self._measures if one.key in self._manifest.measures
        ]
        told = json.loads(row["call"])
        try:
            arguments = {name: restored(name, value) for name, value in told["arguments"].items()}
            about = told.get(ABOUT, {})
        except RunError:
            for number, given in enumerate(self._plan):
                run = planned_run(given, number, self._made_of)
                if run.identity == row["identity"]:
                    arguments, about = dict(run.arguments), run.about
                    break
            else:
                raise
        return Again(self._source, self._load, self._record, measures, arguments, told["seed"], about)


def _repeated(asked: "array[int]") -> int:
    """How many of these runs had been asked for before."""
    found = np.frombuffer(asked, np.uint64)
    return len(found) - len(np.unique(found))


class _Counted:
    """Takes rows to the writer, counts them, and tells how far the study is."""

    def __init__(
        self, study: Study, writer: Writer, on_row: Callable[[StudyProgress], object] | None, began: float
    ) -> None:
        self._study, self._writer, self._on_row, self._began = study, writer, on_row, began
        self._made = 0
        self._before = len(writer.done)
        self._bar: Any = None
        if on_row is None:
            with suppress(ImportError):
                from tqdm.auto import tqdm

                self._bar = tqdm(total=writer.manifest.planned, initial=self._before, unit="run")

    def take(self, rows: list[Row]) -> None:
        """Takes rows; all of them, before an error of the disk ends the study."""
        refused: RunError | None = None
        for row in rows:
            try:
                self._writer.add(row)
            except RunError as error:
                refused = error
                continue
            self._made += 1
            if self._bar is not None:
                self._bar.update()
            if self._on_row is not None:
                self._on_row(self.progress())
        if refused is not None:
            raise refused
        if not rows:
            self._writer.tick()

    def progress(self, *, stopped: bool = False) -> StudyProgress:
        """How far the study is."""
        return StudyProgress(
            study=self._study.identity,
            folder=str(self._study.folder),
            planned=self._writer.manifest.planned,
            rows=len(self._writer.done),
            errors=len(self._writer.failed),
            made=self._made,
            seconds=time.monotonic() - self._began,
            stopped=stopped,
        )

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()
