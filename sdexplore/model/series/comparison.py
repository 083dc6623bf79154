"""`compare`: the same call with one argument taking several values, everything else equal."""

import json
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ...base.errors import RunError, TraceError
from ...trace.collections import CellFolder, Comparison
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..capture.prompts import without_word
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import denoiser
from ..components.scheduler_exchange import exchanged_scheduler
from ..runs.check_call import check
from ..runs.memory_budget import Call, ensure_affordable
from ..runs.progress import Progress
from ..runs.provenance import call_of, described, identity_of
from ..runs.run_pipeline import as_given, one_image, run_locked


@dataclass(frozen=True)
class _Cell:
    """One run of a comparison: its settings, and the call that they make."""

    settings: dict[str, Any]
    scheduler: Any
    arguments: dict[str, Any]


def compare(
    pipe: Any,
    prompt: str | None = None,
    *,
    over: Mapping[str, Sequence[Any]],
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    to: str | Path | None = None,
    **pipeline_arguments: Any,
) -> Comparison:
    """A run for each value of the arguments in `over`, from the same noise unless `over` is over the seed.

    Args:
        over: Argument -> its values. Any argument of the pipeline's call or of `run` ("seed", "prompt", "guide",
            "guide_scale", "prompt_at"); "scheduler" (a name as in `load(scheduler=…)`); or "without": a word of the
            prompt that is left out, None for none. Several arguments make a grid. The pipeline has its own scheduler
            again afterwards.
        on_step: Called with a Progress after each step, which says in which `cell` of how many `cells` it is, and
            with which `settings`; may call its `stop()`.
        to: A folder. Each run is saved in it as soon as it ends. Called again with the same arguments after a crash
            or a stop, runs that are there and whole are not made again. What was asked, the pipeline's
            classes, scheduler, dtype and model source must be the same; weights changed in place are not seen.
            What is a function (a guide, a callback) cannot be told from another, and is refused.

    Raises:
        RunError: `over` is empty, or names an argument that is also given; a run makes more than one image; the folder
            holds another comparison, or `over` has values that cannot be written down; with `to`, an argument
            is a function; all traces together need more memory (with `to`, disk) than is free.
        TokenError: The prompt has no such word.
        Stopped: `on_step` asked to stop; carries the partial Trace of that run.
    """
    return compared(
        lambda: lock_of(pipe),
        pipe,
        prompt,
        over=over,
        seed=seed,
        record=record,
        on_step=on_step,
        to=to,
        **pipeline_arguments,
    )


def compared(
    turn: Callable[[], AbstractContextManager[None]],
    pipe: Any,
    prompt: str | None,
    *,
    over: Mapping[str, Sequence[Any]],
    seed: int,
    record: Record,
    on_step: Callable[[Progress], object] | None,
    to: str | Path | None = None,
    **pipeline_arguments: Any,
) -> Comparison:
    """`compare`, each run within a `turn` of the pipeline's lock."""
    _check(over, {"prompt": prompt, **pipeline_arguments})
    if to is not None:
        _check_no_function({**pipeline_arguments, **over})
    axes = {name: tuple(values) for name, values in over.items()}
    cells = [
        _cell(dict(zip(axes, values, strict=True)), prompt, {"seed": seed, **pipeline_arguments})
        for values in product(*axes.values())
    ]
    for cell in cells:
        check(pipe, cell.arguments, record)
    asked = {"prompt": prompt, "seed": seed, "arguments": pipeline_arguments, "record": record.to_json()}
    folder = (
        None if to is None else CellFolder.opened(to, axes, described({**asked, **identity_of(pipe, denoiser(pipe))}))
    )
    ensure_affordable(pipe, [_call(cell) for cell in cells], record, to)
    traces = []
    for number, cell in enumerate(cells):
        trace = None if folder is None else _finished(folder, number, cell, record)
        if trace is None:
            with turn(), exchanged_scheduler(pipe, cell.scheduler):
                told = _told(on_step, number, len(cells), cell.settings)
                trace = one_image(run_locked(pipe, record=record, on_step=told, **cell.arguments))
            trace = trace if folder is None else folder.keep(number, trace)
        traces.append(trace)
    if folder is not None:
        folder.close(len(cells))
    return Comparison(over=axes, traces=tuple(traces))


def _check(over: Mapping[str, Sequence[Any]], given: Mapping[str, Any]) -> None:
    if not over or any(
        isinstance(values, str) or not isinstance(values, Sized) or not len(values) for values in over.values()
    ):
        raise RunError(f"compare(over={over!r}): name at least one argument and its values, as in {{'seed': [0, 1]}}")
    for name in over:
        if given.get(name) is not None:
            raise RunError(
                f"compare: {name!r} is given as {given[name]!r} and is in over={list(over)!r}; leave one out"
            )


def _check_no_function(given: Mapping[str, Any]) -> None:
    """RunError where an argument is a function, or several: a folder keeps its name only, and would never be stale."""
    for name, value in given.items():
        found = [one for one in (value if isinstance(value, list | tuple) else [value]) if callable(one)]
        if found:
            shown = getattr(found[0], "__qualname__", type(found[0]).__qualname__)
            raise RunError(
                f"compare(to=…): {name}={shown} is a function, of which the folder can keep the name only: changed, it "
                "would get the pictures of before. Leave out to= and save the runs yourself, trace.save(…)"
            )


def _cell(settings: dict[str, Any], prompt: str | None, given: dict[str, Any]) -> _Cell:
    arguments = {"prompt": prompt, **given, **settings}
    scheduler = arguments.pop("scheduler", None)
    if (word := arguments.pop("without", None)) is not None:
        arguments["prompt"] = without_word(arguments["prompt"], word)
    return _Cell(settings, scheduler, arguments)


def _call(cell: _Cell) -> Call:
    return Call(
        cell.arguments["prompt"],
        {name: value for name, value in cell.arguments.items() if name != "prompt"},
        cell.scheduler,
    )


def _told(
    on_step: Callable[[Progress], object] | None, number: int, count: int, settings: Mapping[str, Any]
) -> Callable[[Progress], object] | None:
    """`on_step` with a Progress that knows its cell."""
    if on_step is None:
        return None

    def told(progress: Progress) -> object:
        progress.cell, progress.cells, progress.settings = number, count, dict(settings)
        return on_step(progress)

    return told


def _finished(folder: CellFolder, number: int, cell: _Cell, record: Record) -> Trace | None:
    """The cell's trace from an earlier time, content checked; None where there is none, or it is damaged."""
    try:
        trace = folder.trace(number)
    except TraceError:
        return None
    given = dict(cell.arguments)
    prompt, seed = given.pop("prompt"), given.pop("seed")
    own = {name: given.pop(name) for name in ("guide", "guide_scale", "prompt_at") if name in given}
    expected = call_of("run", prompt, seed, record, as_given(given, **own))
    return trace if trace.call == json.loads(json.dumps(expected)) else None  # a file knows no tuples
