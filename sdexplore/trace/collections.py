"""Several traces that belong together: the images of one call, and the cells of a comparison."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, overload

from ..base import json_text
from ..base.atomic_files import named
from ..base.display import Block, Line, Shown, Table, Thumbnails, clip, counted, short
from ..base.errors import RunError, TraceError
from ..base.os_errors import told
from . import folder as folder_of_traces
from .description import thumbnail_of
from .file import INDEX, kind_of_folder
from .folder import PLAN, SCHEMA, file_of, write_index, write_json
from .provenance import DEFAULTS
from .trace import Trace

_MOST_SHOWN = 12


class Traces(Sequence[Trace], Shown):
    """The traces of one call that made several images, in the pipeline's order."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = tuple(traces)

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> "Traces": ...
    def __getitem__(self, index: int | slice) -> "Trace | Traces":
        """The trace at `index`, or a slice of the sequence."""
        return Traces(self._traces[index]) if isinstance(index, slice) else self._traces[index]

    def __len__(self) -> int:
        return len(self._traces)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels as its traces."""
        return type(self), (self._traces,)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (never returns)
        if name in Trace.__dataclass_fields__ or hasattr(Trace, name):
            raise AttributeError(f"{len(self)} traces together have no {name!r}; take one of them: traces[0]")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def save(self, folder: str | Path, *, decode: bool = True) -> Path:
        """Writes one file a trace and an index into `folder`; returns it.

        Args:
            decode: As `Trace.save` takes it.
        """
        path = folder_of_traces.save(named(folder, TraceError), {"kind": "traces"}, self._traces, decode=decode)
        (path / PLAN).unlink(missing_ok=True)  # of a comparison, which `compare(to=…)` made there
        return path

    @classmethod
    def load(cls, folder: str | Path) -> "Traces":
        """The traces saved in `folder`, read lazily; TraceError if it holds none."""
        _, traces = folder_of_traces.load(named(folder, TraceError), "traces")
        return cls(traces)

    def blocks(self) -> list[Block]:
        """What the repr shows: the first twelve pictures, small, and one row a trace."""
        rows = [
            (str(i), trace.fingerprint, clip(trace.prompt or "", 60), str(trace.num_steps))
            for i, trace in enumerate(self._traces)
        ]
        table = Table(("image", "trace", "prompt", "steps"), rows, frozenset({"image", "steps"}))
        heading = Line(f"Traces: {counted(len(self), 'image')} of one call", strong=True)
        shown = [one for trace in self._traces[:_MOST_SHOWN] if (one := thumbnail_of(trace)) is not None]
        return [heading, *([Thumbnails(shown)] if shown else []), table]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Traces on a grid: the same call with each value of one argument, or of several.

    Attributes:
        over: Argument -> its values; the grid's axes, the first the slowest.
        traces: One a cell, last axis fastest.
    """

    over: Mapping[str, tuple[Any, ...]]
    traces: tuple[Trace, ...]

    def __post_init__(self) -> None:
        cells = prod(map(len, self.over.values()))  # counted, not made: an index may name 10^12 of them
        if not self.over or not cells:
            raise TraceError(f"a comparison over {dict(self.over)!r} has no cells: name an argument and its values")
        if cells != len(self.traces):
            raise TraceError(f"a comparison over {dict(self.over)!r} has {cells} cells, not {len(self.traces)} traces")

    def __len__(self) -> int:
        return len(self.traces)

    def __iter__(self) -> Iterator[Trace]:
        return iter(self.traces)

    def settings(self) -> Iterator[dict[str, Any]]:
        """The values of each cell's arguments, in the order of `traces`."""
        cells: list[dict[str, Any]] = [{}]
        for name, values in self.over.items():
            cells = [{**cell, name: value} for cell in cells for value in values]
        yield from cells

    def at(self, **settings: Any) -> Trace:  # noqa: ANN401  (any call argument)
        """The trace of the cell with these settings, for example `at(guidance_scale=7.5)`.

        Raises:
            TraceError: No cell, or more than one, has them.
        """
        hits = [
            trace
            for cell, trace in zip(self.settings(), self.traces, strict=True)
            if all(name in cell and cell[name] == value for name, value in settings.items())
        ]
        if len(hits) != 1:
            raise TraceError(f"{len(hits)} cells have {settings!r}; the comparison is over {dict(self.over)!r}")
        return hits[0]

    def save(self, folder: str | Path, *, decode: bool = True) -> Path:
        """Writes one file a cell and an index into `folder`; returns it.

        Args:
            decode: As `Trace.save` takes it.

        Raises:
            TraceError: A value of `over` cannot be written as JSON.
        """
        try:
            axes = {name: list(values) for name, values in self.over.items()}
            over = json.loads(json_text.dumps(axes, default=_as_json))
        except (TypeError, ValueError, RecursionError) as error:
            raise TraceError(f"cannot save a comparison over {list(self.over)}: {error}") from error
        kind = {"kind": "comparison", "over": over}
        path = folder_of_traces.save(named(folder, TraceError), kind, self.traces, decode=decode)
        (path / PLAN).unlink(missing_ok=True)  # of another comparison, which `compare(to=…)` made there
        return path

    @classmethod
    def load(cls, folder: str | Path) -> "Comparison":
        """The comparison saved in `folder`, read lazily; TraceError if it holds none."""
        index, traces = folder_of_traces.load(named(folder, TraceError), "comparison")
        over = json_text.restored(index.get("over"))
        if not isinstance(over, dict) or not all(isinstance(values, list) for values in over.values()):
            raise TraceError(
                f"{INDEX} of {Path(folder).name!r} is damaged: it does not say which arguments the comparison is over"
            )
        return cls(over={name: tuple(values) for name, values in over.items()}, traces=tuple(traces))

    def blocks(self) -> list[Block]:
        """What the repr shows: one row a cell."""
        names = list(self.over)
        rows = [
            (*(clip(short(cell[name]), 60) for name in names), trace.fingerprint, str(trace.num_steps))
            for cell, trace in zip(self.settings(), self.traces, strict=True)
        ]
        made = self.traces[0].call.get("conditioning", {})
        prompts = {trace.prompt or "" for trace in self.traces}
        ends = [made["prompt"], made["other"]] if "other" in made else list(prompts) * (len(prompts) == 1)
        subject = f" of {' to '.join(repr(clip(prompt, 80)) for prompt in ends)}" if ends else ""
        title = f"Comparison over {', '.join(names)}: {counted(len(self), 'run')}{subject}"
        return [Line(title, strong=True), Table((*names, "trace", "steps"), rows, frozenset({"steps"}))]


