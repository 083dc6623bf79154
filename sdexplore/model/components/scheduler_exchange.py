"""Replaces a pipeline's scheduler for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..schedulers.names import scheduler_from_name


@contextmanager
def exchanged_scheduler(pipe: Any, scheduler: Any | None) -> Iterator[None]:
    """In the block, the pipeline has another scheduler, given by name or as an object; then its own is restored."""
    if scheduler is None:
        yield
        return
    own = pipe.scheduler
    pipe.scheduler = scheduler_from_name(pipe, scheduler) if isinstance(scheduler, str) else scheduler
    try:
        yield
    finally:
        pipe.scheduler = own
