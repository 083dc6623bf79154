"""The picture that is looked at, or that grows, and what it is."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from ..base.display import counted
from ..trace.trace import Trace
from .controls import Caption, blank, column, picture_box, png
from .history import last_picture

_SIDE = 320
_NONE = "The picture grows here."


class Latest:
    """One picture with a caption of two lines; other pictures take its place without a jump."""

    def __init__(self) -> None:
        self.picture = picture_box(_SIDE)
        self.caption = Caption(_NONE)
        self.widget: Any = column([self.picture, self.caption.widget], width=f"{_SIDE + 8}px", max_width="100%")

    def grow(self, pixels: UInt8[np.ndarray, "Y X 3"]) -> None:
        """Shows how far a run is."""
        self.picture.value = png(pixels, least=_SIDE)

    def begin(self, seed: int, prompt: str | None) -> None:
        """Says what is under way."""
        self.caption.say(f"under way: seed {seed} · {prompt or 'no prompt'}")

    def show(self, trace: Trace | None) -> None:
        """Shows a trace's picture; without one the place for it."""
        self.picture.value = blank() if trace is None else last_picture(trace)
        if trace is None:
            self.caption.say(_NONE)
            return
        stopped = f" · stopped after {counted(trace.num_steps, 'step')}" if trace.call.get("stopped") else ""
        how = f"{stopped}, the last predicted x0" if trace.image is None else stopped
        self.caption.say(f"seed {trace.call.get('seed')}{how} · {trace.prompt or 'no prompt'}")
