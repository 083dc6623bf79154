"""The runs that a section starts: beside its button stand their progress and the newest preview."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base.errors import Stopped
from ..figures.titles import setting_in_words
from ..strings.wording import listed, wording
from ..trace.collections import Comparison
from ..trace.trace import Trace
from .board import Board
from .controls import row
from .picture_boxes import enlarged_png, picture_box
from .progress import Status
from .runs import followed
from .worker import Cancelled

_SIDE = 96


class ComparedRuns:
    """A run for each value of an argument, with all else as the state says.

    Each run joins the history as soon as it ends; the last one is shown in the end.

    Args:
        button: What starts them.
        finished: Draws the comparison, in the main thread.
        failed: Clears what an older comparison has drawn, in the main thread.

    Attributes:
        widget: The button, the preview, and how the work stands.
        status: How the work stands.
    """

    def __init__(
        self,
        board: Board,
        button: Any,  # noqa: ANN401  (widgets have no types)
        finished: Callable[[Comparison], object],
        failed: Callable[[], object],
    ) -> None:
        self._board, self._finished, self._failed = board, finished, failed
        self.status = Status()
        self._ended = False
        self._preview = picture_box(_SIDE, wording("dashboard.place.runs"))
        self._preview.layout.display = self.status.widget.layout.display = "none"
        self.status.widget.layout.width, self.status.widget.layout.flex = "auto", "1 1 280px"
        self.widget: Any = row([button, self._preview, self.status.widget])

    def fail(self, error: Exception) -> None:
        """Shows an error of what was asked for, which is beside the button alone."""
        self._preview.layout.display, self.status.widget.layout.display = "none", ""
        self.status.fail(error)
        self._failed()

    def fold(self) -> None:
        """Takes the words about runs that ended away, where what came of them is not shown any more."""
        if self._ended:
            self.status.widget.layout.display = "none"

    def start(self, over: Mapping[str, Sequence[Any]]) -> None:
        """Starts a run for each of these values; the newest request wins."""
        board, status, state = self._board, self.status, self._board.state
        if state.scheduler and "scheduler" not in over:
            over = {**over, "scheduler": [state.scheduler]}
        given = {"prompt": board.prompt, "seed": state.seed, **board.arguments()}
        given = {name: value for name, value in given.items() if name not in over}
        varied = [name for name, values in over.items() if len(values) > 1]
        self._preview.layout.display = status.widget.layout.display = ""
        self._ended = False

        def made(trace: Trace, settings: Mapping[str, Any], runs: int) -> None:
            name = listed(setting_in_words(one, settings[one]) for one in varied)
            board.in_main(lambda: board.keep([(name, trace)], runs))

        def grow(pixels: Any) -> None:  # noqa: ANN401  (an array)
            self._preview.value = enlarged_png(pixels, _SIDE)

        def job(cancelled: Cancelled) -> None:
            from ..model.series.queued_runs import compare_unless

            try:
                found = compare_unless(
                    cancelled,
                    board.pipe,
                    over=over,
                    record=board.record,
                    on_step=followed(board, status, grow),
                    begun=lambda: status.go_on(wording("dashboard.starting")),
                    told=status.say,
                    made=made,
                    **given,
                )
            except Stopped as stopped:
                partial = stopped.trace
                if isinstance(partial, Trace) and not board.worker.waiting:
                    board.in_main(lambda: board.keep([("", partial)], 1))
                raise
            except Exception:
                board.in_main(self._fell)
                raise
            status.go_on(wording("dashboard.drawing_all"))
            board.in_main(lambda: self._end(found))

        board.work(job, status)

    def _fell(self) -> None:
        """Clears what older runs have drawn beside an error, their preview too."""
        self._preview.layout.display = "none"
        self._failed()

    def _end(self, found: Comparison) -> None:
        self._preview.layout.display = "none"
        self._board.show(found.traces[-1])
        self._finished(found)
        self.status.end(wording("dashboard.compared", runs=len(found), names=listed(found.over)))
        self._ended = True