def opened(path: str | Path) -> "Trace | Traces | Comparison":
    """The Trace, Traces or Comparison that is saved at `path`; TraceError if there is nothing."""
    path = named(path, TraceError)
    match kind_of_folder(path):
        case "traces":
            return Traces.load(path)
        case "comparison":
            return Comparison.load(path)
        case _:
            return Trace.load(path)


@dataclass(frozen=True)
class CellFolder:
    """A folder that a comparison fills run by run: first the plan, then a file a cell, at the end the index.

    Attributes:
        path: The folder.
        over: The comparison's axes, as JSON.
    """

    path: Path
    over: dict[str, list[Any]]

    @classmethod
    def opened(cls, path: str | Path, over: Mapping[str, Sequence[Any]], asked: Mapping[str, Any]) -> "CellFolder":
        """The folder at `path`, new or of this very comparison.

        Raises:
            RunError: It holds another comparison, or other files; a value of `over` cannot be written as JSON.
        """
        path = named(path, RunError)
        try:
            axes = json.loads(json_text.dumps({name: list(values) for name, values in over.items()}, default=_as_json))
            plan = json.loads(json_text.dumps({"schema": SCHEMA, "kind": "plan", **asked})) | {"over": axes}
        except (TypeError, ValueError, RecursionError) as error:
            raise RunError(f"compare(to=…): over {list(over)} cannot be written down: {error}; give names") from error
        if (path / PLAN).exists():
            known = _in_order(_read_plan(path))
            plan = _in_order(plan)
            if changed := [name for name in {**plan, **known} if plan.get(name) != known.get(name)]:
                raise RunError(
                    f"compare(to={path.name!r}): the folder holds another comparison, with other {', '.join(changed)}; "
                    "give another folder, or the same arguments to go on"
                )
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"compare(to={path.name!r}): there is something else already; name a new folder")
        else:
            with told(RunError, f"compare(to={str(path)!r}): cannot write there"):
                path.mkdir(parents=True, exist_ok=True)
                write_json(path / PLAN, plan)
        return cls(path, axes)

    def trace(self, number: int) -> Trace:
        """The trace of a finished cell, its content checked; TraceError where it is missing or damaged."""
        trace = Trace.load(self.path / file_of(number))
        trace.check()
        return trace

    def keep(self, number: int, trace: Trace) -> Trace:
        """Writes the trace of a cell; returns it as read from its file, lazily."""
        kept = Trace.load(trace.save(self.path / file_of(number)))
        if (decoder := trace.decoding.decoder) is not None:
            kept.decoded_by(decoder, ())
        return kept

    def close(self, count: int) -> None:
        """Writes the index: the folder is a Comparison now."""
        files = [file_of(number) for number in range(count)]
        write_index(self.path, {"kind": "comparison", "over": self.over}, files)


def _as_json(value: Any) -> Any:  # noqa: ANN401  (of an axis)
    """The JSON of a value that tells it itself, as a change does."""
    if hasattr(value, "to_json"):
        return value.to_json()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _in_order(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan whose scheduler's list of defaults, which diffusers makes from a set, does not depend on the process."""
    scheduler = plan.get("scheduler")
    config = scheduler.get("config") if isinstance(scheduler, dict) else None
    defaults = config.get(DEFAULTS) if isinstance(config, dict) else None
    if not isinstance(scheduler, dict) or not isinstance(config, dict) or not isinstance(defaults, list):
        return plan
    return {**plan, "scheduler": {**scheduler, "config": {**config, DEFAULTS: sorted(map(str, defaults))}}}


def _read_plan(folder: Path) -> dict[str, Any]:
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{PLAN} of {folder.name!r} cannot be read: {error}; give another folder") from error
    if not isinstance(plan, dict):
        raise RunError(f"{PLAN} of {folder.name!r} is damaged; give another folder")
    return plan
