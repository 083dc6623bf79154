"""The dashboard: a run at the left, the picture growing at the right, the record of the run beneath."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from ..base.display import size
from ..base.errors import RunError, Stopped, TraceError, did_you_mean
from ..figures.picture import Picture
from ..trace.collections import Traces
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .board import Board
from .code_lines import line_of_run, line_of_selection, line_of_trace
from .controls import CodeLine, close, column, row
from .history import MOST, History
from .latest_picture import Latest
from .run_controls import RunControls
from .sections.attention import AttentionSection
from .sections.compare import CompareSection
from .sections.components import PartsSection
from .sections.denoising import DenoisingSection
from .sections.export import ExportSection
from .sections.guidance import GuidanceSection
from .sections.pixels import PixelSection
from .sections.section import Section
from .sections.tokens import PromptSection
from .state import RUN, SHOW, State
from .worker import Cancelled

_PREVIEWS_A_SECOND = 10


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A dashboard of a pipeline, or of stored traces without a model.

    Runs happen off the main thread, one at a time for each pipeline: within one dashboard the newest request wins,
    between dashboards they queue. A stopped run keeps its steps.

    Attributes:
        board: What its sections share; `board.trace` is the trace that is looked at.
        state: What it is set to; read it, set its values, or assign another State.
        history: The last runs.
    """

    def __init__(
        self,
        pipe: Any = None,  # noqa: ANN401  (any diffusers pipeline)
        traces: Mapping[str, Trace] | None = None,
        *,
        record: Record = USUAL,
        state: State | None = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self._unfollow: list[Callable[[], None]] = []
        self._closed = False
        self.board = Board(state or State(), pipe, dict(fixed or {}), record, _known(pipe))
        self.history = History(self.show, most=max(MOST, len(traces or {})))
        self._latest = Latest()
        self._title = widgets.HTML(layout=widgets.Layout(width="100%"))
        self._code = CodeLine()
        self._controls = RunControls(self.board, self.run, self.stop) if pipe is not None else None
        self.board.busy_changed = self._busy
        self._sections = self._make_sections()
        self._stale = set(self._sections)
        self._tabs = widgets.Tab([section.widget for section in self._sections.values()])
        self._tabs.titles = list(self._sections)
        pictures = row([self._latest.widget, self.history.widget])
        pictures.layout.align_items = "flex-start"
        right = column([pictures, self.board.bar.widget, self.board.message.widget], flex="1 1 440px", width="auto")
        upper = [self._controls.widget] if self._controls is not None else []
        super().__init__(
            [
                self._title,
                row([*upper, right], align_items="flex-start"),
                self._code.widget,
                self._tabs,
            ],
            layout=widgets.Layout(width="100%", max_width="1180px"),
        )
        self._follow()
        for label, trace in reversed(list((traces or {}).items())):
            self.history.add(trace, label)
        self.board.state.section = self.board.state.section or next(iter(self._sections))
        if self.history.traces:
            self._look_at(self.history.traces[0])
        else:
            self._redraw(everything=True)
        self._say_where()

    def _make_sections(self) -> dict[str, Section]:
        board = self.board
        sections: list[Section] = [
            PixelSection(board),
            AttentionSection(board),
            DenoisingSection(board),
            GuidanceSection(board),
            PromptSection(board),
            PartsSection(board),
            CompareSection(board, lambda: self.history.named),
            ExportSection(board),
        ]
        return {section.title: section for section in sections}

    def _follow(self) -> None:
        state = self.board.state
        self._unfollow = [
            state.follow((*RUN, *SHOW), self._say_code),
            state.follow(("section",), self._open),
            *(
                state.follow(section.uses, lambda title=title: self._outdate(title))  # type: ignore[misc]  # bound now
                for title, section in self._sections.items()
                if section.uses
            ),
        ]
        self._tabs.observe(self._turned, "selected_index")

    @property
    def state(self) -> State:
        """What the dashboard is set to."""
        return self.board.state

    @state.setter
    def state(self, other: State) -> None:
        self.board.state.update(**other.values())

    @property
    def trace(self) -> Trace | None:
        """The trace that is looked at; None before the first run."""
        return self.board.trace

    def run(self, *, wait: bool = False) -> Trace | None:
        """Starts a run with the state as it is; one under way is stopped, and the newest request wins.

        Args:
            wait: Whether to return only when it is over, for code in a notebook; gives the trace, of a run that was
                stopped what it recorded, None if that is nothing.

        Raises:
            RunError: The dashboard was closed.
            TraceError: There is no pipeline, but stored traces only.
            SdexploreError: With `wait`, what went wrong, which the dashboard says too.
        """
        self._check_that_it_runs()
        board, state = self.board, self.board.state
        arguments, prompt, seed = board.arguments(), board.prompt, state.seed
        scheduler = state.scheduler or None
        outcome: list[Trace | Exception] = []

        def job(cancelled: Cancelled) -> None:
            from ..model.series.queued_runs import run_unless

            def begun() -> None:
                board.begin()
                self._latest.begin(seed, prompt)

            board.bar.start()
            try:
                result = run_unless(
                    cancelled,
                    board.pipe,
                    prompt,
                    seed=seed,
                    record=board.record,
                    scheduler=scheduler,
                    on_step=self._live(),
                    begun=begun,
                    told=board.bar.say,
                    **arguments,
                )
            except Stopped as stopped:
                traces = _each(stopped.trace)
                outcome.extend(traces[:1])
                self._arrive([] if board.worker.waiting else traces)
                raise
            except Exception as error:
                outcome.append(error)
                self._arrive([])
                raise
            board.bar.end()
            traces = _each(result)
            seconds = traces[0].provenance.get("seconds", 0.0)
            board.message.say(f"Done in {seconds:.1f} s, {traces[0].num_steps} steps, seed {seed}.")
            outcome.append(traces[0])
            self._arrive(traces)

        board.work("Running.", job)
        if not wait:
            return None
        self.wait()
        came = outcome[0] if outcome else None
        if isinstance(came, Exception):
            raise came
        return came

    def _check_that_it_runs(self) -> None:
        if self._closed:
            raise RunError("this dashboard was closed; sdx.explore(…) makes a new one")
        if self.board.pipe is None:
            raise TraceError("this dashboard looks at a stored trace; sdx.explore(pipe) makes one that runs")

    def _live(self) -> Any:  # noqa: ANN401  (a function of the model's Progress)
        last = 0.0

        def on_step(progress: Any) -> None:  # noqa: ANN401
            nonlocal last
            now = time.monotonic()
            if progress.step and now - last < 1 / _PREVIEWS_A_SECOND:
                return
            last = now
            self.board.bar.reach(progress.step + 1, progress.total, "step ")
            self._preview(progress)

        return on_step

    def _preview(self, progress: Any) -> None:  # noqa: ANN401  (of the model's room)
        if getattr(self.board.pipe, "vae", None) is not None:
            self._latest.grow(progress.preview())

    def _arrive(self, traces: Sequence[Trace]) -> None:
        """Takes what came of a run over from the worker's thread; if nothing did, all is shown as before.

        A dashboard that was closed meanwhile does not want it.
        """
        if traces and traces[0].image is not None and not self._closed:
            self._latest.grow(traces[0].image)

        def take() -> None:
            if self._closed:
                return
            for trace in reversed(traces):
                self.history.add(trace)
            if traces:
                self._look_at(traces[0])
            else:
                self._latest.show(self.board.trace)

        self.board.main.call(take)

    def stop(self) -> None:
        """Stops the run under way after its step; what was recorded stays to be looked at."""
        busy = self.board.worker.busy
        self.board.message.say("Stopping after this step …" if busy else "There is nothing to stop.")
        self.board.worker.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Returns once nothing is under way and what came of it is shown; False if that took longer."""
        done = self.board.worker.wait(seconds)
        self.board.main.flush()
        return done

    def show(self, trace: Trace) -> None:
        """Looks at `trace`: every section shows it from now on."""
        self._look_at(trace)
        if not self.board.worker.busy:  # else the message is of what is under way
            name, seconds = self.history.name_of(trace), trace.provenance.get("seconds")
            took = "" if seconds is None else f"; it took {seconds:.1f} s"
            self.board.message.say(
                f"Shown is run {name}{took}." if name else f"Shown is trace {trace.fingerprint}{took}."
            )

    def _look_at(self, trace: Trace) -> None:
        self.board.trace = trace
        self._latest.show(self.board.trace)
        self._redraw(everything=True)
        self._say_where()

    def figure(self) -> Picture:
        """The figure of the section that is open.

        Raises:
            TraceError: It has none yet.
        """
        return self._sections[self.board.state.section].figure()

    def snapshot(self) -> Picture:
        """What is seen, as a Picture that stays in the notebook's file: show it in a cell of its own.

        A saved notebook keeps a widget's picture of when it was displayed, and a trusted one whose widget state was
        not saved shows no picture at all; no program can mend that afterwards.
        """
        return self.figure()

    def close(self) -> None:
        """Stops what runs and lets go of everything: traces, figures, controls."""
        if self._closed or not self._unfollow:  # a widget is closed again when it is collected
            return
        self._closed = True
        self.board.worker.close()
        for stop_following in self._unfollow:
            stop_following()
        self.history.forget()
        for section in self._sections.values():
            section.close()
        self.board.trace = self.board.given = self.board.pipe = None
        close(*self.children)
        super().close()

    def _busy(self) -> None:
        """Work has begun or ended: Stop works meanwhile, and what has nothing to show says why."""
        if self._controls is not None:
            self._controls.busy(self.board.busy)
        self.board.main.call(self._say_what_is_missing)

    def _say_what_is_missing(self) -> None:
        if self.board.trace is None and not self._closed:
            for section in self._sections.values():
                if section.needs_trace:
                    section.say_that_nothing_is_there()

    def _turned(self, change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            self.board.state.section = list(self._sections)[change["new"]]

    def _open(self) -> None:
        titles = list(self._sections)
        wanted = self.board.state.section
        if wanted not in titles:
            self.board.message.fail(TraceError(f"no section {wanted!r}; {did_you_mean(wanted, titles)}"))
            self.board.state.section = titles[self._tabs.selected_index or 0]
            return
        self._tabs.selected_index = titles.index(wanted)
        self._redraw()

    def _outdate(self, title: str) -> None:
        self._stale.add(title)
        self._redraw()

    def _redraw(self, *, everything: bool = False) -> None:
        """Draws the open section if what it shows has changed; the others when they are opened."""
        if everything:
            self._stale = set(self._sections)
        title = self.board.state.section
        if title in self._stale or title in ("Export", "Compare"):
            self._stale.discard(title)
            self._sections[title].draw()
        self._say_code()

    def _say_code(self) -> None:
        """The code of the run that is shown, or of the one that Run would start, and of what is looked at."""
        board, state, run = self.board, self.board.state, ""
        if board.trace is not None:
            own = "" if board.pipe is None else type(board.pipe.scheduler).__name__
            run = line_of_trace(board.trace, own)
        elif board.pipe is not None:
            run = line_of_run(board.prompt, state.seed, board.arguments(), board.record, state.scheduler)
        self._code.show(run, line_of_selection(state))

    def _say_where(self) -> None:
        self._title.value = self._header()

    def _header(self) -> str:
        from .header import header

        return header(self.board, self.history.note)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401  (Jupyter's)
        from .header import static

        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        data, metadata = static(self.board, self._sections)
        return {**bundle, **data}, metadata

    def __repr__(self) -> str:
        kept = size(sum(one.nbytes for one in self.history.traces))
        return f"<Explorer of {len(self.history.traces)} traces, {kept}; {self.board.state!r}>"


def _each(result: Trace | Traces | None) -> list[Trace]:
    return [] if result is None else [result] if isinstance(result, Trace) else list(result)


def _known(pipe: Any) -> Mapping[str, Any]:  # noqa: ANN401  (any diffusers pipeline)
    if pipe is None:
        return {}
    from ..model.inspection.situation import call_defaults

    return call_defaults(pipe)
