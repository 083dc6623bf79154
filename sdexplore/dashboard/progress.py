"""How far work under way is: a bar that keeps its place, also when nothing runs."""

import time
from typing import Any

import ipywidgets as widgets

from ..base.display import escape


class Bar:
    """A progress bar with the steps and the seconds written beside it."""

    def __init__(self) -> None:
        self._bar = widgets.IntProgress(
            value=0, max=1, tooltip="Steps done of this run", layout=widgets.Layout(width="42%", min_width="80px")
        )
        self._text = widgets.HTML(layout=widgets.Layout(width="56%"))
        # As high as two lines, for what is being done may take two to say, and nothing beneath shall jump.
        row = widgets.Layout(width="100%", min_height="42px", align_items="center")
        self.widget: Any = widgets.HBox([self._bar, self._text], layout=row)
        self._started = time.monotonic()

    def start(self, what: str = "waiting") -> None:
        """Nothing is done yet."""
        self._started = time.monotonic()
        self._bar.bar_style, self._bar.value = "", 0
        self.say(what)

    def reach(self, done: int, total: int, what: str = "") -> None:
        """So many of `total` are done."""
        self._bar.max, self._bar.value = max(total, 1), done
        self.say(f"{what}{done} of {total} · {time.monotonic() - self._started:.1f} s")

    def say(self, what: str) -> None:
        """Says what else is being done, in the place of the steps."""
        self._text.value = f'<div style="line-height:1.3">{escape(what)}</div>'

    def end(self) -> None:
        """All is done."""
        self._bar.bar_style, self._bar.value = "success", self._bar.max

    def rest(self, what: str) -> None:
        """Ended before its end; `what` stands in the place of the steps."""
        self._bar.bar_style = "warning"
        self.say(what)
