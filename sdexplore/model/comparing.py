"""`compare`: the same call with one argument taking several values, everything else equal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from ..errors import RunError
from ..record import USUAL, Record
from ..trace import Trace
from ..traces import Comparison
from .loading import scheduler_from_name
from .locking import lock_of
from .running import Progress, check, run_locked


def compare(
    pipe: Any,
    prompt: str | None = None,
    *,
    over: Mapping[str, Sequence[Any]],
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    **pipeline_arguments: Any,
) -> Comparison:
    """A run for each value of the arguments in `over`, from the same noise unless `over` is over the seed.

    Args:
        over: Argument -> its values. Any argument of the pipeline's call, and "seed", "prompt" or "scheduler"
            (a name as in `load(scheduler=…)`); the pipeline has its own scheduler again afterwards. Several
            arguments make a grid.

    Raises:
        RunError: `over` is empty, or names an argument that is also given; a run makes more than one image.
    """
    given = {"prompt": prompt, **pipeline_arguments}
    if not over or any(isinstance(values, str) or not len(values) for values in over.values()):
        raise RunError(f"compare(over={over!r}): name at least one argument and its values, as in {{'seed': [0, 1]}}")
    for name in over:
        if given.get(name) is not None:
            raise RunError(
                f"compare: {name!r} is given as {given[name]!r} and is in over={list(over)!r}; leave one out"
            )
    axes = {name: tuple(values) for name, values in over.items()}
    traces = []
    for values in product(*axes.values()):
        cell = dict(zip(axes, values, strict=True))
        scheduler = cell.pop("scheduler", None)
        arguments = {"prompt": prompt, "seed": seed, **pipeline_arguments, **cell}
        check(pipe, arguments)
        with lock_of(pipe), exchanged_scheduler(pipe, scheduler):
            traces.append(_one(run_locked(pipe, record=record, on_step=on_step, **arguments)))
    return Comparison(over=axes, traces=tuple(traces))


def _one(trace: Any) -> Trace:
    if isinstance(trace, Trace):
        return trace
    raise RunError(
        f"compare: each run must make one image; this one made {len(trace)}. Compare over 'seed' or 'prompt'"
    )


@contextmanager
def exchanged_scheduler(pipe: Any, scheduler: Any | None) -> Iterator[None]:
    """The pipeline with another scheduler, by name or as an object; its own is back when the block ends."""
    if scheduler is None:
        yield
        return
    own = pipe.scheduler
    pipe.scheduler = scheduler_from_name(pipe, scheduler) if isinstance(scheduler, str) else scheduler
    try:
        yield
    finally:
        pipe.scheduler = own
