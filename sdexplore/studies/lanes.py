"""Where runs are made: in this thread, on a Dask cluster, or on any executor of `concurrent.futures`. One interface.

Retries of killed workers, resources and restarts are Dask's own. What is added is what it lacks: a bounded window, a
stop that reaches runs under way, and a word where a resource is nowhere.
"""

import concurrent.futures
import os
import sys
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..base.errors import RunError
from ..base.user_warnings import warn_user
from .making import CannotLoadError
from .packs import packed, rows_of_pack
from .stopping import EventStop, FileStop, NeverStop, Stop
from .values import Row
from .work import NotLoaded, Task, Work

_DEEP: Final = 4  # tasks under way for each thread of a worker
_LOOK: Final = 5.0  # seconds between two looks at how many workers there are


class Lane(ABC):
    """Makes rows of tasks somewhere; answers come one by one.

    Attributes:
        stop: The flag that travels with each task.
    """

    stop: Stop

    @property
    @abstractmethod
    def window(self) -> int:
        """How many packs of tasks may be under way."""

    @abstractmethod
    def submit(self, work: Work, tasks: tuple[Task, ...]) -> Any:  # noqa: ANN401  (a future of some kind)
        """Begins a pack of tasks."""

    @abstractmethod
    def ended(self, futures: Collection[Any], seconds: float) -> list[Any]:
        """Those that have ended, after this time at most."""

    @abstractmethod
    def rows(self, future: Any, tasks: tuple[Task, ...]) -> list[Row]:  # noqa: ANN401  (as above)
        """The rows of a pack that has ended.

        Raises:
            CannotLoadError: The worker could not load the source.
            RunError: The lane itself is broken.
        """

    @abstractmethod
    def end(self) -> None:
        """Tells runs under way to end after their step."""

    @abstractmethod
    def close(self) -> None:
        """Forgets what the lane holds."""


class Here(Lane):
    """Runs in the driver's own thread, one after the other."""

    window = 1

    def __init__(self) -> None:
        self.stop = NeverStop()

    def submit(self, work: Work, tasks: tuple[Task, ...]) -> Any:  # noqa: ANN401
        """Makes the rows at once."""
        made: concurrent.futures.Future[list[Row] | NotLoaded] = concurrent.futures.Future()
        made.set_result(work.rows(tasks))
        return made

    def ended(self, futures: Collection[Any], seconds: float) -> list[Any]:
        """All."""
        del seconds
        return list(futures)

    def rows(self, future: Any, tasks: tuple[Task, ...]) -> list[Row]:  # noqa: ANN401
        """The rows."""
        del tasks
        return _rows(future.result())

    def end(self) -> None:
        """None is under way when it is called."""

    def close(self) -> None:
        """It holds nothing."""


class OnExecutor(Lane):
    """Runs on an executor of `concurrent.futures`: threads, processes, or another's."""

    def __init__(self, executor: concurrent.futures.Executor) -> None:
        self._executor = executor
        self._flag = Path(tempfile.gettempdir()) / f"sdexplore-stop-{uuid.uuid4().hex}"
        self.stop: Stop = FileStop(str(self._flag))

    @property
    def window(self) -> int:
        """Four for each worker of the executor."""
        return _DEEP * int(getattr(self._executor, "_max_workers", None) or os.cpu_count() or 1)

    def submit(self, work: Work, tasks: tuple[Task, ...]) -> Any:  # noqa: ANN401
        """Begins a pack."""
        try:
            return self._executor.submit(work.rows, tasks)
        except RuntimeError as error:  # shut down, or broken
            raise RunError(f"Study.run: the executor takes no more work: {error}; make a new one") from error

    def ended(self, futures: Collection[Any], seconds: float) -> list[Any]:
        """Those that have ended."""
        first = concurrent.futures.FIRST_COMPLETED
        return list(concurrent.futures.wait(futures, timeout=seconds, return_when=first).done)

    def rows(self, future: Any, tasks: tuple[Task, ...]) -> list[Row]:  # noqa: ANN401
        """The rows."""
        del tasks
        try:
            found = future.result()
        except concurrent.futures.CancelledError:
            return []
        except Exception as error:
            raise RunError(
                f"Study.run: the executor failed ({type(error).__name__}: {error}); rows so far are kept: make a new "
                "executor, and call run again"
            ) from error
        return _rows(found)

    def end(self) -> None:
        """Tells runs under way to end after their step."""
        self._flag.touch()

    def close(self) -> None:
        """Removes the flag."""
        self._flag.unlink(missing_ok=True)


