"""One lock for each pipeline: runs queue in the order in which they came."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ...base.errors import InspectionError, RunError, Stopped
from .pipeline_parts import denoiser, parts

_LOCKS: WeakKeyDictionary[torch.nn.Module, "PipelineLock"] = WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()
_LOOK_AGAIN = 0.05  # seconds between two checks of whether a waiting run is still wanted


class PipelineLock:
    """Queues runs of one denoiser in the order in which they came.

    A run that is started from within its own run is refused, since it would wait for ever.
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
        """The lock, for a run that may be cancelled while it waits: Stopped is then raised, and nothing was run."""
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
                    "run: this pipeline is in the middle of a run of this thread: start the next one when it ends"
                )
            self._queue.append(me)
            try:
                while self._queue[0] != me:
                    _go_on_unless(cancelled)
                    self._changed.wait(_LOOK_AGAIN)
            except BaseException:  # Ctrl-C too: a run that no longer waits must not hold up the others
                self._queue.remove(me)
                self._changed.notify_all()
                raise


def _go_on_unless(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Stopped("run: stopped while it waited for another run of this pipeline; nothing was run")


def lock_of(pipe: Any) -> PipelineLock:
    """The lock of the pipeline; pipelines that share a denoiser share it.

    Where there is no denoiser of a known family, another network takes its place: encoders and autoencoders are asked
    too where nothing can be run.

    Raises:
        InspectionError: `pipe` is no diffusers pipeline, or holds no network.
    """
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(_held(pipe), PipelineLock())


def _held(pipe: Any) -> torch.nn.Module:
    try:
        return denoiser(pipe)
    except InspectionError:
        networks = {name: one for name, one in parts(pipe).items() if isinstance(one, torch.nn.Module)}
        if not networks:
            raise
        return networks.get("transformer") or next(iter(networks.values()))
