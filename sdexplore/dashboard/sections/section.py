"""A section of a dashboard: what is the same of all of them."""

from collections.abc import Callable
from typing import Any, ClassVar

from ...base.errors import TraceError
from ...figures.picture import Picture
from ...trace.trace import Trace
from ..board import Board
from ..controls import Message, PictureBox, close


class Section:
    """One section. It is drawn when it is open and what it shows has changed, never before.

    Attributes:
        title: As its tab names it, and as `state.section` holds it.
        uses: The values of the state upon whose change it is drawn anew.
        needs_trace: Whether it has nothing to show before the first run.
        widget: What is shown.
    """

    title: ClassVar[str] = ""
    uses: ClassVar[tuple[str, ...]] = ()
    needs_trace: ClassVar[bool] = True

    def __init__(self, board: Board) -> None:
        self.board = board
        self.message = Message()
        self.box = PictureBox()
        self.widget: Any = None

    def draw(self) -> None:
        """Draws what there is to show; an error is said in the section, in words."""
        if self.board.trace is None and self.needs_trace:
            self.say_that_nothing_is_there()
            return
        if not self._attempt(self._draw):
            self.box.clear()

    def say_that_nothing_is_there(self) -> None:
        """Says why there is nothing to show before the first run, and what to do."""
        waits = "The run that was started is shown here when it is done."
        self.message.say(waits if self.board.busy else "Nothing has been run yet: press Run.")

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Does it, and says in the section what went wrong; whether it went well."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  (said to the person who looks)
            self.message.fail(error)
            return False
        return True

    def _draw(self) -> None:
        raise TypeError(f"{type(self).__name__} does not say what it draws")

    def figure(self) -> Picture:
        """The figure of what the section shows, for a snapshot or an article.

        Raises:
            TraceError: There is nothing to draw yet.
        """
        if self.box.picture is None:
            self.draw()
        if self.box.picture is None:
            raise TraceError(f"the section {self.title!r} has no figure to give: {self.message.plain}")
        return self.box.picture

    def _trace(self) -> Trace:
        if self.board.trace is None:
            raise TraceError("nothing has been run yet: press Run")
        return self.board.trace

    def _show(self, make: Callable[[], Picture], box: PictureBox | None = None) -> None:
        """Draws the figure that `make` gives, and keeps it as the one that Export takes."""
        box = box or self.box
        box.show(make())
        self.board.given = box.given
        self.message.say("")

    def _redraw(self, make: Callable[[], Picture]) -> None:
        """As `_show`, for figures that are drawn again at every move of a control; `make` is called again later."""
        self.box.redraw(make)
        self.board.given = self.box.given
        self.message.say("")

    def forget(self) -> None:
        """Lets go of everything drawn."""
        self.box.clear()

    def close(self) -> None:
        """Lets go of everything, the widgets that are not in the page included."""
        self.forget()
        close(self.box.widget)
