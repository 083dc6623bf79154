"""What a study costs: a run of it against a plain loop, two workers against two plain processes, memory, reading.

It needs the extra `studies`. Seconds are of this machine while nothing else runs; ratios are of ways that alternate.
"""

import gc
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..analysis.attention import word_map
from ..analysis.attention_mass import attention_mass
from ..base.display import size
from ..records.benchmark import Benchmark, BenchmarkRow, Reading, Spread
from ..studies.grid import grid
from ..studies.making import loaded
from ..studies.manifest import COLUMNS, Manifest
from ..studies.parts import arrow, schema_of, write_table
from ..studies.reading import read
from ..studies.study import Study
from ..trace.record import Record
from ..trace.trace import Trace
from .batches import batch_rows
from .subjects import PROMPT, WORD

KEY: Final = "studies"
_RECORD: Final = Record(decode=0)
_MEASURES: Final = ("attention_mass", ("word_map", {"word": WORD}))
_PLAIN, _STUDY = "a plain loop of run and measures", "sdx.Study, in this process"
_PROCESSES, _WORKERS = "two plain processes", "sdx.Study on a LocalCluster of two workers"
_ROWS: Final = 1_000_000
_STUBS: Final = 100_000
_OF_A_PART: Final = 50_000


def study_benchmarks(steps: int, pairs: int, *, stubs: int = _STUBS, rows: int = _ROWS) -> Iterator[Benchmark]:
    """Each row and reading as soon as it is measured.

    Args:
        steps: Of a run.
        pairs: How often each way is timed beside the other.
        stubs: Runs that cost nothing, over which the driver's memory is measured.
        rows: Of the table that is read.
    """
    arrow()
    with ExitStack() as places:
        folder = Path(places.enter_context(tempfile.TemporaryDirectory()))
        yield _benchmark([driver_memory(folder, stubs)])  # first, while the heap holds nothing that it could use again
        yield _benchmark(_against_a_loop(folder, steps, pairs))
        yield _benchmark(_against_processes(folder, steps, pairs))
        yield _benchmark(batch_rows(folder, steps, pairs))
        yield Benchmark(facts={}, readings=tuple(table_readings(folder / "large", rows)))


def _benchmark(rows: Sequence[BenchmarkRow]) -> Benchmark:
    return Benchmark(facts={}, rows=tuple(rows))


def _study(folder: Path, seeds: Sequence[int], steps: int) -> Study:
    runs = grid(prompt=PROMPT, seed=list(seeds), num_inference_steps=steps)
    return Study("mini", runs=runs, measure=list(_MEASURES), record=_RECORD, to=folder)


def plain_runs(seeds: Sequence[int], steps: int) -> list[tuple[Any, ...]]:
    """What a user writes without a study: a loop of runs, each measured. The source is loaded once in each process."""
    from ..model.runs.run_pipeline import run

    pipe = loaded("mini", {})
    pipe.set_progress_bar_config(disable=True)
    found = []
    for seed in seeds:
        trace = run(pipe, PROMPT, seed=seed, record=_RECORD, num_inference_steps=steps)
        assert isinstance(trace, Trace)  # noqa: S101  (one prompt)
        found.append((attention_mass(trace).mean, float(word_map(trace, WORD).max())))
    return found


def one_thread() -> None:
    """Gives a plain process one thread, as a worker of Dask has."""
    import torch

    torch.set_num_threads(1)


def _against_a_loop(folder: Path, steps: int, pairs: int, runs: int = 3) -> list[BenchmarkRow]:
    numbers = count()

    def study() -> None:
        number = next(numbers)
        _study(folder / f"here-{number}", range(runs), steps).run(on_row=_nothing)

    ways = {_PLAIN: lambda: plain_runs(range(runs), steps), _STUDY: study}
    return _rows(ways, pairs, f"embedded model, {steps} steps, {runs} runs")


