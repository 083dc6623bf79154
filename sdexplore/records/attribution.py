"""What each word of a prompt has to do with a region of the picture, by one of four definitions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np
from jaxtyping import Float32, UInt8

from ..base.display import Block, Line, Shown, Table, clip
from ..strings.wording import table

Method = Literal["gradient", "knock-out", "occlusion", "attention"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

DEFINITIONS: Final[Mapping[Method, str]] = {one: table("en")[f"attribution.definition.{one}"] for one in METHODS}
UNITS: Final[Mapping[Method, str]] = {one: table("en")[f"attribution.unit.{one}"] for one in METHODS}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attribution(Shown):
    """A score for each word of a prompt, of one region of the picture at one step, by one method.

    Scores of one method can be compared with each other; those of two have different units. They need not add up.

    Attributes:
        prompt: The whole prompt.
        words: As asked for; all occurrences of a word together.
        scores: One a word, from 0, in `unit`.
        others: The same score of all columns together that belong to no word asked for: start, end, padding, other
            words. NaN of "occlusion", which has no columns.
        method: One of METHODS.
        region: As it was given: a box in pixels of the picture, a mask, or None for the whole picture.
        weights: How much of each latent pixel lies in the region, 0 to 1.
        step: Of the trace, at whose latents the denoiser was asked.
        timestep: Its training time.
        last: Through how many calls of the denoiser the gradient was followed, back from that of `step`; 1 of others.
        deviation: Largest difference between the prediction made again and the trace's; NaN of "attention", which
            makes none.
        prediction_type: What the model predicts: "epsilon" is the ε of the definitions, "v_prediction" a velocity.
        fingerprint: Of the trace.
        image: The run's picture, (Y, X, 3); None where the trace has none.
        asked: The words that the user named, or positions; None for each different word of the prompt.
        run: How the trace was made, as `trace.facts.facts_of` says it; empty if it is not known.
    """

    prompt: str
    words: tuple[str, ...]
    scores: Float32[np.ndarray, " word"]
    others: float
    method: Method
    region: tuple[int | float, ...] | np.ndarray | None
    weights: Float32[np.ndarray, "y x"]
    step: int
    timestep: float
    last: int = 1
    deviation: float
    prediction_type: str
    fingerprint: str
    image: UInt8[np.ndarray, "Y X 3"] | None = None
    asked: tuple[Any, ...] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def definition(self) -> str:
        """What a score is, as a part of a sentence."""
        through = "" if self.last == 1 else f", followed back through {self.last} calls of the denoiser"
        return DEFINITIONS[self.method] + through

    @property
    def unit(self) -> str:
        """What a score is, in a few words."""
        return UNITS[self.method]

    @property
    def area(self) -> float:
        """The region's share of the picture."""
        return float(self.weights.mean())

    @property
    def ranking(self) -> tuple[int, ...]:
        """The words by their score, the highest first, as indices of `words`."""
        return tuple(int(i) for i in np.argsort(-self.scores, kind="stable"))

    @property
    def shares(self) -> Float32[np.ndarray, " word"]:
        """Each score as a share of the sum over the words; NaN where all are 0."""
        total = float(self.scores.sum(dtype=np.float64))
        return np.asarray(self.scores / total if total else np.full_like(self.scores, np.nan), np.float32)

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a word, the highest score first, and what a score is."""
        shares = self.shares
        rows = [(clip(self.words[i], 40), f"{self.scores[i]:.3g}", f"{shares[i]:.2f}") for i in self.ranking]
        headers = ("word", self.unit, "share of the words' sum")
        where = "the whole picture" if self.region is None else f"a region ({self.area:.1%} of the picture)"
        behind = "" if np.isnan(self.others) else f"; all other columns together {self.others:.3g}"
        return [
            Line(f"What the words of “{clip(self.prompt)}” have to do with {where}: {self.method}", strong=True),
            Table(headers, rows, frozenset(headers[1:])),
            Line(f"step {self.step} (t {self.timestep:.0f}) of trace {self.fingerprint}{behind}"),
            Line(f"A score is {self.definition}."),
        ]
