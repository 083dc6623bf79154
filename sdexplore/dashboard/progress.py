"""The progress of the work under way: a bar that keeps its place when nothing runs."""

import time
from typing import Any

import ipywidgets as widgets

from ..base.display import escape


class Bar:
    """A progress bar; beside it stand the steps that are done and the seconds that they took."""

    def __init__(self) -> None:
        self._bar = widgets.IntProgress(
            value=0, max=1, tooltip="Steps done of this run", layout=widgets.Layout(width="42%", min_width="80px")
        )
        self._text = widgets.HTML(layout=widgets.Layout(width="56%"))
        # As high as two lines: a text may need both, and nothing below may jump.
        row = widgets.Layout(width="100%", min_height="42px", align_items="center")
        self.widget: Any = widgets.HBox([self._bar, self._text], layout=row)
        self._started = time.monotonic()

    def start(self, what: str = "waiting") -> None:
        """Sets the bar to 0, says `what`, and starts the clock."""
        self._started = time.monotonic()
        self._bar.bar_style, self._bar.value = "", 0
        self.say(what)

    def reach(self, done: int, total: int, what: str = "") -> None:
        """Shows that `done` of `total` steps are done; `what` stands before the numbers."""
        self._bar.max, self._bar.value = max(total, 1), done
        self.say(f"{what}{done} of {total} · {time.monotonic() - self._started:.1f} s")

    def say(self, what: str) -> None:
        """Shows `what` in the place of the steps."""
        self._text.value = f'<div style="line-height:1.3">{escape(what)}</div>'

    def end(self) -> None:
        """Shows that all steps are done."""
        self._bar.bar_style, self._bar.value = "success", self._bar.max

    def rest(self, what: str) -> None:
        """Shows that the work ended early; `what` ("stopped", "failed") stands in the place of the steps."""
        self._bar.bar_style = "warning"
        self.say(what)
