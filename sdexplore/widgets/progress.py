"""How far work under way is: a bar that keeps its place, also when nothing runs."""

import time
from typing import Any

import ipywidgets as widgets


class Bar:
    """A progress bar with the steps and the seconds written beside it."""

    def __init__(self) -> None:
        self._bar = widgets.IntProgress(
            value=0, max=1, tooltip="Steps done of this run", layout=widgets.Layout(width="60%", min_width="80px")
        )
        self._text = widgets.Label("", layout=widgets.Layout(width="38%"))
        self.widget: Any = widgets.HBox([self._bar, self._text], layout=widgets.Layout(width="100%"))
        self._started = time.monotonic()

    def start(self, what: str = "waiting") -> None:
        """Nothing is done yet."""
        self._started = time.monotonic()
        self._bar.bar_style, self._bar.value, self._text.value = "", 0, what

    def reach(self, done: int, total: int, what: str = "") -> None:
        """So many of `total` are done."""
        self._bar.max, self._bar.value = max(total, 1), done
        self._text.value = f"{what}{done} of {total} · {time.monotonic() - self._started:.1f} s"

    def say(self, what: str) -> None:
        """Says what else is being done, in the place of the steps."""
        self._text.value = what

    def end(self) -> None:
        """All is done."""
        self._bar.bar_style, self._bar.value = "success", self._bar.max

    def rest(self) -> None:
        """Ended before its end."""
        self._bar.bar_style = "warning"
