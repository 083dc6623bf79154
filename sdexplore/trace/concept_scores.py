"""How alike concepts and picture are in one layer of a run: words that the prompt need not have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32

from ..base.display import Block, Line, clip, counted
from ..base.errors import TraceError
from .layers import LayerRows, described, read_only
from .lazy import Part, StoredArray, made, on_touch


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConceptScores(LayerRows):
    """Scores of concepts in one joint layer and one role, for `concept_maps`; one row per denoiser call.

    Attributes:
        scores: What a concept takes from the layer times what the pixel takes from it, over all heads: no probability,
            of any sign and size. y and x are the layer's own grid.
        steps: The step of each call.
        concepts: The text of each.
    """

    SECTION: ClassVar[str] = "attention"  # of a file's header, which names the field too
    FIELD: ClassVar[str] = "scores"
    scores: Float32[np.ndarray, "call y x concept"]
    steps: tuple[int, ...]
    concepts: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", self.part if isinstance(self.part, StoredArray) else read_only(self.part))
        if len(self.shape) != 4 or self.dtype != np.float32:  # noqa: PLR2004  (call, y, x, concept)
            raise TraceError(f"concepts are {described(self.part)}; they must be float32 (call, y, x, concept)")
        if 0 in self.shape:
            raise TraceError(f"concepts are {described(self.part)}: they hold no number")
        if len(self.steps) != self.shape[0]:
            raise TraceError(f"concepts of {self.shape[0]} calls name {len(self.steps)} steps")
        if len(self.concepts) != self.shape[-1] or not all(isinstance(one, str) for one in self.concepts):
            raise TraceError(f"scores of {self.shape[-1]} concepts name {clip(repr(self.concepts))}")

    @property
    def grid(self) -> tuple[int, int]:
        """The layer's own grid (y, x)."""
        return self.shape[1], self.shape[2]

    def to_json(self) -> dict[str, Any]:
        """Everything but the scores, as JSON."""
        return {"steps": list(self.steps), "concepts": list(self.concepts)}

    @classmethod
    def from_json(cls, array: Part, said: Mapping[str, Any]) -> "ConceptScores":
        """The scores in `array` that `to_json` described."""
        return made(cls, {"scores": array, "steps": tuple(said["steps"]), "concepts": tuple(said["concepts"])})

    def blocks(self) -> list[Block]:
        """What the repr shows: one line."""
        calls, y, x, many = self.shape
        return [Line(f"ConceptScores: {counted(calls, 'call')}, {y} × {x} grid, {counted(many, 'concept')}")]


on_touch(ConceptScores, ConceptScores.FIELD)
