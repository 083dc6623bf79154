"""What each layer and head does to the noise prediction by what it reads of a word, and as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from jaxtyping import Float32

from ..base.display import Block, Line, Shown, Table, clip

FEWEST: Final = 10  # points of a correlation: even over ten, chance alone gives ±0.65 once in twenty
_MOST = 12  # heads in the repr


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HeadEffects(Shown):
    """What changes in the conditional noise prediction where a head does not read a word, or is not there at all.

    An effect is the root mean square, over pixels and channels, of the change of the prediction at a run's own latents.
    Effects do not add up: heads act together, and what one head leaves out changes what later layers see.

    Attributes:
        prompt, word: The whole prompt; the word, all its occurrences together.
        layers: Names of the layers that attend to words, in the network's order.
        heads: How many heads each of them has. What is said of heads has a place for each, in this order: the first
            layer's heads from 0, then the second's; `table` makes a row a layer of it.
        reading: Without the head's reading of the word: the word's values are 0 in this head.
        whole: Without the head: it gives 0.
        attention: Mean over the picture of the probability that the head pays the word, in the unchanged call.
        layer_reading, layer_whole: The effects of all heads of a layer at once.
        correlations: Spearman's rank correlations of attention to the word and the two effects, over heads ("head:
            reading ~ attention") and over layers, whose attention is the mean of their heads'. NaN where there are
            fewer than two, or one of both is the same everywhere. Over few points they say nothing: `telling` has
            those over ten or more, and only these are printed.
        of_prompt: Root mean square of ε(x_t, prompt) − ε(x_t, ""), to compare with.
        step: Of the trace, at whose latents the denoiser was asked.
        timestep: Its training time.
        deviation: Largest difference between the prediction made again and the trace's.
        prediction_type: What the model predicts.
        fingerprint: Of the trace.
        asked: The word as the user named it, or positions.
        chosen: The layers that the user named; None for all.
        run: How the trace was made, as `trace.facts.facts_of` says it; empty if it is not known.
    """

    prompt: str
    word: str
    layers: tuple[str, ...]
    heads: tuple[int, ...]
    reading: Float32[np.ndarray, " place"]
    whole: Float32[np.ndarray, " place"]
    attention: Float32[np.ndarray, " place"]
    layer_reading: Float32[np.ndarray, " layer"]
    layer_whole: Float32[np.ndarray, " layer"]
    correlations: Mapping[str, float]
    of_prompt: float
    step: int
    timestep: float
    deviation: float
    prediction_type: str
    fingerprint: str
    asked: Any = None
    chosen: tuple[str, ...] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    def table(self, values: Float32[np.ndarray, " place"]) -> Float32[np.ndarray, "layer head"]:
        """What is said of heads, a row a layer; NaN where a layer has fewer heads than another."""
        made = np.full((len(self.heads), max(self.heads)), np.nan, np.float32)
        made[np.arange(max(self.heads)) < np.array(self.heads)[:, None]] = values
        return made

    @property
    def ranking(self) -> tuple[tuple[str, int], ...]:
        """(layer, head) by what its reading of the word does, the strongest first."""
        places = [(name, head) for name, count in zip(self.layers, self.heads, strict=True) for head in range(count)]
        return tuple(places[int(i)] for i in np.argsort(-self.reading, kind="stable"))

    @property
    def telling(self) -> dict[str, float]:
        """The correlations over ten points or more: what repr and figure print. Those over fewer are chance."""
        points = {"head": len(self.reading), "layer": len(self.layers)}
        return {name: rho for name, rho in self.correlations.items() if points[name.partition(":")[0]] >= FEWEST}

    def blocks(self) -> list[Block]:
        """What the repr shows: the strongest heads by their reading, and how the rankings agree."""
        tables = [self.table(one) for one in (self.reading, self.whole, self.attention)]
        headers = ("layer", "head", "reading", "whole head", "attention")
        rows = [
            (clip(layer, 60), str(head), *(f"{one[self.layers.index(layer), head]:.3g}" for one in tables))
            for layer, head in self.ranking[:_MOST]
        ]
        told = ", ".join(f"{name} {value:+.2f}" for name, value in self.telling.items() if np.isfinite(value))
        return [
            Line(f"Heads by what their reading of {clip(self.word)!r} does to the prediction", strong=True),
            Line(
                f"RMS change at step {self.step} (t {self.timestep:.0f}) of trace {self.fingerprint}; the whole prompt "
                f"makes {self.of_prompt:.3g}"
            ),
            Table(headers, rows, frozenset(headers[1:])),
            Line(f"Rank correlations: {told}" if told else "Too few heads to correlate."),
        ]