class OnDask(Lane):
    """Runs on the workers of a Dask client: a LocalCluster, SLURM, Kubernetes, dask-cuda."""

    def __init__(self, client: Any, resources: Mapping[str, int | float] | None) -> None:  # noqa: ANN401  (a Client)
        from distributed import Event

        if client.asynchronous:
            raise RunError("Study.run(client): this client is asynchronous; make one with asynchronous=False")
        self._client, self._resources, self._run = client, dict(resources or {}), uuid.uuid4().hex[:8]
        self._check_resources()
        self._event = Event(f"sdexplore-stop-{self._run}", client=client)
        self.stop: Stop = EventStop(self._event.name)
        self._threads, self._looked = 0, -_LOOK
        self._sent: bytes | None = None  # the study's Work, the same for each of its packs

    def _check_resources(self) -> None:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        for name, amount in self._resources.items():
            most = max((worker.get("resources", {}).get(name, 0) for worker in workers.values()), default=0)
            if workers and most < amount:
                there = sorted({key for worker in workers.values() for key in worker.get("resources", {})})
                raise RunError(
                    f"Study.run(resources={self._resources!r}): no worker has {amount:g} of {name!r}, the most is "
                    f"{most:g}, so that no run would ever begin; resources of these workers: "
                    f"{', '.join(there) or 'none'} (dask worker --resources '{name}={amount:g}')"
                )
        if not workers:
            warn_user("Study.run: this cluster has no worker yet; runs begin when one is there")

    @property
    def window(self) -> int:
        """Four for each thread of the workers there are now."""
        if time.monotonic() - self._looked > _LOOK:
            self._threads, self._looked = sum(self._client.nthreads().values()), time.monotonic()
        return _DEEP * max(1, self._threads)

    def submit(self, work: Work, tasks: tuple[Task, ...]) -> Any:  # noqa: ANN401
        """Begins a pack; its key names its first run.

        It travels as a few bytes, since Dask's logs hold its last 1,000 messages, in the client and in the scheduler.
        """
        key = f"sdexplore-{self._run}-{tasks[0].run.identity}"
        try:
            if self._sent is None:
                self._sent = packed(work)
            sent = packed(tasks)
        except Exception as error:
            raise RunError(
                f"Study.run: the study cannot be sent to a worker ({type(error).__name__}: {error}): a measure, a "
                "condition or an argument holds what stays in this process"
            ) from error
        resources = self._resources or None
        return self._client.submit(rows_of_pack, self._sent, sent, key=key, resources=resources, pure=False)

    def ended(self, futures: Collection[Any], seconds: float) -> list[Any]:
        """Those that have ended."""
        import distributed

        try:
            done = distributed.wait(list(futures), timeout=seconds, return_when="FIRST_COMPLETED").done
        except (TimeoutError, distributed.TimeoutError):
            return []
        except distributed.CancelledError:  # one of them was taken from us
            done = [one for one in futures if one.done() or one.cancelled()]
        except OSError as error:
            raise RunError(f"Study.run: the cluster cannot be reached: {error}; rows so far are kept") from error
        return list(done)

    def rows(self, future: Any, tasks: tuple[Task, ...]) -> list[Row]:  # noqa: ANN401
        """The rows; of a pack that killed its workers again and again, rows with that error."""
        import distributed

        try:
            found = future.result()
        except distributed.KilledWorker as error:
            told = f"KilledWorker: this run took its worker with it again and again: {error}"
            return [task.row_of_error(told) for task in tasks]
        except (distributed.CancelledError, concurrent.futures.CancelledError) as error:
            raise RunError(
                "Study.run: Dask cancelled a run, or its scheduler is gone; rows so far are kept: call run again"
            ) from error
        except Exception as error:
            raise RunError(
                f"Study.run: a worker cannot do its work ({type(error).__name__}: {error}); rows so far are kept"
            ) from error
        finally:
            future.release()
        return _rows(found)

    def end(self) -> None:
        """Tells runs under way to end after their step; where the scheduler is gone, they end of themselves."""
        with suppress(OSError, RuntimeError, TimeoutError):
            self._event.set()

    def close(self) -> None:
        """Takes the flag from the scheduler."""
        with suppress(OSError, RuntimeError, TimeoutError):
            self._event.clear()


def lane_of(executor: Any, resources: Mapping[str, int | float] | None) -> Lane:  # noqa: ANN401  (whatever the user gave)
    """Where `Study.run(executor)` makes its runs.

    Raises:
        RunError: It is nothing that takes work; resources are asked for where there are none; no worker has them.
    """
    distributed = sys.modules.get("distributed")
    if distributed is not None and isinstance(executor, distributed.Client):
        return OnDask(executor, resources)
    if resources:
        raise RunError(f"Study.run(resources={dict(resources)!r}): only a Dask client knows resources")
    if executor is None:
        return Here()
    if isinstance(executor, concurrent.futures.Executor):
        return OnExecutor(executor)
    raise RunError(
        f"Study.run({type(executor).__name__}): runs are made here (None), on a dask.distributed.Client, or on an "
        "Executor of concurrent.futures"
    )


def _rows(found: list[Row] | NotLoaded) -> list[Row]:
    if isinstance(found, NotLoaded):
        raise CannotLoadError(found.reason)
    return found
