"""The loop of a study's driver: so many runs under way and no more, each row taken as it comes."""

from collections.abc import Callable, Iterator
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
    under_way: dict[Any, tuple[Task, ...]] = {}
    again: list[tuple[Task, ...]] = []
    failures, rows_came, more = 0, False, True
    try:
        while not stopped():
            while more and len(under_way) < (window or lane.window):
                pack = again.pop() if again else tuple(islice(tasks, per_task))
                more = bool(pack)
                if pack:
                    under_way[lane.submit(work, pack)] = pack
                    if stopped():
                        break
            if not under_way:
                return
            ended = lane.ended(under_way, _WAIT)
            for future in ended:
                pack = under_way.pop(future)
                try:
                    rows = lane.rows(future, pack)
                except CannotLoadError as error:
                    failures += 1
                    if not rows_came or failures >= _FAILURES:
                        raise RunError(f"Study.run: the source cannot be loaded on {error}; rows so far are kept") from error
                    again.append(pack)
                    more = True
                else:
                    failures, rows_came = 0, rows_came or bool(rows)
                    took(rows)
            if not ended:
                took([])
        _end(lane, under_way, took)
    except BaseException:  # Ctrl-C too
        lane.end()
        _end(lane, under_way, took)
        raise
    finally:
        lane.close()


def _end(lane: Lane, under_way: dict[Any, tuple[Task, ...]], took: Callable[[list[Row]], object]) -> None:
    """Ends what is under way, and takes the rows that were finished."""
    lane.end()
    left, waited = dict(under_way), 0.0
    while left and waited < _LAST:
        ended = lane.ended(left, _WAIT)
        waited += _WAIT * (not ended)
        for future in ended:
            pack = left.pop(future)
            try:
                rows = lane.rows(future, pack)
            except (CannotLoadError, RunError):
                continue  # what ends the study is told already
            took(rows)
