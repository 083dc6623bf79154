"""The section "Guidance": the two predictions of every step, and the same run with guidance off."""

from typing import ClassVar

from ...base.errors import RunError
from ...trace.collections import Comparison
from ..board import Board
from ..controls import button, column, row
from ..picture_boxes import PictureBox
from ..worker import Cancelled
from .section import Section


class GuidanceSection(Section):
    """What the predictions with and without prompt show, and where they differ; on demand a run without guidance."""

    title: ClassVar[str] = "Guidance"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._off = button(
            "Off and on",
            "Runs the prompt twice from the same noise: with guidance_scale 1 (off), and with the value that is set",
            self.compare,
            icon="balance-scale",
        )
        self._both, self._steps = PictureBox(), PictureBox()
        self._off.layout.display = "" if board.pipe is not None and "guidance_scale" in board.known else "none"
        self.widget = column(
            [row([self._off]), self.message.widget, self._both.widget, self.box.widget, self._steps.widget],
            padding="6px 0",
        )

    def _draw(self) -> None:
        from ...views import guidance, guidance_steps

        trace = self._trace()
        self._show(lambda: guidance_steps(trace), self._steps)
        self._show(lambda: guidance(trace))

    def compare(self) -> None:
        """Runs with guidance off and on, from the same noise, and shows both pictures."""
        board, scale = self.board, self.board.state.guidance_scale
        if scale <= 1:
            board.message.fail(RunError(f"guidance_scale is {scale:g}, which is off: set it above 1 to compare"))
            return
        over = {"guidance_scale": [1.0, scale]}

        def job(cancelled: Cancelled) -> None:
            found = board.compare(over, cancelled)
            board.main.call(lambda: self._compared(found))

        board.work("Running with guidance off, then on", job)

    def _compared(self, found: Comparison) -> None:
        from ...views import guidance

        self._attempt(lambda: self._show(lambda: guidance(found), self._both))

    def forget(self) -> None:
        """Drops the figures."""
        super().forget()
        self._both.clear()
        self._steps.clear()
