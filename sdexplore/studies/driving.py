"""The loop of a study's driver: so many runs under way and no more, each row taken as it comes."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from ..base.errors import RunError
from .lanes import Lane
from .making import CannotLoadError
from .values import Row
from .work import Task, Work

_WAIT: Final = 0.5  # seconds after which the driver looks whether it was stopped
_LAST: Final = 120.0  # seconds that runs under way are given to end their step
_FAILURES: Final = 8  # loads that fail one after the other while other workers make rows


def drive(
    tasks: Iterator[Task],
    lane: Lane,
    work: Work,
    *,
    per_task: int,
    window: int | None,
    took: Callable[[list[Row]], object],
    stopped: Callable[[], bool],
) -> None:
    """Has every task made, with a bounded number under way.

    Args:
        per_task: How many runs travel together.
        window: How many packs are under way; None: as many as the lane says.
        took: Takes rows as they come; called with none while nothing comes.
        stopped: Asked between; True ends the runs under way after their step.

    Raises:
        RunError: No worker can load the source; the lane is broken.
    """
    drive = _Drive(tasks, lane, work, per_task, took)
    try:
        while not stopped():
            while len(drive.under_way) < (window or lane.window) and not stopped() and drive.begin():
                pass
            if not drive.under_way:
                return
            drive.collect()
        drive.end()
    except BaseException:  # Ctrl-C too
        with suppress(RunError):  # what ends the study is told already
            drive.end()
        raise
    finally:
        lane.close()


class _Drive:
    """Packs of tasks: those that wait, and those that are under way.

    Attributes:
        under_way: Future of a pack -> its tasks.
    """

    def __init__(
        self, tasks: Iterator[Task], lane: Lane, work: Work, per_task: int, took: Callable[[list[Row]], object]
    ) -> None:
        self._tasks, self._lane, self._work, self._per_task, self._took = tasks, lane, work, per_task, took
        self.under_way: dict[Any, tuple[Task, ...]] = {}
        self._again: list[tuple[Task, ...]] = []
        self._failures, self._rows_came = 0, False

    def begin(self) -> bool:
        """Begins the next pack; whether there was one."""
        pack = self._again.pop() if self._again else tuple(islice(self._tasks, self._per_task))
        if pack:
            self.under_way[self._lane.submit(self._work, pack)] = pack
        return bool(pack)

    def collect(self) -> None:
        """Takes the rows of packs that have ended. One whose worker cannot load the source is given to another.

        Raises:
            RunError: No worker can load it; the lane is broken.
        """
        ended = self._lane.ended(self.under_way, _WAIT)
        for future in ended:
            pack = self.under_way.pop(future)
            try:
                rows = self._lane.rows(future, pack)
            except CannotLoadError as error:
                self._failures += 1
                if not self._rows_came or self._failures >= _FAILURES:
                    told = f"Study.run: the source cannot be loaded on {error}; rows so far are kept"
                    raise RunError(told) from error
                self._again.append(pack)
            else:
                self._failures, self._rows_came = 0, self._rows_came or bool(rows)
                self._took(rows)
        if not ended:
            self._took([])

    def end(self) -> None:
        """Ends what is under way after its step, and takes the rows that were finished."""
        self._lane.end()
        waited = 0.0
        while self.under_way and waited < _LAST:
            ended = self._lane.ended(self.under_way, _WAIT)
            waited += _WAIT * (not ended)
            for future in ended:
                pack = self.under_way.pop(future)
                with suppress(CannotLoadError, RunError):  # what ends the study is told already
                    self._took(self._lane.rows(future, pack))
