"""The section "Guidance": the two predictions of every step, and the same run with guidance off."""

from typing import ClassVar

from ...analysis.guidance import computed_steps
from ...analysis.trajectory import are_decoded
from ...base.errors import RunError
from ...figures.titles import MOST_STEPS
from ...trace.collections import Comparison
from ...trace.record import spread
from ...trace.trace import Trace
from ..board import Board
from ..compared_runs import ComparedRuns
from ..controls import button, column, labelled
from ..picture_boxes import PictureBox
from .section import Section


class GuidanceSection(Section):
    """What the predictions with and without prompt show, and where they differ; on demand a run without guidance.

    The pictures with guidance off and on are shown while one of their two runs is the one that is shown.
    """

    title: ClassVar[str] = "Guidance"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        off = button(
            *labelled("dashboard.guidance.start"),
            self.compare,
            icon="balance-scale",
        )
        self._runs = ComparedRuns(board, off, self._compared, self._drop_pair)
        self._both, self._steps = PictureBox(board.article, board.written), PictureBox(board.article, board.written)
        self._pair: Comparison | None = None
        can = board.pipe is not None and "guidance_scale" in board.known
        self._runs.widget.layout.display = "" if can else "none"
        self.widget = column(
            [self._runs.widget, self.message.widget, self._both.widget, self.box.widget, self._steps.widget],
            padding="6px 0",
        )

    def _draw(self) -> None:
        from ...views import guidance, guidance_steps

        trace = self._trace()
        self._show_both()
        self._show(lambda: guidance_steps(trace), self._steps)
        self._show(lambda: guidance(trace, decode=_is_decoded(trace)))  # no picture is waited for

    def compare(self) -> None:
        """Runs with guidance off and on, from the same noise, and shows both pictures."""
        scale = self.board.state.guidance_scale
        if scale <= 1:
            self._runs.fail(RunError(f"guidance_scale is {scale:g}, which is off: set it above 1 to compare"))
            return
        self._runs.start({"guidance_scale": [1.0, scale]})

    def _compared(self, found: Comparison) -> None:
        self._pair = found
        self._attempt(self._show_both)

    def _show_both(self) -> None:
        from ...views import guidance

        pair = self._pair
        if pair is None or all(one is not self.board.trace for one in pair.traces):
            self._both.clear()
            self._runs.fold()
        else:
            self._show(lambda: guidance(pair), self._both)

    def clear(self) -> None:
        """Removes the figures."""
        super().clear()
        self._both.clear()
        self._steps.clear()

    def _drop_pair(self) -> None:
        self._pair = None
        self._both.clear()

    def close(self) -> None:
        """Drops everything, the pair of runs too."""
        super().close()
        self._drop_pair()


def _is_decoded(trace: Trace) -> bool:
    """Whether the figure's pictures are there."""
    return are_decoded(trace, spread(computed_steps(trace), MOST_STEPS))
