"""How work stands, in one place: a bar, and beside it what is being done or what came of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from ..strings.wording import wording
from .messages import Message


class Status:
    """A bar and a line of words for the work that one button starts.

    The bar has a part more than the work has steps: it is full when the result is there, and not before.

    Args:
        bar: Whether there is a bar; where nothing can run, there is none.
    """

    def __init__(self, *, bar: bool = True) -> None:
        self._bar: Any = _bar() if bar else None
        self._message = Message()
        # As high as two lines: a text may need both, and nothing below may jump.
        row = widgets.Layout(width="100%", min_height="42px", align_items="center")
        self.widget: Any = widgets.HBox(
            [self._bar, self._message.widget] if bar else [self._message.widget], layout=row
        )
        self._started = time.monotonic()
        self._words, self._beside = "", ""
        self._error: BaseException | None = None

    @property
    def plain(self) -> str:
        """The words without markup."""
        return self._message.plain

    def start(self, what: str) -> None:
        """Sets the bar to 0, says `what`, and starts the clock."""
        self._started = time.monotonic()
        self._move("", 0)
        self.say(what)

    def reach(
        self, done: int, total: int, what: str = "step", *, run: int = 0, runs: int = 1, no_preview: str = ""
    ) -> None:
        """Shows that `done` of `total` are done.

        Args:
            what: What they are: "step", or "decoded" for pictures.
            run, runs: Which of how many runs this is, from 0.
            no_preview: Why there is no preview; "" where there is one.
        """
        parts = max(total, 1) + 1
        if self._bar is not None:
            self._bar.max = runs * parts
        self._move("", run * parts + done)
        said = wording(f"dashboard.reach.{what}", done=done, total=total)
        if no_preview:
            said = wording("dashboard.reach.no_preview", why=no_preview, reached=said)
        if runs > 1:
            said = wording("dashboard.reach.of_runs", run=run + 1, runs=runs, reached=said)
        self.go_on(said)

    def go_on(self, what: str) -> None:
        """Says what is being done now, and the seconds since the work began."""
        self.say(wording("dashboard.took", what=what, seconds=time.monotonic() - self._started))

    def say(self, what: str) -> None:
        """Says `what`; the bar stays."""
        self._words, self._error = what, None
        self._show()

    def tell(self, what: str) -> None:
        """Says `what`, which is about no work: the bar is empty."""
        self._move("", 0)
        self.say(what)

    def end(self, what: str) -> None:
        """Shows that the result is there; `what` says so."""
        self._move("success", None)
        self.say(what)

    def rest(self, what: str) -> None:
        """Shows that the work ended early, for the reason `what`."""
        if self._bar is not None:
            self._bar.bar_style = "warning"
        self.say(what)

    def fail(self, error: BaseException) -> None:
        """Shows that the work failed with `error`."""
        if self._bar is not None:
            self._bar.bar_style = "warning"
        self._error = error
        self._show()

    @contextmanager
    def also(self, what: str) -> Iterator[None]:
        """Within the block `what` stands behind the words: something small that is done besides."""
        self._beside = what
        self._show()
        try:
            yield
        finally:
            self._beside = ""
            self._show()

    def _move(self, style: str, value: int | None) -> None:
        """Moves the bar, where there is one; None is its end."""
        if self._bar is not None:
            self._bar.bar_style, self._bar.value = style, self._bar.max if value is None else value

    def _show(self) -> None:
        if self._error is not None:
            self._message.fail(self._error)
        else:
            self._message.say(" · ".join(filter(None, (self._words, self._beside))))


def _bar() -> Any:  # noqa: ANN401  (widgets have no types)
    return widgets.IntProgress(
        value=0, max=1, tooltip=wording("dashboard.bar"), layout=widgets.Layout(width="42%", min_width="80px")
    )
