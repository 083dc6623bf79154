"""Runs that a dashboard asks for: they wait for their turn, can be given up, and print no progress bar of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...trace.collections import Comparison, Traces
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..runs.call import Call
from ..runs.progress import Progress
from ..runs.session import Background, session
from .comparison import Made, compared


def run_unless(  # noqa: PLR0913  (those of `run`, and what a dashboard listens to)
    cancelled: Callable[[], bool],
    pipe: Any,
    prompt: str | None = None,
    *,
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    scheduler: str | None = None,
    begun: Callable[[], object] = lambda: None,
    told: Callable[[str], object] = print,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """`run` that ends as soon as `cancelled` says so: while it waits for its turn, or after any step.

    Args:
        cancelled: Asked while the run waits, and after each step.
        scheduler: A name as in `load(scheduler=…)`, for this run alone; None: the pipeline's own.
        begun: Called when the turn has come.
        told: Gets what a compiled run says aloud (`compile_denoiser`).

    Raises:
        Stopped: The run was cancelled. Its trace holds what was recorded, or is None.
    """
    call = Call.of(prompt, pipeline_arguments, seed=seed, record=record, on_step=on_step, scheduler=scheduler)
    with session(pipe, call, function="run", background=Background(cancelled, begun, told)) as running:
        return running.run(call)


def run_with(
    scheduler: str,
    pipe: Any,
    prompt: str | None = None,
    *,
    seed: int = 0,
    record: Record = USUAL,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """`run` with another scheduler, for this run alone: a name as in `load(scheduler=…)`.

    Raises:
        LoadError: No scheduler has that name.
        RunError: As `run`.
    """
    call = Call.of(prompt, pipeline_arguments, seed=seed, record=record, scheduler=scheduler)
    with session(pipe, call, function="run") as running:
        return running.run(call)


def compare_unless(  # noqa: PLR0913  (as above)
    cancelled: Callable[[], bool],
    pipe: Any,
    prompt: str | None = None,
    *,
    over: Mapping[str, Sequence[Any]],
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    begun: Callable[[], object] = lambda: None,
    told: Callable[[str], object] = print,
    made: Made = lambda *_: None,
    **pipeline_arguments: Any,
) -> Comparison:
    """`compare` that ends as soon as `cancelled` says so: while one of its runs waits for its turn, or after any step.

    Args:
        cancelled: As `run_unless` takes it.
        begun: Called whenever the turn of a run has come.
        told: As `run_unless` takes it.
        made: Called after each run with its trace, its settings, and how many runs there are.

    Raises:
        Stopped: It was cancelled. Its trace holds what was recorded of the current run, or is None.
    """
    arguments = {"over": over, "seed": seed, "record": record, "on_step": on_step, "made": made, **pipeline_arguments}
    return compared(Background(cancelled, begun, told), pipe, prompt, **arguments)
