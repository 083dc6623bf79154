"""What the sections of one dashboard share: the state, the pipeline, the trace that is shown, the work under way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import Stopped
from ..figures.picture import Picture
from ..trace.collections import Comparison
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .messages import Message
from .picture_boxes import Given
from .progress import Bar
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
        given: The figure that was drawn last.
        bar, message: The progress of the work under way, and its state in words.
        busy: Whether work is under way or waits for the pipeline.
        doing: That work in words.
        worker, main: The thread for work, and the way back to the main thread.
        busy_changed: Called in the worker's thread when `busy` changes.
        named_runs: Gives (name, trace) of the last runs, newest first.
        closed: Whether the dashboard was closed: results of work are dropped then.
    """

    state: State
    pipe: Any = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    record: Record = USUAL
    known: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = None
    given: Given | None = None
    bar: Bar = field(default_factory=Bar)
    message: Message = field(default_factory=lambda: Message(keep_place=True))
    busy: bool = False
    doing: str = ""
    worker: Worker = field(default_factory=Worker)
    main: MainThread = field(default_factory=MainThread)
    busy_changed: Callable[[], object] = lambda: None
    named_runs: Callable[[], Sequence[tuple[str, Trace]]] = tuple
    closed: bool = False

    @property
    def picture(self) -> Picture | None:
        """The figure that was drawn last, which Export takes."""
        return None if self.given is None else self.given.picture

    def arguments(self) -> dict[str, Any]:
        """The arguments of the next run, without prompt, seed and scheduler."""
        given = {**self.state.arguments(self.known), **self.fixed}
        sides = {"height", "width"} & self.known.keys()
        if len(sides) == 2 and len(sides & given.keys()) == 1 and self.pipe is not None:  # noqa: PLR2004
            from ..model.inspection.situation import situation

            if (side := situation(self.pipe).side) is not None:  # a pipeline may take both or none
                given |= dict.fromkeys(sides - given.keys(), side)
        return given

    @property
    def prompt(self) -> str | None:
        """The prompt of the next run; None if the pipeline takes none, or was given embeddings."""
        return self.state.prompt if "prompt" in self.known and "prompt_embeds" not in self.fixed else None

    def compare(self, over: Mapping[str, Sequence[Any]], cancelled: Cancelled) -> Comparison:
        """Runs a comparison over these values, inside a job; the bar shows its progress."""
        from ..model.series.queued_runs import compare_unless

        state = self.state
        if state.scheduler and "scheduler" not in over:
            over = {**over, "scheduler": [state.scheduler]}
        given = {"prompt": self.prompt, "seed": state.seed, **self.arguments()}
        given = {name: value for name, value in given.items() if name not in over}
        self.bar.start()

        def on_step(progress: Any) -> None:  # noqa: ANN401  (of the model's room)
            self.bar.reach(progress.step + 1, progress.total, f"run {progress.cell + 1} of {progress.cells}, step ")

        given |= {"on_step": on_step, "begun": self.begin, "told": self.bar.say}
        found = compare_unless(cancelled, self.pipe, over=over, record=self.record, **given)
        self.bar.end()
        self.message.say(f"Compared {len(found)} runs over {', '.join(over)}.")
        return found

    def work(self, what: str, job: Callable[[Cancelled], object]) -> None:
        """Does `job` off the main thread; an error is shown in words. The job calls `begin` when the pipeline is free.

        Args:
            what: The work in words, as the message says it.
        """

        def guarded(cancelled: Cancelled) -> None:
            self._be(busy=True)
            self.doing = what
            self.message.say("Waiting until the pipeline is free.")
            try:
                job(cancelled)
            except Stopped as stopped:
                self.bar.rest("stopped")
                self.message.say(str(stopped))
            except Exception as error:  # noqa: BLE001  (shown to the user)
                self.bar.rest("failed")
                self.message.fail(error)
            finally:
                if not self.worker.waiting:
                    self._be(busy=False)

        self.worker.submit(guarded)

    def _be(self, *, busy: bool) -> None:
        self.busy = busy
        self.busy_changed()

    def begin(self) -> None:
        """Says that the work has begun."""
        self.bar.say("starting")
        self.message.say(self.doing)
