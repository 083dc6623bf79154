"""`python -m sdexplore.bench`: measures, prints a table, and with options writes the record and a picture of it."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import SdexploreError
from ..records.benchmark import AXES, Benchmark, BenchmarkRow
from . import changes, dashboard_run, default_run, features, growth, tracing
from .subjects import SIZES, TRANSFORMERS, Subject

_OF_A_RUN = (default_run.KEY, dashboard_run.KEY, *tracing.KEYS, changes.KEY, features.KEY)
PARTS = (*_OF_A_RUN, "studies", "reading", "transformers", *AXES)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        _fill(chosen)
        if chosen.pairs < 1 or chosen.steps < 1:
            raise SdexploreError(f"--pairs {chosen.pairs} --steps {chosen.steps}: both must be at least 1")  # noqa: TRY301
        only = tuple(chosen.only or (_QUICK if chosen.quick else PARTS))
        if chosen.plot is not None and not set(only) & set(AXES):
            raise SdexploreError(f"--plot draws cost against {', '.join(AXES)}: name one of them in --only")  # noqa: TRY301
        found = _measured(chosen, only)
        sys.stdout.write(f"{found}\n")
        if chosen.json is not None:
            found.save(chosen.json)
        if chosen.plot is not None:
            from ..views import benchmark

            benchmark(found).save(chosen.plot)
    except SdexploreError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def _fill(chosen: argparse.Namespace) -> None:
    """Sets the defaults that depend on the device and on --quick."""
    from ..model.components.devices import chosen_device

    chosen.device = chosen_device(chosen.device)
    usual = 2 if chosen.quick else 8 if chosen.device.type == "cpu" else 30
    chosen.steps = usual if chosen.steps is None else chosen.steps
    chosen.pairs = (3 if chosen.quick else 7) if chosen.pairs is None else chosen.pairs


_QUICK = ("mean", "heads", "reading", "layers")


def _measured(chosen: argparse.Namespace, only: Sequence[str]) -> Benchmark:
    from ..model.runs.timing import facts

    device = chosen.device
    found = Benchmark(facts={**facts(device), "pairs": str(chosen.pairs)})
    if "reading" in only:
        from .reading import readings

        for reading in readings(5 if chosen.quick else 15):
            found = found.joined(Benchmark(facts={}, readings=(reading,)))
            _say(f"{reading.name}: {reading.milliseconds.median:.1f} ms")
    if "studies" in only:
        found = _of_studies(found, chosen)
    if "transformers" in only:
        for size in TRANSFORMERS:
            found = found.joined(_of_transformer(size, device, chosen, only))
    if set(only) - {"reading", "studies", "transformers"} or chosen.peers:
        for size in chosen.size or (["mini"] if device.type == "cpu" else ["sd15", "sdxl"]):
            found = found.joined(_of_size(size, device, chosen, only))
    return found


def _of_studies(found: Benchmark, chosen: argparse.Namespace) -> Benchmark:
    """Studies of the embedded model, where their extra is installed."""
    try:
        from .studies import study_benchmarks
    except ImportError as error:
        raise SdexploreError(f"--only studies: pip install 'sdexplore[studies]' ({error})") from error
    few = {"stubs": 10_000, "rows": 100_000} if chosen.quick else {}
    for one in study_benchmarks(chosen.steps, chosen.pairs, **few):
        found = found.joined(one)
        for row in one.rows:
            _say(f"{row.subject}: {row.name}: {row.share or row.seconds} {row.note}")
        for reading in one.readings:
            _say(f"{reading.name}: {reading.milliseconds.median:.1f} ms")
    return found


def _of_size(size: str, device: Any, chosen: argparse.Namespace, only: Sequence[str]) -> Benchmark:  # noqa: ANN401  (torch's)
    subject = Subject.of(size, device, chosen.steps)
    _say(subject.name)
    found = _told(Benchmark(facts={}), _rows(subject, size, chosen, only))
    axes = [axis for axis in AXES if axis in only]
    for point in growth.cost_points(subject, chosen.pairs, axes, chosen.steps if chosen.quick else growth.STEPS[-1]):
        found = found.joined(Benchmark(facts={}, points=(point,)))
        _say(f"{AXES[point.axis]} {point.amount}: {point.share}")
    if chosen.peers:  # last, since another tool may leave the pipeline changed
        from .peers import peer_rows

        found = _told(found, peer_rows(subject, chosen.pairs))
    return found


def _rows(subject: Subject, size: str, chosen: argparse.Namespace, only: Sequence[str]) -> Iterator[BenchmarkRow]:
    """A row for each way of running that `only` names."""
    if default_run.KEY in only:
        yield from default_run.default_rows(lambda: Subject.of(size, chosen.device, chosen.steps), chosen.pairs)
    if dashboard_run.KEY in only:
        yield from dashboard_run.dashboard_rows(subject, chosen.pairs)
    if changes.KEY in only:
        yield from changes.changed_rows(subject, chosen.pairs)
    if features.KEY in only:
        yield from features.feature_rows(subject, chosen.pairs)
    if set(only) & set(tracing.KEYS):
        yield from tracing.traced_rows(subject, chosen.pairs, only)


def _told(found: Benchmark, rows: Iterable[BenchmarkRow]) -> Benchmark:
    """The benchmark with rows, each of which is told as soon as it is measured."""
    for row in rows:
        found = found.joined(Benchmark(facts={}, rows=(row,)))
        _say(f"{row.subject}: {row.name}: {row.note if row.seconds is None else row.share or row.seconds}")
    return found


def _of_transformer(
    size: str,
    device: Any,  # noqa: ANN401  (torch's)
    chosen: argparse.Namespace,
    only: Sequence[str],
) -> Benchmark:
    """The default Record on a transformer, changed runs where asked for, and another tool, if it is installed."""
    from .peers import peer_rows, peers_of_transformers

    subject = Subject.of_transformer(size, device, chosen.steps)
    _say(subject.name)
    found = _told(Benchmark(facts={}), tracing.traced_rows(subject, chosen.pairs, ("mean",)))
    if changes.KEY in only:
        found = _told(found, changes.changed_rows(subject, chosen.pairs))
    return _told(found, peer_rows(subject, chosen.pairs, peers_of_transformers(asked=chosen.peers)))


def _say(text: str) -> None:
    """Writes progress to stderr, so that stdout has the table alone."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.bench",
        description="Measures what tracing costs here, as ratios of traced to untraced runs that alternate, and how "
        "fast a stored trace is read. A GPU runs the sizes of SD 1.5 and SDXL with random weights, a CPU runs the "
        "embedded model.",
    )
    parser.add_argument("--steps", type=int, default=None, help="denoising steps of a run (8 on a CPU, 30 on a GPU)")
    parser.add_argument(
        "--pairs", type=int, default=None, help="how many times each way runs beside the untraced run (7)"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure only these")
    parser.add_argument(
        "--size", nargs="+", choices=SIZES, help="the pipelines; sd15 on a CPU takes minutes for one run"
    )
    parser.add_argument("--device", help="cpu, cuda, mps, cuda:1 …")
    parser.add_argument(
        "--quick", action="store_true", help="a first impression: two steps, three pairs, the main rows"
    )
    parser.add_argument(
        "--peers", action="store_true", help="measure DAAM and attention-map-diffusers too, if they are installed"
    )
    parser.add_argument("--json", type=Path, help="the file for the record")
    parser.add_argument(
        "--plot", type=Path, help="the file for a picture of cost against steps, size and layers (.png, .svg …)"
    )
    return parser


if __name__ == "__main__":
    main()
