"""One frame of a video's way, as a trace that is like a picture's: what shows pictures shows it unchanged."""

from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

import numpy as np

from ..base.errors import TraceError
from ..strings.wording import wording
from .declaration import parts_in
from .frame_axis import BY_ROLE, FRAMED, latent_frames, middle
from .lazy import Part, StoredArray, StoredArrays, StoredFrame, held, row_of
from .step_decoding import NAMES, StepPictures
from .trace import Trace

_SHOWN = "shown_frame"


@dataclass(frozen=True)
class ShownFrame:
    """Which frame of a video a trace shows.

    Attributes:
        number: Of the latents' frame, from 0, of `of`.
        frame: Of the video's frame that stands beside it, from 0, of `frames`; None where no video was drawn.
    """

    number: int
    of: int
    frame: int | None = None
    frames: int = 0

    def in_words(self) -> str:
        """As titles and alt texts name it, in the language of the options."""
        if self.frame is None:
            return wording("frame.latent", number=self.number, of=self.of)
        return wording("frame.video", number=self.number, of=self.of, frame=self.frame, frames=self.frames)


def one_frame(trace: Trace, frame: SupportsIndex | None = None) -> Trace:
    """The trace of one frame: latents, predictions and x0 are (step, channel, y, x), and `image` is that frame.

    It has the fingerprint of the whole. Nothing is read or decoded. Pictures of steps are those of the middle frame;
    another frame has linear previews alone. A trace of a picture is returned as it is.

    Args:
        frame: Of the latents, from 0; negative ones count from the end. None: the middle one. Beside frame k of n
            stands frame k (N − 1) / (n − 1) of the video's N, and the middle one beside the middle one.

    Raises:
        TraceError: The frame lies beyond the video, or the trace is of a picture and has none.
    """
    frames = latent_frames(trace)
    if frames is None and not trace.video:
        if frame is None:
            return trace
        raise TraceError(f"frame={frame!r}: trace {trace.fingerprint} is of a picture, which has no frames")
    of = frames or 1
    number = _checked(frame, of)
    shown = _shown(trace, number, of)
    changes: dict[str, object] = {"frames": None}
    if frames is not None:
        for name in FRAMED:
            value = held(trace, name)
            if name == BY_ROLE:
                changes[name] = StoredArrays({role: _frame(part, number) for role, part in parts_in(value).items()})
            elif value is not None:
                changes[name] = _frame(value, number)
    if shown.frame is not None and number != middle(of):
        changes["image"] = row_of(held(trace, "frames"), shown.frame)
    if number != middle(of):
        changes |= {name: StepPictures({}) for name in NAMES}
    still = trace.altered(**changes)
    vars(still).update({"fingerprint": trace.fingerprint, _SHOWN: shown})
    return still


def shown_frame(trace: Trace) -> ShownFrame | None:
    """Which frame of a video this trace shows: of one that `one_frame` made; None of every other."""
    found: ShownFrame | None = vars(trace).get(_SHOWN)
    return found


def _checked(frame: SupportsIndex | None, of: int) -> int:
    number = middle(of) if frame is None else index(frame)
    if not -of <= number < of:
        raise TraceError(f"frame={frame!r}: the latents of this video have {of} frames, 0 to {of - 1}")
    return number % of


def _shown(trace: Trace, number: int, of: int) -> ShownFrame:
    shape = trace.shape_of("frames")
    if shape is None:
        return ShownFrame(number, of)
    frames = shape[0]
    beside = middle(frames) if number == middle(of) else round(number * (frames - 1) / max(1, of - 1))
    return ShownFrame(number, of, beside, frames)


def _frame(part: Part, number: int) -> Part:
    return StoredFrame(part, number) if isinstance(part, StoredArray) else np.asarray(part[:, :, number])
