"""The dashboard: a run at the left, its growing picture at the right, and below them the tabs that look into it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from ..base.display import size
from ..base.errors import RunError, TraceError
from ..figures.picture import Picture
from ..strings.wording import wording
from ..studies.reading import StudyTable
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .board import Board
from .code_lines import line_of_run, line_of_selection, line_of_trace
from .controls import close, column, row
from .header import header, static
from .history import MOST, History
from .in_page import CLASS
from .language import in_its_language, speaking
from .latest_picture import LatestPicture
from .messages import CodeLine
from .progress import Status
from .reruns import opened
from .run_controls import RunControls
from .runs import Runs
from .state import RUN, SHOW, State
from .tabs import Tabs


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A dashboard of a pipeline; or of stored traces, or of a study, without a model.

    Runs happen off the main thread, one at a time for each pipeline: within one dashboard the newest request wins,
    between dashboards they queue. A stopped run keeps its steps.

    Attributes:
        board: What its sections share; `board.trace` is the trace that is shown.
        state: What the dashboard is set to; read it, set its values, or assign another State.
        history: The last runs.
        picture: The large picture, and its caption.
    """

    def __init__(
        self,
        pipe: Any = None,  # noqa: ANN401  (any diffusers pipeline)
        traces: Mapping[str, Trace] | None = None,
        *,
        record: Record = USUAL,
        state: State | None = None,
        fixed: Mapping[str, Any] | None = None,
        preview: object = None,
        study: StudyTable | None = None,
    ) -> None:
        self._unfollow: list[Callable[[], None]] = []
        status = Status(bar=pipe is not None)
        self.board = Board(
            state or State(),
            pipe,
            dict(fixed or {}),
            record,
            _known(pipe),
            status=status,
            preview=preview,
            study=study,
        )
        self.history = History(self.show, most=max(MOST, len(traces or {})))
        self.picture = LatestPicture()
        self._runs = Runs(self.board, self.picture, self._arrived)
        self._title = widgets.HTML(layout=widgets.Layout(width="100%"))
        self._code = CodeLine(self.board.written)
        self._controls = RunControls(self.board, self.run, self.stop) if pipe is not None else None
        self.board.busy_changed = self._busy
        self.board.named_runs = lambda: self.history.named
        self.board.keep, self.board.show = self._keep, self.show
        self.board.objects = lambda: {
            "pipe": self.board.pipe,
            "trace": self.trace,
            "explorer": self,
            "study": self.board.study,
        }
        self._tabs = Tabs(self.board)
        super().__init__(self._arranged(), layout=widgets.Layout(width="100%", max_width="1500px"))
        self.add_class(CLASS)
        self._unfollow = [self.state.follow((*RUN, *SHOW), self._say_code), *self._tabs.follow()]
        for label, trace in reversed(list((traces or {}).items())):
            self.history.add(trace, label)
        self._tabs.open_first()
        self._look_at(self.history.traces[0] if self.history.traces else None)
        opened(self)

    def _arranged(self) -> list[Any]:
        self._pictures = pictures = row([self.picture.widget, self.history.widget])
        pictures.layout.align_items, pictures.layout.flex, pictures.layout.width = "flex-start", "1 1 440px", "auto"
        self.history.widget.add_class("sdexplore-history")
        status = self.board.status.widget
        if self._controls is None:
            pictures.layout.flex = "0 0 auto"  # in a column a basis would be a height
            return [self._title, pictures, status, self._code.widget, self._tabs.widget, self.board.page]
        left = column([self._controls.widget, status], flex="1 1 300px", width="auto", max_width="560px")
        top = row([left, pictures], align_items="flex-start")
        return [self._title, top, self._code.widget, self._tabs.widget, self.board.page]

    @property
    def state(self) -> State:
        """What the dashboard is set to."""
        return self.board.state

    @state.setter
    def state(self, other: State) -> None:
        with speaking(self.board.lang):
            self.board.state.update(**other.values())

    @property
    def trace(self) -> Trace | None:
        """The trace that is shown; None before the first run."""
        return self.board.trace

    @in_its_language
    def run(self, *, wait: bool = False) -> Trace | None:
        """Starts a run with the present state. A run under way is stopped: the newest request wins.

        Args:
            wait: Whether to return only when the run is over, for code in a notebook. Then the trace is returned; of a
                stopped run, what it recorded, or None if it recorded nothing.

        Raises:
            RunError: The dashboard was closed.
            TraceError: There is no pipeline, only stored traces.
            SdexploreError: With `wait`, the error of the run, which the dashboard shows too.
        """
        if self.board.closed:
            raise RunError("this dashboard was closed; sdx.explore(…) makes a new one")
        if self.board.pipe is None:
            raise TraceError("this dashboard looks at a stored trace; sdx.explore(pipe) makes one that runs")
        outcome = self._runs.start()
        if not wait:
            return None
        self._wait_for_work()
        first = outcome[0] if outcome else None
        if isinstance(first, Exception):
            raise first
        return first

    def _arrived(self, traces: Sequence[Trace]) -> None:
        """Shows what a run recorded; after a run that recorded nothing, the trace that was shown before."""
        self._keep([("", trace) for trace in reversed(traces)], len(traces))
        if not traces:
            self.picture.show(self.trace)
            return
        self._look_at(traces[0])
        if self._controls is not None:
            self._controls.settle(traces[0])

    def _keep(self, runs: Sequence[tuple[str, Trace]], together: int) -> None:
        self.history.most = max(MOST, together)
        for name, trace in runs:
            self.history.add(trace, name and f"{self.history.count + 1}: {name}")
        self._title.value = header(self.board, self.history.note)

    @in_its_language
    def stop(self) -> None:
        """Stops the run under way after its step; what it recorded is kept."""
        self.board.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Returns when no work is under way and its result is shown, pictures of steps included.

        Args:
            seconds: False is returned if a run, or the decoding after it, took longer.
        """
        done = self._wait_for_work(seconds) and self.board.decoding.wait(seconds)
        self.board.main.flush()
        return done

    def _wait_for_work(self, seconds: float | None = None) -> bool:
        done = self.board.worker.wait(seconds)
        self.board.main.flush()
        return done

    @in_its_language
    def show(self, trace: Trace) -> None:
        """Shows `trace` in every section from now on."""
        self._look_at(trace)
        runs = self.board.worker.busy and self.board.working is self.board.status
        if not runs:  # else the message is about the run under way
            name, seconds = self.history.name_of(trace), trace.provenance.get("seconds")
            which = f"{'run' if name else 'trace'}{'' if seconds is None else '_took'}"
            said = wording(f"dashboard.shown.{which}", name=name or trace.fingerprint, seconds=seconds)
            self.board.status.tell(said)

    def _look_at(self, trace: Trace | None) -> None:
        if trace is not self.board.trace:
            self.board.decoding.stop()
        self.board.trace = trace
        self.picture.show(trace)
        hidden = trace is None and self.board.study is not None  # a study's table comes first
        self._pictures.layout.display = "none" if hidden else ""
        self._tabs.redraw()
        self._say_code()
        self._title.value = header(self.board, self.history.note)

    @in_its_language
    def figure(self) -> Picture:
        """The figure of the section that is open.

        Raises:
            TraceError: It has none yet.
        """
        return self._tabs.open.figure()

    @in_its_language
    def snapshot(self) -> Picture:
        """The figure of the open section, as a Picture that stays in the notebook's file: show it in a cell of its own.

        A saved notebook keeps a widget's picture of the moment when it was displayed. A trusted notebook whose widget
        state was not saved shows no picture at all, and no program can change that afterwards.
        """
        return self.figure()

    def close(self) -> None:
        """Stops the work and drops everything: traces, figures, controls."""
        if self.board.closed or not self._unfollow:  # a widget is closed again when it is collected
            return
        self.board.closed = True
        self.board.worker.close()
        self.board.decoding.close()
        for stop_following in self._unfollow:
            stop_following()
        self.history.forget()
        self._tabs.close()
        self.board.trace = self.board.pipe = None
        close(*self.children, self.layout)
        super().close()

    def _busy(self) -> None:
        """Enables or disables Stop when work begins or ends; sections without a trace say what they wait for."""
        if self._controls is not None:
            self._controls.busy(self.board.busy)
        self.board.in_main(self._rested)

    def _rested(self) -> None:
        if self.trace is None:
            self._tabs.say_what_is_missing()
        elif self.board.busy:
            self._tabs.open.waits()
        else:
            self._tabs.open.rested()

    def _say_code(self) -> None:
        """Shows the code of the run that is shown, or else of the run that Run would start; and of the selection."""
        board, state, run = self.board, self.board.state, ""
        if board.trace is not None:
            own = "" if board.pipe is None else type(board.pipe.scheduler).__name__
            run = line_of_trace(board.trace, own)
        elif board.pipe is not None:
            run = line_of_run(board.prompt, state.seed, board.arguments(), board.record, state.scheduler)
        self._code.show(run, line_of_selection(state))

    @in_its_language
    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401  (Jupyter's)
        if not self.board.closed:
            self._say_code()  # by now the cell has given the dashboard its name
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        data, metadata = static(self.board, self._tabs.sections)
        return {**bundle, **data}, metadata

    def __repr__(self) -> str:
        kept = size(sum(one.nbytes for one in self.history.traces))
        return f"<Explorer of {len(self.history.traces)} traces, {kept}; {self.board.state!r}>"


def _known(pipe: Any) -> Mapping[str, Any]:  # noqa: ANN401  (any diffusers pipeline)
    if pipe is None:
        return {}
    from ..model.inspection.situation import call_defaults

    return call_defaults(pipe)
