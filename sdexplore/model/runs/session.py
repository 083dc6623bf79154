"""One turn at a pipeline, for every function that runs it: checked before, restored afterwards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ...base.errors import RunError, SdexploreError
from ...trace.collections import Traces
from ...trace.trace import Trace
from ..compiled.denoiser import telling
from ..components.patching import quiet, restored
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import denoiser
from ..components.scheduler_exchange import exchanged_scheduler
from ..families.modules import listed_once
from .call import Call
from .check_call import check, several_images
from .observed_call import observed
from .progress import Progress

_RUN = "run"


@dataclass(frozen=True)
class Background:
    """How runs behave that nobody waits for in a cell: they can be given up, and print nothing.

    Attributes:
        cancelled: Asked while a run waits for its turn, and after each step; True ends it with Stopped.
        begun: Called whenever a turn has come.
        told: Gets what a compiled run says aloud (`compile_denoiser`), a line at a time.
    """

    cancelled: Callable[[], bool]
    begun: Callable[[], object] = lambda: None
    told: Callable[[str], object] = print

    def after_step(self, on_step: Callable[[Progress], object] | None) -> Callable[[Progress], object]:
        """`on_step`, which a cancelled run does not reach any more."""

        def followed(progress: Progress) -> None:
            if self.cancelled():
                progress.stop()
            elif on_step is not None:
                on_step(progress)

        return followed


@dataclass(frozen=True)
class Session:
    """A turn at a pipeline, while it lasts.

    Attributes:
        function: The public function that the user called; errors name it.
        background: None where the user waits for the result.
    """

    pipe: Any
    function: str
    background: Background | None = None

    def run(self, call: Call) -> Trace | Traces:
        """The record of a call that was checked. The pipeline is restored when it ends, whatever ends it.

        Raises:
            RunError: As `run`.
            Stopped: `on_step` asked to stop, or the background cancelled the run.
        """
        on_step = call.on_step if self.background is None else self.background.after_step(call.on_step)
        try:
            with (
                listed_once(),
                exchanged_scheduler(self.pipe, call.scheduler),
                restored(self.pipe, denoiser(self.pipe)),
            ):
                return observed(self.pipe, replace(call, on_step=on_step, scheduler=None), self.function)
        except SdexploreError as error:
            if self.function != _RUN and str(error).startswith(f"{_RUN}: "):  # found where no function is known
                error.args = (self.function + str(error).removeprefix(_RUN),)
            raise

    def run_one(self, call: Call) -> Trace:
        """As `run`, of a call that makes one image."""
        made = self.run(call)
        if isinstance(made, Trace):
            return made
        raise RunError(several_images(self.function, len(made)))


@contextmanager
def session(
    pipe: Any, *calls: Call, function: str, background: Background | None = None, one_image: bool = False
) -> Iterator[Session]:
    """A turn at the pipeline, first come, first served. Afterwards the pipeline is as before.

    Args:
        calls: Calls that the turn is for. Each is checked before the wait.
        function: The public function that the user called.
        background: For runs that nobody waits for in a cell.
        one_image: Whether each of the calls must make one image.

    Raises:
        RunError: A call cannot be observed; or this thread is in the middle of a run of this pipeline.
        Stopped: The background cancelled it while it waited; nothing was run.
    """
    with listed_once():
        for call in calls:
            check(pipe, call, function, one_image=one_image)
    with ExitStack() as turn:
        if background is None:
            turn.enter_context(lock_of(pipe))
        else:
            turn.enter_context(lock_of(pipe).turn(background.cancelled))
            turn.enter_context(quiet(pipe))
            turn.enter_context(telling(background.told))
            background.begun()
        yield Session(pipe, function, background)
