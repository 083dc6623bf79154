"""Every change of one run, while it runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ...base.errors import RunError
from ...trace.provenance import ChangedFacts
from .edit import Edit, Now


class Changing:
    """The changes of a run, in the order in which they are made.

    Attributes:
        edits: The changes.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits

    @contextmanager
    def watching(self, here: Callable[[], bool]) -> Iterator[None]:
        """Calls of the denoiser in the block are changed; the hooks come off however it ends.

        Args:
            here: Whether what calls the denoiser is the run itself.
        """
        with ExitStack() as stack:
            for edit in self.edits:
                for hook in edit.watch(here):
                    stack.callback(hook.remove)
            yield

    def begin(self, now: Now) -> None:
        """A call of the denoiser begins."""
        for edit in self.edits:
            edit.begin(now)

    def end(self) -> None:
        """A call of the denoiser is over; RunError if a change did not reach a place where it should have been."""
        for edit in self.edits:
            edit.end()

    def check(self) -> None:
        """The run is over: RunError if a change never applied."""
        for edit in self.edits:
            if not edit.applied:
                raise RunError(
                    f"run: {edit.change!r} never applied in this run: at its steps, no call of the denoiser had a "
                    "row of its roles"
                )

    def facts(self) -> list[ChangedFacts]:
        """Each change and how often it applied, as JSON."""
        return [edit.facts() for edit in self.edits]
