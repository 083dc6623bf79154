"""Every change of one run, while it runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch

from ...base.errors import RunError
from ...changes.source import Source
from ...trace.provenance import ChangedFacts
from .edit import Edit, Now, OfRow


class Changing:
    """The changes of a run, in the order in which they are made.

    Attributes:
        edits: The changes.
        sources: The runs that ride along in the batch, each in as many rows as there are images of the user's.
    """

    def __init__(self, edits: Sequence[Edit], sources: Sequence[Source] = ()) -> None:
        self.edits, self.sources = edits, sources

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

    @contextmanager
    def again(self, now: Now) -> Iterator[None]:
        """A call of the denoiser in the block, beside the run's own, is changed as they are."""
        with ExitStack() as stack:
            for edit in self.edits:
                stack.enter_context(edit.again(now))
            yield

    def stepped(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents after a step of the scheduler, as the changes leave them."""
        for edit in self.edits:
            latents = edit.stepped(latents)
        return latents

    def mixed(self, layer: str, row: int, probs: torch.Tensor, of_row: OfRow) -> torch.Tensor:
        """The probabilities by which a row of a layer attends, as the changes leave them; see `Edit.mixed`."""
        for edit in self.edits:
            probs = edit.mixed(layer, row, probs, of_row)
        return probs

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
