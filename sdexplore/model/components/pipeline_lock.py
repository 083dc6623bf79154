"""One lock a pipeline: runs queue, first come, first served."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ...base.errors import RunError, Stopped
from .pipeline_parts import denoiser

_LOCKS: WeakKeyDictionary[torch.nn.Module, "PipelineLock"] = WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()
_LOOK_AGAIN = 0.05  # seconds after which a waiting run looks whether it is still wanted


class PipelineLock:
    """Queues runs of one denoiser in the order in which they came.

    A run from within its own run is refused instead of waiting for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[int] = deque()  # threads; the first one runs

    def __enter__(self) -> None:
        self._wait(lambda: False)

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()

    @contextmanager
    def turn(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """The lock, for a run that may be given up while it waits: then Stopped is raised, and nothing was run."""
        self._wait(cancelled)
        try:
            yield
        finally:
            self.__exit__()

    def _wait(self, cancelled: Callable[[], bool]) -> None:
        me = threading.get_ident()
        with self._changed:
            if me in self._queue:
                raise RunError(
                    "this pipeline is in the middle of a run of this very thread: start the next when it ends"
                )
            self._queue.append(me)
            try:
                while self._queue[0] != me:
                    _go_on_unless(cancelled)
                    self._changed.wait(_LOOK_AGAIN)
            except BaseException:  # Ctrl-C too: who no longer waits must not hold up the others
                self._queue.remove(me)
                self._changed.notify_all()
                raise


def _go_on_unless(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Stopped("stopped while it waited for another run of this pipeline; nothing was run")


def lock_of(pipe: Any) -> PipelineLock:
    """The one lock of the pipeline; pipelines that share a denoiser share it."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(denoiser(pipe), PipelineLock())
