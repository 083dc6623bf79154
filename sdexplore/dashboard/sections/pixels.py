"""The section "Pixels": the words of the pixel under the pointer, computed in the browser."""

from typing import Any, ClassVar

from ...figures.picture import Picture
from ...trace.trace import Trace
from ..board import Board
from ..controls import column
from ..linked_explorer import LinkedExplorer
from .section import Section


class PixelsSection(Section):
    """The linked explorer of the trace that is shown."""

    title: ClassVar[str] = "Pixels"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._linked: Any = None
        self._of: Trace | None = None
        self.widget = column([self.message.widget], padding="6px 0")

    def _draw(self) -> None:
        trace = self._trace()
        if self._of is trace:
            return
        self.forget()
        self._linked, self._of = LinkedExplorer(trace), trace
        self.widget.children = [self._linked, self.message.widget]
        self.message.say("")

    def figure(self) -> Picture:
        """The word maps as a figure; of a trace without them, its denoising or its latents."""
        return LinkedExplorer(self._trace()).snapshot() if self._linked is None else self._linked.snapshot()

    def forget(self) -> None:
        """Drops the trace, and closes the widget in the browser."""
        super().forget()
        self.widget.children = [self.message.widget]
        if self._linked is not None:
            self._linked.close()
        self._linked = self._of = None
