"""What all sections of a dashboard have in common."""

from collections.abc import Callable
from typing import Any, ClassVar

from ...base.errors import TraceError
from ...figures.picture import Picture
from ...strings.wording import wording
from ...trace.trace import Trace
from ..board import Board
from ..controls import close
from ..messages import Message
from ..picture_boxes import PictureBox


class Section:
    """One section. It is drawn when its tab is open and its content has changed, never before.

    Attributes:
        title: Its name, the value of `state.section`; its tab bears `label`.
        uses: The values of the state whose change draws it again.
        needs_trace: Whether it shows nothing before the first run.
        always_drawn: Whether it is drawn each time its tab is opened.
        widget: The content of its tab.
    """

    title: ClassVar[str] = ""
    uses: ClassVar[tuple[str, ...]] = ()
    needs_trace: ClassVar[bool] = True
    always_drawn: ClassVar[bool] = False

    def __init__(self, board: Board) -> None:
        self.board = board
        self.message = Message()
        self.box = PictureBox(board.article, board.written)
        self._boxes: dict[PictureBox, None] = {}
        self.widget: Any = None

    @property
    def label(self) -> str:
        """What its tab bears: the title in the language of the dashboard."""
        return wording(f"dashboard.tab.{self.title.lower()}")

    def draw(self) -> None:
        """Draws the section; an error is shown in it, in words."""
        if self.board.trace is None and self.needs_trace:
            self.say_that_nothing_is_there()
            return
        if not self._attempt(self._draw):
            self.clear()

    def say_that_nothing_is_there(self) -> None:
        """Says why the section shows nothing before the first run, and what to do."""
        waits = wording("dashboard.nothing_yet.started")
        self.message.say(waits if self.board.busy else self.board.nothing_yet)

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Calls `act`; an error is shown in the section. Returns whether there was none."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self.message.fail(error)
            return False
        return True

    def _draw(self) -> None:
        raise TypeError(f"{type(self).__name__} does not say what it draws")

    def figure(self) -> Picture:
        """The figure of the section, for a snapshot or an article.

        Raises:
            TraceError: The section has no figure yet.
        """
        if self.box.picture is None:
            self.draw()
        if self.box.picture is None:
            raise TraceError(f"the section {self.title!r} has no figure to give: {self.message.plain}")
        return self.box.picture

    def _trace(self) -> Trace:
        if self.board.trace is None:
            raise TraceError(self.board.nothing_yet)
        return self.board.trace

    def _show(self, make: Callable[[], Picture], box: PictureBox | None = None) -> None:
        """Draws the figure that `make` makes."""
        box = box or self.box
        box.show(make, self.board.page)
        self._boxes[box] = None
        self.message.say("")

    def _redraw(self, make: Callable[[], Picture]) -> None:
        """As `_show`, for a figure that every move of a control draws again; `make` may be called again later."""
        self.box.redraw(make, self.board.page)
        self._boxes[self.box] = None
        self.message.say("")

    def rested(self) -> None:
        """Called while the section is open, when the work under way has ended."""

    def waits(self) -> None:
        """Called while the section is open, when work begins."""

    def follow_page(self) -> None:
        """Draws the figures again if the page has another theme or width than they were drawn for."""

        def again() -> None:
            for box in self._boxes:
                box.follow(self.board.page)

        self._attempt(again)

    def clear(self) -> None:
        """Removes what is drawn; it can be drawn again."""
        self.box.clear()

    def forget(self) -> None:
        """Removes what is drawn, and drops what it was drawn from."""
        self.clear()

    def close(self) -> None:
        """Drops everything, including the widgets that are not in the page."""
        self.forget()
        close(self.box.widget)
