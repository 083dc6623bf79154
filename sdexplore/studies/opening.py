"""A row's run made again, and compared with the row."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..base.display import clip
from ..base.errors import RunError, TraceError
from ..trace.record import Record
from ..trace.trace import Trace
from .library import MEASURES
from .making import CannotLoadError, Source, loaded, run_of, told_source
from .manifest import Manifest
from .measure import Measure, OfRun
from .planned import ABOUT
from .values import columns_of

_SUMMARIES: Final = ("array", "image", "tensor", "scheduler", "function")
_FUNCTION: Final = r"[^\W\d][\w.]*:[^\W\d][\w.]*"  # "module:name"
_ROUNDING: Final = 1e-3  # of a measure: how far batches, threads and versions move it; other runs differ by far more


@dataclass(frozen=True, eq=False)
class Again:
    """All that one run of a study is made and measured with.

    Attributes:
        measures: (measure, what its columns begin with), those that are known.
    """

    source: Source
    load: Mapping[str, Any]
    record: Record
    measures: Sequence[tuple[Measure, str]]
    arguments: Mapping[str, Any]
    seed: int
    about: Mapping[str, Any]

    @classmethod
    def of_row(cls, manifest: Manifest, told: Mapping[str, Any]) -> "Again":
        """As a study's folder tells it.

        Args:
            told: The run as the row's column `call` has it.

        Raises:
            RunError: The row has no more than the hash of an argument; the source is a function, which a folder from
                elsewhere must not call by its name; the folder asks to load pickles.
        """
        if manifest.load.get("allow_pickle"):
            raise RunError(
                "study.open: this study loads its source with allow_pickle=True, and a pickle can run code: open the "
                "row by a Study that you make with load={'allow_pickle': True}, if you trust the source"
            )
        arguments = {name: restored(name, value) for name, value in told["arguments"].items()}
        if re.fullmatch(_FUNCTION, manifest.source):
            raise RunError(
                f"study.open: this study's source is the function {manifest.source}, and a folder calls no function: "
                "open the row by the Study that has the function, or keep the traces"
            )
        return cls(
            manifest.source,
            manifest.load,
            Record.from_json(manifest.record),
            _measures(manifest),
            arguments,
            told["seed"],
            told.get(ABOUT, {}),
        )

    def compared_with(
        self,
        row: Mapping[str, Any],
        *,
        check: bool,
        told: Callable[[str], object],
        on_step: Callable[[Any], object] | None,
        begun: Callable[[str], object],
        cancelled: Callable[[], bool],
    ) -> Trace:
        """The run, made again in this process. The arguments are those of `StudyTable.open_told`.

        Raises:
            TraceError: It comes out otherwise than in the row, by more than rounding; the source cannot be loaded.
            Stopped: It was cancelled.
        """
        begun(f"loading {clip(told_source(self.source), 60)}")
        try:
            pipe = loaded(self.source, self.load)
        except CannotLoadError as error:
            raise TraceError(f"study.open: the source cannot be loaded here: {error}") from error
        begun("making the run again")
        trace = run_of(pipe, self.arguments, self.seed, self.record, cancelled, on_step)
        if trace.fingerprint == row.get("fingerprint") or not check:
            return trace
        apart, identity = self._apart(trace, row, pipe), str(row["identity"])[:8]
        if not apart:
            was = row.get("fingerprint")
            raise TraceError(
                f"study.open: run {identity} comes out as trace {trace.fingerprint} and was {was}, and no measure "
                "tells how far they are apart; check=False hands it out"
            )
        name, then, now = max(apart, key=lambda one: _far(one[1], one[2]))
        said = f"run {identity} is not the same to the bit: {name} was {then:.9g} and is {now:.9g}"
        if _far(then, now) > _ROUNDING:
            raise TraceError(f"study.open: {said}; check=False hands it out")
        told(f"study.open: {said}, which is the most that a measure differs")
        return trace

    def _apart(self, trace: Trace, row: Mapping[str, Any], pipe: Any) -> list[tuple[str, float, float]]:  # noqa: ANN401
        """(column, then, now) of every number that is measured again."""
        given = {**self.arguments, "seed": self.seed, ABOUT: self.about}
        found = []
        for measure, prefix in self.measures:
            for name, now in columns_of(prefix, measure.of(trace, given, pipe))[0].items():
                then = row.get(name)
                if isinstance(now, float) and isinstance(then, float) and np.isfinite(then):
                    found.append((name, then, now))
        return found


def _far(then: float, now: float) -> float:
    return abs(now - then) / max(abs(then), abs(now), 1e-12)


def _measures(manifest: Manifest) -> list[tuple[Measure, str]]:
    """The measures of a folder that have a name in the library."""
    found = []
    for key, prefix in manifest.measures.items():
        name, _, arguments = json.loads(key)
        if name in MEASURES:
            again = {argument: restored(argument, value) for argument, value in arguments.items()}
            found.append((Measure(MEASURES[name].function, name, arguments=again), prefix))
    return found


def restored(name: str, value: Any) -> Any:  # noqa: ANN401  (JSON)
    """An argument from its plain JSON.

    Raises:
        RunError: It is a hash.
    """
    if isinstance(value, list):
        return [restored(name, one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if kind := next((key for key in _SUMMARIES if value.keys() == {key}), None):
        raise RunError(
            f"study.open: the argument {name!r} was a {kind}, and the row has no more than its name or hash, "
            f"{clip(str(value[kind]), 80)}: open the row by the Study that has the runs, or keep the traces"
        )
    match dict(value):
        case {"slice": [start, stop, step]}:
            return slice(start, stop, step)
        case {"of_run": of_run}:
            return OfRun(str(of_run))
        case {"pairs": pairs}:
            return {key: restored(name, one) for key, one in pairs}
    return {key: restored(name, one) for key, one in value.items()}
