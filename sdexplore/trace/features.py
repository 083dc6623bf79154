"""What one module of the denoiser gave: an array with one row a denoiser call."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from ..base.display import Block, Line, counted
from ..base.errors import TraceError
from .layers import LayerRows, described, read_only
from .lazy import Part, StoredArray, made, on_touch

_AXES = 4  # call, channel, y, x


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Features(LayerRows):
    """The output of one module, and one role, in the module's own grid; one row a denoiser call.

    Attributes:
        values: As the module gave them. Where it gave tokens, those of the picture, laid out as the picture is.
        steps: The step of each call.
    """

    SECTION: ClassVar[str] = "features"
    FIELD: ClassVar[str] = "values"
    values: Float[np.ndarray, "call channel y x"]
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        part = self.part
        object.__setattr__(self, "values", part if isinstance(part, StoredArray) else read_only(part))
        if len(self.shape) != _AXES or self.dtype.kind != "f":
            raise TraceError(f"features are {described(self.part)}; they must be floats (call, channel, y, x)")
        if 0 in self.shape:
            raise TraceError(f"features are {described(self.part)}: they hold no number")
        if len(self.steps) != self.shape[0]:
            raise TraceError(f"features of {self.shape[0]} calls name {len(self.steps)} steps")

    @property
    def channels(self) -> int:
        """How many numbers a place has."""
        return self.shape[1]

    def to_json(self) -> list[int]:
        """The steps, as JSON."""
        return list(self.steps)

    @classmethod
    def from_json(cls, array: Part, said: Iterable[int]) -> "Features":
        """The features in `array` at the steps that `to_json` named."""
        return made(cls, {"values": array, "steps": tuple(said)})

    def blocks(self) -> list[Block]:
        """What the repr shows: one line."""
        calls, channels, y, x = self.shape
        of = f"{counted(channels, 'channel')}, {y} × {x} grid"
        return [Line(f"Features: {counted(calls, 'call')}, {of}, {self.dtype}")]


on_touch(Features, Features.FIELD)
