"""The section "Pixels": the words of the pixel under the pointer, computed in the browser."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ...figures.picture import Picture
from ...trace.trace import Trace
from ..article_form import ArticleForm
from ..board import Board
from ..controls import close, column
from ..language import as_now
from ..linked_explorer import LinkedExplorer
from .section import Section


class PixelsSection(Section):
    """The linked explorer of the trace that is shown.

    Its steps are linear previews until one looks at a step: then they are decoded, and it shows them when all are.
    """

    title: ClassVar[str] = "Pixels"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._linked: Any = None
        self._of: tuple[Trace, tuple[int, ...]] | None = None
        self._form = ArticleForm(board.article, self.figure)
        self.widget = column([self.message.widget], padding="6px 0")
        board.decoding.follow(self._decoded)

    def _draw(self) -> None:
        trace = self._trace()
        if self._of == (trace, _made(trace)):
            return
        self.forget()
        self._linked, self._of = LinkedExplorer(trace), (trace, _made(trace))
        self._linked.observe(as_now(self._looked), "state")
        self.widget.children = [self._linked, self.message.widget, self._form.widget]
        self.message.say("")

    def _looked(self, change: Mapping[str, Any]) -> None:
        """Wants the steps decoded once one looks at a step."""
        trace, state = self.board.trace, change["new"]
        if trace is not None and state.get("view") in ("x0", "x_t"):
            self.board.decoding.want(trace, state.get("step") or trace.num_steps - 1)

    def _decoded(self) -> None:
        """Shows the pictures of steps when all are decoded, with all else as it is."""
        trace, linked = self.board.trace, self._linked
        if (
            linked is None
            or trace is None
            or self.board.decoding.said_of(trace)
            or self.board.state.section != self.title
        ):
            return
        if self._of != (trace, _made(trace)):
            self._attempt(linked.pack)
            self._of = (trace, _made(trace))

    def rested(self) -> None:
        """Goes on to decode, if a run came between."""
        if self._linked is not None:
            self._looked({"new": self._linked.state})

    def figure(self) -> Picture:
        """The word maps as a figure; of a trace without them, its denoising or its latents."""
        return LinkedExplorer(self._trace()).snapshot() if self._linked is None else self._linked.snapshot()

    def forget(self) -> None:
        """Drops the trace, and closes the widget in the browser."""
        super().forget()
        self.widget.children = [self.message.widget]
        if self._linked is not None:
            close(self._linked)
        self._linked = self._of = None
        self._form.fold()

    def close(self) -> None:
        """Drops everything."""
        super().close()
        close(self._form.widget)


def _made(trace: Trace) -> tuple[int, ...]:
    """The pictures of steps that are there."""
    return (*trace.pictures("decoded").made, *trace.pictures("decoded_x0").made)
