"""From pixels to words: which word wins at each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError
from ..trace.trace import Steps, Trace
from .attention import word_maps
from .selection import Heads, Layers, Selection, Word, label, words_of


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation(Shown):
    """The winner among words at each latent pixel.

    Attributes:
        words: The words that competed.
        winner: Index into words; of a tie the first.
        margin: The winner's map (of its own maximum) less the second's, of the two's sum: 0 a tie, 1 alone.
    """

    words: tuple[str, ...]
    winner: Int[np.ndarray, "y x"]
    margin: Float32[np.ndarray, "y x"]

    def mask(self, word: str) -> Bool[np.ndarray, "y x"]:
        """Where `word` won; TraceError if the word did not compete."""
        if word not in self.words:
            raise TraceError(f"{word!r} did not compete; these did: {', '.join(map(repr, self.words))}")
        return np.asarray(self.winner == self.words.index(word))

    def blocks(self) -> list[Block]:
        """What the repr shows: each word's share of the picture and its mean margin there."""
        won = {word: self.mask(word) for word in self.words}
        rows = [
            (clip(word, 40), f"{mask.mean():.1%}", f"{self.margin[mask].mean():.2f}" if mask.any() else "–")
            for word, mask in won.items()
        ]
        headers = ("word", "pixels won", "mean margin")
        y, x = self.winner.shape
        return [
            Line(f"Which of {len(self.words)} words wins at each of {y} × {x} pixels", strong=True),
            Table(headers, rows, frozenset(headers[1:])),
        ]


def segmentation(
    trace: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> Segmentation:
    """Which of the words each latent pixel looks at most, each map divided by its own maximum.

    Without that division a word with much attention everywhere would win everywhere. This does not say that a pixel
    *belongs* to a word: at every pixel one word wins, so look at the margin.

    Raises:
        TraceError: Fewer than two different words; or as `word_map`.
    """
    return winners_of(trace, words, Selection(role, steps, layers, heads))


def winners_of(trace: Trace, words: Word | Sequence[Word] | None, selection: Selection) -> Segmentation:
    """`segmentation` by what is selected."""
    chosen = {label(word): word for word in words_of(trace, selection.role, words)}
    if len(chosen) < 2:  # noqa: PLR2004  (a competition)
        raise TraceError(f"segmentation needs two different words or more to compete; this is {list(chosen)}")
    maps = np.stack(word_maps(trace, tuple(chosen.values()), selection))
    maps = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    second, first = np.sort(maps, axis=0)[-2:]
    margin = (first - second) / np.maximum(first + second, np.finfo(np.float32).tiny)
    return Segmentation(tuple(chosen), maps.argmax(axis=0), np.asarray(margin, np.float32))
