"""Work off the main thread, so that the notebook does not freeze: the newest job wins, results go back in order.

A widget's own callback runs on the kernel's main thread. A long callback would keep cells waiting, and the press of a
Stop button would arrive only after its end (jupyterlab 19719, ipykernel 7).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from .language import as_now

Cancelled: TypeAlias = Callable[[], bool]
Job: TypeAlias = Callable[[Cancelled], object]


class Worker:
    """One thread for jobs. A new job asks the running one to stop, and replaces the one that waits.

    Args:
        name: The thread's.
    """

    def __init__(self, name: str = "sdexplore") -> None:
        self._name = name
        self._changed = threading.Condition()
        self._job: tuple[int, Job] | None = None
        self._newest = 0
        self._thread: threading.Thread | None = None
        self._running = False
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._running or self._job is not None

    @property
    def waiting(self) -> bool:
        """Whether a newer job waits for the one that runs to stop."""
        with self._changed:
            return self._job is not None

    def submit(self, job: Job) -> None:
        """Runs `job` when the job before it has stopped.

        Args:
            job: Gets a function that returns True once the job should stop; it calls that often.
        """
        with self._changed:
            if self._closed:
                return
            self._newest += 1
            self._job = (self._newest, as_now(job))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name=self._name)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> bool:
        """Asks the running job to stop, and drops the waiting one; returns whether one runs."""
        with self._changed:
            self._newest += 1
            self._job = None
            self._changed.notify_all()
            return self._running

    def wait(self, seconds: float | None = None) -> bool:
        """Returns when no job runs or waits; False if that took longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running and self._job is None, seconds)

    def close(self) -> None:
        """Stops as `stop` does; the thread ends with its job."""
        with self._changed:
            self._closed = True
        self.stop()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None or self._closed)
                if self._job is None:
                    return
                (number, job), self._job = self._job, None
                self._running = True
            try:
                job(lambda number=number: number != self._newest)  # type: ignore[misc]  # bound now
            finally:
                del job  # else the waiting thread would keep the last picture alive
                with self._changed:
                    self._running = False
                    self._changed.notify_all()


class MainThread:
    """Hands calls to the thread in which it was made; if that has no event loop, they wait for `flush`."""

    def __init__(self) -> None:
        self._own = threading.get_ident()
        self._calls: deque[Callable[[], object]] = deque()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def call(self, function: Callable[[], object]) -> None:
        """Calls `function` in the main thread: at once from that thread, else as soon as it is free."""
        self._calls.append(as_now(function))
        if threading.get_ident() == self._own:
            self.flush()
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.flush)

    def flush(self) -> None:
        """Makes all waiting calls, in order."""
        while self._calls:
            self._calls.popleft()()
