"""The large picture of a dashboard: the run that is shown, or the run under way while its picture grows."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from ..figures.titles import changed_in_words
from ..strings.wording import counted, wording
from ..trace.trace import Trace
from .controls import column
from .history import last_picture
from .messages import Caption
from .picture_boxes import blank, enlarged_png, picture_box

_SIDE = 320


class LatestPicture:
    """One picture with a caption of two lines. Picture and caption are of one run, always."""

    def __init__(self) -> None:
        none = wording("dashboard.latest.none")
        self.picture = picture_box(_SIDE, none)
        self.caption = Caption(none)
        self.widget: Any = column([self.picture, self.caption.widget], width=f"{_SIDE + 8}px", max_width="100%")
        self._grows = False

    def begin(self, seed: int, prompt: str | None, by: str) -> None:
        """Follows the run under way, until another one is shown.

        Args:
            by: What decodes its previews; "" for the linear one.
        """
        self._grows = True
        way = "dashboard.latest.under_way_by" if by else "dashboard.latest.under_way"
        self._say(wording(way, seed=seed, by=by, prompt=prompt or wording("run.no_prompt")))

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
            self._say(wording("dashboard.latest.none"))
            return
        seed, steps = wording("run.seed", seed=trace.call.get("seed")), counted(trace.num_steps, "step")
        said = [seed]
        if trace.call.get("stopped"):
            how = "dashboard.latest.stopped_x0" if trace.image is None else "dashboard.history.stopped"
            said.append(wording(how, steps=steps))
        elif trace.image is None:
            said = [wording("dashboard.latest.x0", seed=trace.call.get("seed"))]
        said += [changed_in_words(trace), trace.prompt or wording("run.no_prompt")]
        self._say(" · ".join(filter(None, said)))

    def _say(self, text: str) -> None:
        self.caption.say(text)
        self.picture.alt = wording("dashboard.latest.alt", caption=text)
