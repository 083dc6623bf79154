"""`compare`: one call several times, with other values of one argument, or of a few, and all else equal."""

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from ...base import json_text
from ...base.errors import RunError, TraceError
from ...trace.collections import CellFolder, Comparison
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..capture.prompts import without_word
from ..components.pipeline_parts import denoiser
from ..runs.call import Call
from ..runs.check_call import check
from ..runs.conditions import conditions_of, foreign_code, under
from ..runs.memory_budget import ensure_affordable
from ..runs.observed_call import settled
from ..runs.progress import Progress
from ..runs.provenance import described, identity_of
from ..runs.seeds import check_noises
from ..runs.session import Background, session

Made: TypeAlias = Callable[[Trace, Mapping[str, Any], int], object]
_MOST = 10_000  # runs, each of which takes seconds and a Trace


@dataclass(frozen=True)
class _Cell:
    """One run of a comparison: its settings, and the call that they make."""

    settings: dict[str, Any]
    call: Call


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
    """A run for each value of the arguments in `over`, from the same noise unless `over` names the seed.

    Args:
        over: Argument -> its values. Any argument of the pipeline's call or of `run` ("seed", "prompt", "guide",
            "guide_scale", "prompt_at", "change"); "scheduler" (a name as in `load(scheduler=…)`); or "without": a
            word of the prompt that is left out; None leaves none out. Several arguments make a grid. The pipeline's own
            scheduler is restored afterwards.
        on_step: A function that is called with a Progress after each step. The Progress says which run it is (`cell` of
            `cells`) and its `settings`; the function may call its `stop()`.
        to: A folder. Each run is saved in it as soon as it ends. The same call after a crash or a stop does not make
            runs again that are there and whole, in another process too. The arguments, the pipeline's classes,
            scheduler, dtype, model source, adapters with their strengths, FreeU and merged tokens must then be the
            same; a change of the weights in place is not noticed. A function (a guide, a callback, a forward hook of
            somebody else's) is refused, since a file cannot tell it from another.

    Raises:
        RunError: `over` is empty, or names an argument that is also given; two of its seeds draw the same picture; it
            makes more than 10,000 runs; a run makes more than one image; the folder
            holds another comparison, or `over` has values that cannot be written down; with `to`, an argument
            is a function; all traces together need more memory (with `to`, disk) than is free.
        LoadError: No scheduler has the name that is given.
        TokenError: The prompt has no such word.
        Stopped: `on_step` called `stop()`; the error holds the partial Trace of that run.
    """
    return compared(
        None,
        pipe,
        prompt,
        over=over,
        seed=seed,
        record=record,
        on_step=on_step,
        to=to,
        **pipeline_arguments,
    )


def compared(  # noqa: PLR0913  (those of `compare`, and what a dashboard listens to)
    background: Background | None,
    pipe: Any,
    prompt: str | None,
    *,
    over: Mapping[str, Sequence[Any]],
    seed: int,
    record: Record,
    on_step: Callable[[Progress], object] | None,
    to: str | Path | None = None,
    made: Made = lambda *_: None,
    **pipeline_arguments: Any,
) -> Comparison:
    """`compare`, where a background may run it. Each run has a turn at the pipeline of its own.

    Args:
        made: Called after each run with its trace, its settings, and how many runs there are.
    """
    _check(over, {"prompt": prompt, **pipeline_arguments})
    if to is not None:
        _check_no_function({**pipeline_arguments, **over})
    axes = {name: tuple(values) for name, values in over.items()}
    cells = [
        _cell(
            dict(zip(axes, values, strict=True)), {"prompt": prompt, "seed": seed, **pipeline_arguments}, record, pipe
        )
        for values in product(*axes.values())
    ]
    for cell in cells:
        check(pipe, cell.call, "compare", one_image=True)
    asked = {"prompt": prompt, "seed": seed, "arguments": pipeline_arguments, "record": record.to_json()}
    conditions: dict[str, Any] = {}
    folder = None
    if to is not None:
        conditions = _conditions(pipe)
        made_with = described({**asked, **identity_of(pipe, denoiser(pipe))}) | conditions
        folder = CellFolder.opened(to, axes, made_with)
    ensure_affordable(pipe, [cell.call for cell in cells], "compare", to)
    traces = []
    for number, cell in enumerate(cells):
        trace = None if folder is None else _finished(folder, number, settled(pipe, cell.call, "compare"), conditions)
        if trace is None:
            with session(pipe, function="compare", background=background) as running:
                followed = _followed(on_step, number, len(cells), cell.settings)
                trace = running.run_one(replace(cell.call, on_step=followed))
            trace = trace if folder is None else folder.keep(number, trace)
        traces.append(trace)
        made(trace, cell.settings, len(cells))
    if folder is not None:
        folder.close(len(cells))
    return Comparison(over=axes, traces=tuple(traces))


