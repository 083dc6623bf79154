"""What the sections of one dashboard share: the state, the model, the trace that is looked at, the work under way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import Stopped
from ..figures.picture import Picture
from ..trace.collections import Comparison
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .controls import Given, Message
from .progress import Bar
from .state import State
from .worker import Cancelled, MainThread, Worker


@dataclass
class Board:
    """What the sections of one dashboard share.

    Attributes:
        pipe: The pipeline; None where a stored trace is looked at without a model.
        fixed: Arguments of every run that no control sets.
        record: What runs keep.
        known: Every argument that the pipeline's call names, with its default.
        trace: What is looked at; None before the first run.
        given: The figure drawn last.
        bar, message: How far the work under way is, and how things stand.
        busy: Whether work is under way, or waits for the pipeline.
        doing: What that work is, in words.
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
    busy_changed: Callable[[], object] = lambda: None  # called in the worker's thread

    @property
    def picture(self) -> Picture | None:
        """The figure drawn last, which Export takes."""
        return None if self.given is None else self.given.picture

    def arguments(self) -> dict[str, Any]:
        """What the next run of the pipeline is called with, but for prompt, seed and scheduler."""
        return {**self.state.arguments(self.known), **self.fixed}

    @property
    def prompt(self) -> str | None:
        """The prompt of the next run; None where the pipeline takes none, or was given embeddings."""
        return self.state.prompt if "prompt" in self.known and "prompt_embeds" not in self.fixed else None

    def compare(self, over: Mapping[str, Sequence[Any]], cancelled: Cancelled) -> Comparison:
        """The comparison over these values, for a job; the bar says how far it is."""
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
        """Does `job` off the main thread, which calls `begin` when its turn has come; says what went wrong in words."""

        def guarded(cancelled: Cancelled) -> None:
            self._be(busy=True)
            self.doing = what
            self.message.say("Waiting until the pipeline is free.")
            try:
                job(cancelled)
            except Stopped as stopped:
                self.bar.rest("stopped")
                self.message.say(str(stopped))
            except Exception as error:  # noqa: BLE001  (said to the person who looks)
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
        """Says that the work is under way: the pipeline is free for it now."""
        self.bar.say("starting")
        self.message.say(self.doing)
