"""The large picture of a dashboard: the run that is shown, or the run under way while its picture grows."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from ..base.display import counted
from ..figures.titles import changed_in_words
from ..trace.trace import Trace
from .controls import column
from .history import last_picture
from .messages import Caption
from .picture_boxes import blank, enlarged_png, picture_box

_SIDE = 320
_NONE = "The picture grows here."


class LatestPicture:
    """One picture with a caption of two lines. Picture and caption are of one run, always."""

    def __init__(self) -> None:
        self.picture = picture_box(_SIDE, _NONE)
        self.caption = Caption(_NONE)
        self.widget: Any = column([self.picture, self.caption.widget], width=f"{_SIDE + 8}px", max_width="100%")
        self._grows = False

    def begin(self, seed: int, prompt: str | None, by: str) -> None:
        """Follows the run under way, until another one is shown.

        Args:
            by: What decodes its previews; "" for the linear one.
        """
        self._grows = True
        self._say(f"under way: seed {seed} · {f'decoded by {by} · ' if by else ''}{prompt or 'no prompt'}")

    def grow(self, pixels: UInt8[np.ndarray, "Y X 3"]) -> None:
        """Shows the newest preview of the run that is followed."""
        if self._grows:
            self.picture.value = enlarged_png(pixels, _SIDE)

    def end(self, trace: Trace) -> None:
        """Shows what came of the run that is followed."""
        if self._grows:
            self.show(trace)

    def show(self, trace: Trace | None) -> None:
        """Shows the picture of `trace`; without a trace, an empty place for it."""
        self._grows = False
        self.picture.value = blank() if trace is None else last_picture(trace)
        if trace is None:
            self._say(_NONE)
            return
        stopped = f" · stopped after {counted(trace.num_steps, 'step')}" if trace.call.get("stopped") else ""
        how = f"{stopped}, the last predicted x0" if trace.image is None else stopped
        changed = f" · {changed}" if (changed := changed_in_words(trace)) else ""
        self._say(f"seed {trace.call.get('seed')}{how}{changed} · {trace.prompt or 'no prompt'}")

    def _say(self, text: str) -> None:
        self.caption.say(text)
        self.picture.alt = f"The picture of a run, {text}"