def _check(over: Mapping[str, Sequence[Any]], given: Mapping[str, Any]) -> None:
    if not over or any(
        isinstance(values, str) or not isinstance(values, Sized) or not len(values) for values in over.values()
    ):
        raise RunError(f"compare(over={over!r}): name at least one argument and its values, as in {{'seed': [0, 1]}}")
    if (count := prod(map(len, over.values()))) > _MOST:
        raise RunError(f"compare(over=…): {count:,} runs are too many, {_MOST:,} at most; give fewer values")
    check_noises(over.get("seed", ()), "compare")
    for name in over:
        if given.get(name) is not None:
            raise RunError(
                f"compare: {name!r} is given as {given[name]!r} and is in over={list(over)!r}; leave one out"
            )


def _check_no_function(given: Mapping[str, Any]) -> None:
    """RunError where an argument is a function: a folder keeps its name only, and cannot notice another function."""
    for name, value in given.items():
        found = [one for one in (value if isinstance(value, list | tuple) else [value]) if callable(one)]
        if found:
            shown = getattr(found[0], "__qualname__", type(found[0]).__qualname__)
            raise RunError(
                f"compare(to=…): {name}={shown} is a function, of which the folder can keep the name only, so that a "
                "changed function would get the old pictures. Leave out to= and save the runs yourself, trace.save(…)"
            )


def _cell(settings: dict[str, Any], given: dict[str, Any], record: Record, pipe: Any) -> _Cell:
    arguments = {**given, **settings}
    prompt, seed, scheduler = arguments.pop("prompt"), arguments.pop("seed"), arguments.pop("scheduler", None)
    if (word := arguments.pop("without", None)) is not None:
        prompt = without_word(pipe, prompt, word)
    return _Cell(settings, Call.of(prompt, arguments, seed=seed, record=record, scheduler=scheduler))


def _followed(
    on_step: Callable[[Progress], object] | None, number: int, count: int, settings: Mapping[str, Any]
) -> Callable[[Progress], object] | None:
    """`on_step` with a Progress that knows its cell."""
    if on_step is None:
        return None

    def followed(progress: Progress) -> object:
        progress.cell, progress.cells, progress.settings = number, count, dict(settings)
        return on_step(progress)

    return followed


def _conditions(pipe: Any) -> dict[str, Any]:
    """What the runs are under that no argument carries; hooks are refused, since a file keeps their places only."""
    code = next(iter(foreign_code(pipe)), None)
    if code is not None:
        raise RunError(
            f"compare(to=…): {code.module} has a {code.kind} of {code.home}'s, of which the folder can keep the place "
            "only, so that another one would get the old pictures. Remove it, or leave out to= and save the runs "
            "yourself, trace.save(…)"
        )
    return under(conditions_of(pipe))


def _finished(folder: CellFolder, number: int, call: Call, conditions: Mapping[str, Any]) -> Trace | None:
    """The cell's trace that an earlier comparison saved, its content checked; None where it must be made again.

    Args:
        conditions: What the runs are under now. A trace that tells nothing of that is older, and is taken.
    """
    try:
        trace = folder.trace(number)
    except TraceError:
        return None
    then = under(trace.provenance)
    told = trace.provenance.keys() & {"foreign", "adapters"}
    if told and then != conditions:
        return None
    same = json_text.dumps(trace.call) == json_text.dumps(call.facts())  # a file knows no tuples; NaN equals itself
    return trace if same else None
