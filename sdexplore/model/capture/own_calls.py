"""Tells the calls of the observed run from calls of the same pipeline that come from elsewhere while it runs.

A call from another thread, or from the user's own code between two steps, goes through and is kept out of the record.
Where it moves the scheduler, or shares the denoiser at the same time, the numbers of the run are no longer the run's:
it then ends with a RunError. A forked process and a deep copy of the pipeline have the hooks too; they record nothing.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from ...base.errors import RunError


class OwnCalls:
    """The thread and process of one observed run, and what disturbed it.

    Attributes:
        steps: How many steps are recorded.
        disturbance: Who called the pipeline from elsewhere, and when; None if nobody did.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.disturbance: str | None = None
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._beside = 0
        self._left = False

    def here(self) -> bool:
        """Whether this is the run itself: its thread and process, and no code of the user's between two steps."""
        mine = threading.get_ident() == self._thread and os.getpid() == self._process
        return mine and not self._beside and not self._left

    def is_denoiser_call(self) -> bool:
        """Whether the denoiser's call that begins is the run's; notes one of another thread."""
        if self.here():
            return True
        if self._of_another_thread():
            self._note()
        return False

    def is_scheduler_call(self, *, anew: bool = False) -> bool:
        """Whether a call of the scheduler is the run's; notes every other one of this process.

        Args:
            anew: Whether it sets the timesteps, which a run does once, before its first step.
        """
        if not self.here():
            if self._of_another_thread() or self._beside:
                self._note()
            return False
        if anew and self.steps:
            self._note()
            self._left = True  # nobody tells when the other trajectory is over
            return False
        return True

    @contextmanager
    def beside(self) -> Iterator[None]:
        """In the block runs code of the user's, which may call the pipeline for itself."""
        self._beside += 1
        try:
            yield
        finally:
            self._beside -= 1

    def besides(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The user's function, told apart while it runs."""

        @wraps(function)
        def told_apart(*args: Any, **kwargs: Any) -> Any:
            with self.beside():
                return function(*args, **kwargs)

        return told_apart

    def check(self) -> None:
        """RunError if the run was disturbed."""
        if self.disturbance is not None:
            raise RunError(self.disturbance)

    def __deepcopy__(self, _: Any) -> "OwnCalls":
        """The copy's calls are never the run's."""
        copied = OwnCalls()
        copied._thread, copied._process = -1, -1
        return copied

    def _of_another_thread(self) -> bool:
        return os.getpid() == self._process and threading.get_ident() != self._thread

    def _note(self) -> None:
        if self.disturbance is not None:
            return
        name = threading.current_thread().name
        when = f"after step {self.steps - 1}" if self.steps else "before step 0 was done"
        self.disturbance = (
            f"run: in thread {name!r} this pipeline was called once more, {when} of the observed run. That call went "
            "on and is not recorded; the run shares its scheduler and denoiser, so nothing of it is kept. Start the "
            "other call when the run ends (sdx.run waits by itself), or load a second pipeline"
        )
