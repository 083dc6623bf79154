"""What tracing costs, as measured: ratios from one run, reading times against their budgets, cost as the work grows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..base import atomic_files, json_text
from ..base.display import Block, Line, Shown, Table, clip, size
from ..base.errors import SdexploreError

SCHEMA = 1
Axis = Literal["steps", "side", "layers"]
AXES: Mapping[Axis, str] = {"steps": "denoising steps", "side": "side of the picture, pixels", "layers": "layers read"}


@dataclass(frozen=True)
class Spread:
    """The middle half of several measurements.

    Attributes:
        median, low, high: Median, first and third quartile.
        count: How many measurements there are.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The quartiles of `values`."""
        low, median, high = np.percentile(np.asarray(values, np.float64), (25, 50, 75)).tolist()
        return cls(median, low, high, len(values))

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f}–{self.high:.3f})"


@dataclass(frozen=True, kw_only=True)
class BenchmarkRow:
    """One way of running a pipeline, against the same pipeline untraced.

    Attributes:
        subject: Pipeline, size and steps.
        name: What was run.
        seconds: Time of one run; None where it was not measured, and `note` says why.
        share: Its time divided by that of the plain untraced run beside it, pair by pair; None for that run itself.
        against: Name of another run that it is also compared with; "" without one.
        ratio: Its time divided by that of `against`, pair by pair.
        image: How its latents compare with the untraced run's: "to the bit", or the largest difference.
        captured: What was in the trace: "16 layers × 8 calls".
        memory: Bytes on the device at the peak, beyond those of the untraced run; None where not known, as on a CPU.
        synchronisations: How often the host waited for the device, beyond the untraced run; None where not known.
        note: A further remark.
    """

    subject: str
    name: str
    seconds: Spread | None = None
    share: Spread | None = None
    against: str = ""
    ratio: Spread | None = None
    image: str = ""
    captured: str = ""
    memory: int | None = None
    synchronisations: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How long reading a stored trace takes, in milliseconds, and how long it may; budget None promises nothing."""

    name: str
    milliseconds: Spread
    budget: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the median is within the budget."""
        return self.budget is None or self.milliseconds.median <= self.budget


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """The time of traced runs divided by that of untraced ones, pair by pair, at one amount of work.

    Attributes:
        axis: What was varied: denoising steps, the picture's side in pixels, or how many layers were read.
        amount: Its value.
        share: Traced time divided by untraced time.
        seconds: Time of the untraced run.
    """

    subject: str
    axis: Axis
    amount: int
    share: Spread
    seconds: Spread


@dataclass(frozen=True, kw_only=True, repr=False)
class Benchmark(Shown):
    """The record of one `python -m sdexplore.bench`.

    Attributes:
        facts: What it was measured on: device, versions, threads, date.
        rows: Ways of running, subject by subject.
        readings: Times of reading against their budgets.
        points: Cost against the amount of work, for `sdx.views.benchmark`.
    """

    facts: Mapping[str, str]
    rows: tuple[BenchmarkRow, ...] = ()
    readings: tuple[Reading, ...] = ()
    points: tuple[CostPoint, ...] = ()

    def joined(self, other: "Benchmark") -> "Benchmark":
        """A benchmark with the measurements of both, those of `other` last."""
        return replace(
            self,
            rows=self.rows + other.rows,
            readings=self.readings + other.readings,
            points=self.points + other.points,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Benchmark":
        """The record that `to_json` wrote.

        Raises:
            SdexploreError: The values are no benchmark, or have another layout.
        """
        try:
            if values["schema"] != SCHEMA:
                raise SdexploreError(f"a benchmark of layout {values['schema']!r}; this sdexplore reads {SCHEMA}")
            return cls(
                facts=dict(values["facts"]),
                rows=tuple(BenchmarkRow(**_spreads(row)) for row in values["rows"]),
                readings=tuple(Reading(**_spreads(row)) for row in values["readings"]),
                points=tuple(CostPoint(**_spreads(row)) for row in values["points"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise SdexploreError(f"this is no record of a benchmark: {type(error).__name__}: {error}") from error

    def save(self, path: str | Path) -> Path:
        """Writes the record as JSON, atomically; returns the path."""
        path = atomic_files.named(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(path, json_text.dumps(self.to_json(), indent=1).encode())
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Benchmark":
        """The record saved at `path`; SdexploreError if there is no such record."""
        path = atomic_files.named(path)
        try:
            values = json_text.loads(path.read_text(encoding="utf-8"))
            return cls.from_json(values if isinstance(values, dict) else {})
        except (OSError, ValueError) as error:
            raise SdexploreError(f"no record of a benchmark at {path.name!r}: {error}") from error

    def blocks(self) -> list[Block]:
        """What the repr shows: a table a subject, the reading times, the costs, and what it was measured on."""
        shown: list[Block] = [Line("What tracing costs", strong=True), *_about(self.facts)]
        for subject in dict.fromkeys(row.subject for row in self.rows):
            rows = [row for row in self.rows if row.subject == subject]
            shown += [Line(subject, strong=True), _rows_table(rows)]
        if self.rows:
            shown.append(Line(_RATIOS))
        if self.readings:
            missed = sum(not reading.kept for reading in self.readings)
            kept = "all budgets kept" if not missed else f"{missed} over budget"
            shown += [Line(f"Reading a stored trace: {kept}", strong=True), _readings_table(self.readings)]
        if self.points:
            shown += [Line("Cost as the work grows", strong=True), _points_table(self.points)]
        return shown


_RATIOS = (
    "Ratios are taken pair by pair, both runs side by side in time: median (first to third quartile). Latents out: "
    "decoding is left out, but where a row names it."
)


def _about(facts: Mapping[str, str]) -> list[Block]:
    return [Line("; ".join(f"{name} {clip(value, 120)}" for name, value in facts.items()))] if facts else []


def _spreads(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Spread(**value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _rows_table(rows: Sequence[BenchmarkRow]) -> Table:
    headers = ["run", "seconds", "of untraced", "image", "captured"]
    on_device = any(row.memory is not None for row in rows)
    headers += ["GPU memory +", "waits +"] if on_device else []
    cells = []
    for row in rows:
        if row.seconds is None:
            cells.append([row.name, "–", "–", "", row.note, *["", ""] * on_device])
            continue
        said = [row.captured, f"{row.ratio} of {row.against}" if row.ratio else "", row.note]
        share = "1" if row.share is None else str(row.share)
        line = [row.name, f"{row.seconds.median:.3f}", share, row.image, "; ".join(filter(None, said))]
        memory = "" if row.memory is None else size(max(0, row.memory))
        waits = "" if row.synchronisations is None else str(row.synchronisations)
        cells.append([*line, *[memory, waits] * on_device])
    return Table(headers, cells, frozenset(headers[1:3] + headers[5:]))


def _readings_table(readings: Sequence[Reading]) -> Table:
    headers = ("reading", "ms", "quartiles", "budget", "")
    rows = [
        (
            reading.name,
            f"{reading.milliseconds.median:.1f}",
            f"{reading.milliseconds.low:.1f}–{reading.milliseconds.high:.1f}",
            "" if reading.budget is None else f"{reading.budget:g}",
            "" if reading.budget is None else "kept" if reading.kept else "OVER",
        )
        for reading in readings
    ]
    return Table(headers, rows, frozenset(headers[1:4]))


def _points_table(points: Sequence[CostPoint]) -> Table:
    headers = ("subject", "varied", "amount", "untraced s", "traced by untraced")
    rows = [(p.subject, AXES[p.axis], str(p.amount), f"{p.seconds.median:.3f}", str(p.share)) for p in points]
    return Table(headers, rows, frozenset(headers[2:]))
