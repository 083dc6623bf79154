"""From pixels to words: which words a region looks at, and which word wins at each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int

from ..display import Block, Line, Shown, Table, clip
from ..errors import TraceError
from ..trace import Trace
from .attention import word_map
from .selection import Heads, Layers, Steps, Word, label, words_of

Region = tuple[float, float, float, float] | Bool[np.ndarray, "Y X"]


@dataclass(frozen=True, repr=False)
class RegionWords(Shown):
    """Words ranked by how much a region looks at them.

    Attributes:
        words: As asked for, most looked at first.
        inside: Mean attention probability over the region, one a word.
        ratio: That against the mean over the rest of the picture; inf where the region is the whole picture.
        area: The region's share of the picture, 0..1.
    """

    words: tuple[str, ...]
    inside: tuple[float, ...]
    ratio: tuple[float, ...]
    area: float

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a word."""
        rows = [
            (clip(w, 40), f"{p:.4f}", f"{r:.2f}") for w, p, r in zip(self.words, self.inside, self.ratio, strict=True)
        ]
        head = Line(f"Words that this region looks at ({self.area:.1%} of the picture)", strong=True)
        return [
            head,
            Table(("word", "probability inside", "× outside"), rows, frozenset({"probability inside", "× outside"})),
        ]


def region_words(
    trace: Trace,
    region: Region,
    words: Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> RegionWords:
    """The words of the prompt, ranked by the mean attention that the pixels of a region pay them.

    Args:
        region: A box (left, top, right, bottom) in image pixels, or a mask (Y, X) of any size laid over the picture.
        words: Which words; None: every word of the prompt.
        role, steps, layers, heads: As `word_map` takes them.

    Raises:
        TraceError: The region is empty or lies outside the picture; or as `word_map`.
    """
    chosen = words_of(trace, role, words)
    maps = {label(w): word_map(trace, w, role=role, steps=steps, layers=layers, heads=heads) for w in chosen}
    weights = region_weights(trace, region, next(iter(maps.values())).shape)
    outside = 1 - weights
    inside = {name: float((pixels * weights).sum() / weights.sum()) for name, pixels in maps.items()}
    beside = {
        name: float((pixels * outside).sum() / outside.sum()) if outside.sum() else 0.0 for name, pixels in maps.items()
    }
    ranked = sorted(inside, key=lambda name: -inside[name])
    return RegionWords(
        words=tuple(ranked),
        inside=tuple(inside[name] for name in ranked),
        ratio=tuple(inside[name] / beside[name] if beside[name] else float("inf") for name in ranked),
        area=float(weights.mean()),
    )


def region_weights(trace: Trace, region: Region, shape: tuple[int, ...]) -> Float32[np.ndarray, "y x"]:
    """How much of each pixel of a grid lies in the region, 0..1."""
    mask = region.astype(np.float32) if isinstance(region, np.ndarray) else _box(trace, region)
    rows, columns = (_areas(old, new) for old, new in zip(mask.shape, shape, strict=True))
    weights = rows @ mask @ columns.T
    if not weights.any():
        raise TraceError("this region is empty: it holds no pixel of the picture")
    return np.asarray(weights, np.float32)


def _box(trace: Trace, box: tuple[float, float, float, float]) -> Float32[np.ndarray, "Y X"]:
    size = trace.recorded("image").shape[:2] if trace.image is not None else None
    if size is None:
        raise TraceError("a box is in pixels of the picture, and this trace has none; give a mask instead")
    left, top, right, bottom = box
    if not (0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]):
        raise TraceError(
            f"the box {tuple(box)} is not (left, top, right, bottom) inside a picture {size[1]} wide and {size[0]} high"
        )
    y, x = (np.arange(side, dtype=np.float32) for side in size)
    rows = np.clip(np.minimum(y + 1, bottom) - np.maximum(y, top), 0, 1)
    columns = np.clip(np.minimum(x + 1, right) - np.maximum(x, left), 0, 1)
    return np.asarray(rows[:, None] * columns[None, :], np.float32)


def _areas(old: int, new: int) -> Float32[np.ndarray, "new old"]:
    """Weights that average a line of `old` cells over each of `new` cells."""
    edges, cells = np.arange(new + 1) * (old / new), np.arange(old)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.asarray(np.clip(overlap, 0, None) / (old / new), np.float32)


@dataclass(frozen=True)
class Segmentation:
    """The winner among words at each latent pixel.

    Attributes:
        words: The words that competed.
        winner: Index into words.
        margin: The winner's attention less the second's, of the two's sum: 0 a tie, 1 alone.
    """

    words: tuple[str, ...]
    winner: Int[np.ndarray, "y x"]
    margin: Float32[np.ndarray, "y x"]

    def mask(self, word: str) -> Bool[np.ndarray, "y x"]:
        """Where `word` won; TraceError if it did not compete."""
        if word not in self.words:
            raise TraceError(f"{word!r} did not compete; these did: {', '.join(map(repr, self.words))}")
        return np.asarray(self.winner == self.words.index(word))


def segmentation(
    trace: Trace,
    words: Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> Segmentation:
    """Which of the words each latent pixel looks at most, each map divided by its own maximum.

    Without that division a word with much attention everywhere would win everywhere. Nothing here says that a pixel
    *belongs* to a word: somebody always wins; look at the margin.

    Raises:
        TraceError: Fewer than two words; or as `word_map`.
    """
    chosen = words_of(trace, role, words)
    if len(chosen) < 2:  # noqa: PLR2004  (a competition)
        raise TraceError(f"segmentation needs two words or more to compete; this is {[label(w) for w in chosen]}")
    maps = np.stack([word_map(trace, w, role=role, steps=steps, layers=layers, heads=heads) for w in chosen])
    maps = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    second, first = np.sort(maps, axis=0)[-2:]
    margin = (first - second) / np.maximum(first + second, np.finfo(np.float32).tiny)
    return Segmentation(tuple(map(label, chosen)), maps.argmax(axis=0), np.asarray(margin, np.float32))
