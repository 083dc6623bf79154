"""A row of a study opened in the dashboard: its trace as it was kept, or the run made again off the main thread."""

import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..strings.wording import wording
from ..studies.reading import StudyTable
from ..trace.trace import Trace
from .board import Board
from .controls import button, control, labelled, row
from .progress import Status
from .worker import Cancelled

_BETWEEN_WORDS = 0.1  # seconds


class OpenedRows:
    """Opens one row after the other; the newest request wins.

    Args:
        opened: Called in the main thread with the identity of a row whose trace is shown now.

    Attributes:
        widget: How the work stands, a button that stops it, and whether a run is compared with its row.
        status: How the work stands.
    """

    def __init__(self, board: Board, study: StudyTable, opened: Callable[[str], object]) -> None:
        self._board, self._study, self._opened = board, study, opened
        self.status = Status()
        self.status.widget.layout.flex = "1 1 320px"
        self.status.widget.layout.width = "auto"
        self._stop = button(*labelled("dashboard.rows.stop"), self._stopped, icon="stop", disabled=True)
        self._check = control(
            widgets.Checkbox,
            *labelled("dashboard.rows.check"),
            indent=False,
            value=True,
        )
        self.widget: Any = row([self._stop, self._check, self.status.widget])

    def open(self, identity: str, name: str) -> None:
        """Opens the row of this identity; `name` is what the run is called in the dashboard."""
        board, status, check = self._board, self.status, self._check.value
        notes: list[str] = []

        def job(cancelled: Cancelled) -> None:
            again = 0.0

            def on_step(progress: Any) -> None:  # noqa: ANN401  (of the model's room)
                nonlocal again
                if time.monotonic() >= again or progress.step + 1 == progress.total:
                    again = time.monotonic() + _BETWEEN_WORDS
                    status.reach(progress.step + 1, progress.total)

            try:
                trace = self._study.open_told(
                    identity,
                    check=check,
                    told=notes.append,
                    on_step=on_step,
                    begun=status.go_on,
                    cancelled=cancelled,
                )
            finally:
                if not board.worker.waiting:
                    board.in_main(self._rests)
            board.in_main(lambda: self._show(trace, identity, name, notes))

        self._stop.disabled = False
        board.work(job, status)

    def _show(self, trace: Trace, identity: str, name: str, notes: list[str]) -> None:
        self._board.keep([(name, trace)], 1)
        self._board.show(trace)
        self._opened(identity)
        self.status.end("; ".join([wording("dashboard.shown.row", name=name), *notes]))

    def _stopped(self) -> None:
        self._stop.disabled = True
        self._board.stop()

    def _rests(self) -> None:
        self._stop.disabled = True
