"""What the sections of one dashboard share: the state, the pipeline, the trace that is shown, the work under way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import Stopped
from ..base.options import options
from ..strings.wording import wording
from ..studies.reading import StudyTable
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .article_form import ArticlePlace
from .background_decoding import BackgroundDecoding
from .in_page import Surroundings
from .names import written
from .progress import Status
from .state import State
from .worker import Cancelled, MainThread, Worker


@dataclass
class Board:
    """What the sections of one dashboard share.

    Attributes:
        pipe: The pipeline; None for a dashboard of stored traces.
        fixed: Arguments of every run that no control sets.
        record: What runs keep.
        known: Every argument that the pipeline's call names, with its default.
        trace: The trace that is shown; None before the first run.
        page: Theme and width of the page around the dashboard.
        status: How the run stands that Run started; and what is said of the whole dashboard.
        working: The status of the work under way, or of the last work.
        busy: Whether work is under way or waits for the pipeline.
        worker, main: The thread for work, and the way back to the main thread.
        busy_changed: Called in the worker's thread when `busy` changes.
        named_runs: Gives (name, trace) of the last runs, newest first.
        keep: Puts traces into the history, first to last, each under a name ("" for its seed); it has room for as many
            as are said to belong together.
        show: Shows a trace in every section.
        objects: Gives what lines of code stand for: name -> object.
        article: The article that figures go into.
        preview: A little decoder for previews; None for the linear one.
        study: The study whose rows are opened; None for a dashboard of a pipeline or of traces.
        decoding: What decodes the steps of the trace that is shown, while one looks.
        lang: The language of the dashboard: the one that was set when it was opened.
        closed: Whether the dashboard was closed: results of work are dropped then.
    """

    state: State
    pipe: Any = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    record: Record = USUAL
    known: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = None
    page: Surroundings = field(default_factory=Surroundings)
    status: Status = field(default_factory=Status)
    working: Status | None = None
    busy: bool = False
    worker: Worker = field(default_factory=Worker)
    main: MainThread = field(default_factory=MainThread)
    busy_changed: Callable[[], object] = lambda: None
    named_runs: Callable[[], Sequence[tuple[str, Trace]]] = tuple
    keep: Callable[[Sequence[tuple[str, Trace]], int], object] = lambda *_: None
    show: Callable[[Trace], object] = lambda _: None
    objects: Callable[[], Mapping[str, object]] = dict
    closed: bool = False
    article: ArticlePlace = field(default_factory=ArticlePlace)
    preview: Any = None
    study: StudyTable | None = None
    decoding: BackgroundDecoding = field(init=False)
    lang: str = field(default_factory=lambda: options().lang, init=False)

    def __post_init__(self) -> None:
        self.decoding = BackgroundDecoding(self.in_main, self.preview, lambda: not self.busy)
        self.article.prompt = lambda: self.prompt if self.trace is None else self.trace.prompt

    def arguments(self) -> dict[str, Any]:
        """The arguments of the next run, without prompt, seed and scheduler."""
        given = {**self.state.arguments(self.known), **self.fixed}
        sides = {"height", "width"} & self.known.keys()
        if len(sides) == 2 and len(sides & given.keys()) == 1 and self.pipe is not None:  # noqa: PLR2004
            from ..model.inspection.situation import usual_size

            if (usual := usual_size(self.pipe)) is not None:  # a pipeline may take both or none
                known = dict(zip(("height", "width"), usual, strict=True))
                given |= {side: known[side] for side in sides - given.keys()}
        return given

    @property
    def nothing_yet(self) -> str:
        """Why nothing is shown before the first trace, and what to do."""
        if self.study is not None:
            return wording("dashboard.nothing_yet.study")
        return wording("dashboard.nothing_yet.run")

    @property
    def prompt(self) -> str | None:
        """The prompt of the next run; None if the pipeline takes none, or was given embeddings."""
        return self.state.prompt if "prompt" in self.known and "prompt_embeds" not in self.fixed else None

    def little_decoder(self) -> Any:  # noqa: ANN401  (of the model's room)
        """Latents -> picture, by the little decoder, with its `name`; None without one."""
        if self.preview is None:
            return None
        from ..model.components.step_decoder import decoder_of

        return decoder_of(self.preview)

    def written(self, line: str) -> str:
        """A line of code with the user's own names."""
        return written(line, self.objects())

    def work(self, job: Callable[[Cancelled], object], status: Status) -> None:
        """Does `job` off the main thread; an error is shown in words in `status`."""

        def guarded(cancelled: Cancelled) -> None:
            self.working = status
            self._be(busy=True)
            status.start(wording("dashboard.waits"))
            try:
                job(cancelled)
            except Stopped as stopped:
                status.rest(wording("dashboard.stopped", why=stopped))
            except Exception as error:  # noqa: BLE001  (shown to the user)
                status.fail(error)
            finally:
                if not self.worker.waiting:
                    self._be(busy=False)

        status.start(wording("dashboard.waits"))  # at once, in the place of an older error
        self.working = status
        self.decoding.stop()
        self._be(busy=True)
        self.worker.submit(guarded)

    def stop(self) -> None:
        """Stops the work under way after its step, and what waits at once."""
        if not self.worker.busy:
            self.status.tell(wording("dashboard.stop.nothing"))
            return
        (self.working or self.status).say(wording("dashboard.stop.after_step"))
        if not self.worker.stop():  # it had not begun
            (self.working or self.status).rest(wording("dashboard.stop.before"))
            self._be(busy=False)

    def _be(self, *, busy: bool) -> None:
        self.busy = busy
        self.busy_changed()

    def in_main(self, function: Callable[[], object]) -> None:
        """Calls `function` in the main thread, unless the dashboard is closed by then."""
        self.main.call(lambda: None if self.closed else function())