def _against_processes(folder: Path, steps: int, pairs: int, runs: int = 16) -> list[BenchmarkRow]:
    import distributed

    numbers = count()
    with (
        ProcessPoolExecutor(2, get_context("spawn"), one_thread) as pool,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit="0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def processes() -> None:
            halves = [range(half, runs, 2) for half in range(2)]
            for made in [pool.submit(plain_runs, seeds, steps) for seeds in halves]:
                made.result()

        def workers() -> None:
            _study(folder / f"cluster-{next(numbers)}", range(runs), steps).run(client, on_row=_nothing)

        client.wait_for_workers(2)
        return _rows({_PROCESSES: processes, _WORKERS: workers}, pairs, f"embedded model, {steps} steps, {runs} runs")


def _rows(ways: Mapping[str, Callable[[], object]], pairs: int, subject: str) -> list[BenchmarkRow]:
    """The first way, and the second against it."""
    import torch

    from ..model.runs.timing import timed

    base, other = ways
    times = timed(ways, pairs, torch.device("cpu"))
    return [
        BenchmarkRow(subject=subject, name=base, seconds=times.of(base)),
        BenchmarkRow(subject=subject, name=other, seconds=times.of(other), share=times.ratio(other, base)),
    ]


def _nothing(_: object) -> None:
    """Instead of a bar."""


def stub_source() -> Callable[..., Trace]:
    """A source whose runs cost nothing."""
    return _stub


def _stub(prompt: str | None, *, seed: int, record: Record, **_: Any) -> Trace:  # noqa: ANN401  (arguments of a run)
    call = {"function": "run", "prompt": prompt, "seed": seed, "record": record.to_json(), "arguments": {}}
    return Trace(kind="run", call=call, provenance={}, timesteps=np.zeros(1))


def seed_of(trace: Trace) -> float:
    """A measure that costs nothing."""
    return float(trace.call["seed"])


def driver_memory(folder: Path, stubs: int) -> BenchmarkRow:
    """By how much the driver grows over many runs, here: all that a driver holds of them, and the runs' own garbage."""
    import psutil

    def study(name: str, seeds: range) -> Study:
        return Study(stub_source, runs=grid(seed=seeds), measure=seed_of, to=folder / name)

    study("warm", range(200)).run(on_row=_nothing)
    gc.collect()
    process, before = psutil.Process(), psutil.Process().memory_info().rss
    done = study("stubs", range(stubs)).run(on_row=_nothing)
    gc.collect()
    grown = process.memory_info().rss - before
    return BenchmarkRow(
        subject=f"{stubs:,} runs that cost nothing",
        name="sdx.Study, in this process",
        seconds=Spread.of([done.seconds]),
        note=f"the driver grew by {size(max(0, grown))}; {1000 * done.seconds / stubs:.2f} ms a run",
    )


def table_readings(folder: Path, rows: int) -> Iterator[Reading]:
    """How long a large table takes: opened, counted, a column of it."""
    _large_table(folder, rows)
    found = read(folder)
    for name, do, budget in (
        ("studies.read", lambda: read(folder), 1000.0),
        ("its number of rows", lambda: len(found), 1000.0),
        ("a column of it as a DataFrame", lambda: found.table(["word_map.peak"]), None),
    ):
        yield Reading(name=f"{name} ({rows:,} rows)", milliseconds=Spread.of(_milliseconds(do)), budget=budget)


def _milliseconds(do: Callable[[], object], repeats: int = 5) -> list[float]:
    import time

    found = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        do()
        found.append(1000 * (time.perf_counter() - began))
    return found[1:]


def _large_table(folder: Path, rows: int) -> None:
    """A study's folder as it is after its end, of random numbers."""
    import pyarrow as pa

    folder.mkdir()
    rng = np.random.default_rng(0)
    names = ["word_map.peak", "word_map.mean", *(f"attention_mass.{place}" for place in range(10))]
    manifest = Manifest("0" * 8, "mini", {}, _RECORD.to_json(), columns={**COLUMNS, **dict.fromkeys(names, "number")})
    manifest.save(folder)
    schema = schema_of(manifest.columns)
    for first in range(0, rows, _OF_A_PART):
        many = min(_OF_A_PART, rows - first)
        columns: dict[str, Any] = {name: rng.random(many) for name in names}
        columns |= {"identity": [f"{first + row:032x}" for row in range(many)], "seed": np.arange(first, first + many)}
        columns |= {"seconds": rng.random(many), "call": ['{"arguments":{"prompt":"a cat"},"seed":0}'] * many}
        arrays = [
            pa.array(columns[one.name], one.type) if one.name in columns else pa.nulls(many, one.type) for one in schema
        ]
        write_table(folder, pa.Table.from_arrays(arrays, schema=schema), ())
