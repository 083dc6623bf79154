"""Runs that a dashboard asks for: they wait for their turn, can be given up, and print no progress bar of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...trace.collections import Comparison, Traces
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..compiled.denoiser import telling
from ..components.pipeline_lock import lock_of
from ..components.scheduler_exchange import exchanged_scheduler
from ..runs.check_call import check
from ..runs.progress import Progress
from ..runs.run_pipeline import run_locked
from .comparison import compared


def run_unless(  # noqa: PLR0913  (those of `run`, and what a dashboard wants to hear)
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
    """`run` that is given up once `cancelled` says so, while it waits for its turn or after any step.

    Args:
        cancelled: Asked while waiting, and after each step.
        scheduler: A name as in `load(scheduler=…)`, for this run alone; None: the pipeline's own.
        begun: Called when its turn has come.
        told: Gets what a compiled run says aloud (`compile_denoiser`).

    Raises:
        Stopped: It was given up; carries what was recorded, or None.
    """
    check(pipe, {"seed": seed, **pipeline_arguments}, record)
    heard = _stopping(cancelled, on_step)
    with _turn(cancelled, pipe, begun), exchanged_scheduler(pipe, scheduler), telling(told):
        return run_locked(pipe, prompt, seed=seed, record=record, on_step=heard, **pipeline_arguments)


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
    **pipeline_arguments: Any,
) -> Comparison:
    """`compare` that is given up once `cancelled` says so, while a run of it waits for its turn or after any step.

    Args:
        cancelled, told: As `run_unless` takes them.
        begun: Called whenever a run's turn has come.

    Raises:
        Stopped: It was given up; carries what was recorded of the run under way, or None.
    """
    heard = _stopping(cancelled, on_step)
    arguments = {"over": over, "seed": seed, "record": record, "on_step": heard, **pipeline_arguments}
    with telling(told):
        return compared(lambda: _turn(cancelled, pipe, begun), pipe, prompt, **arguments)


def _stopping(
    cancelled: Callable[[], bool], on_step: Callable[[Progress], object] | None
) -> Callable[[Progress], object]:
    def after_step(progress: Progress) -> None:
        if cancelled():
            progress.stop()
        elif on_step is not None:
            on_step(progress)

    return after_step


@contextmanager
def _turn(cancelled: Callable[[], bool], pipe: Any, begun: Callable[[], object]) -> Iterator[None]:
    """A turn of the pipeline's lock, without its progress bar."""
    with lock_of(pipe).turn(cancelled), quiet(pipe):
        begun()
        yield


@contextmanager
def quiet(pipe: Any) -> Iterator[None]:
    """The pipeline without its own progress bar, which a thread would print somewhere; its setting comes back."""
    own = getattr(pipe, "_progress_bar_config", None)
    pipe.set_progress_bar_config(**{**(own or {}), "disable": True})
    try:
        yield
    finally:
        if own is None:
            del pipe._progress_bar_config  # noqa: SLF001  (where diffusers keeps it)
        else:
            pipe._progress_bar_config = own  # noqa: SLF001
