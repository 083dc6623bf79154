"""From pixels to words: which words a region of the picture looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from jaxtyping import Float32

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError
from ..trace.trace import Steps, Trace
from .attention import word_maps
from .resizing import areas
from .selection import Heads, Layers, Selection, Word, label, words_of

# A box (left, top, right, bottom), or a mask (Y, X); the run-time checker takes no int for a float.
Region = Sequence[int | float] | np.ndarray
_CORNERS = 4


@dataclass(frozen=True, repr=False)
class RegionWords(Shown):
    """Words ranked by how much a region looks at them.

    Attributes:
        words: As asked for, most looked at first.
        inside: Mean attention probability over the region, one a word.
        outside: That over the rest of the picture; NaN where the region is the whole picture.
        area: The region's share of the picture, 0..1.
    """

    words: tuple[str, ...]
    inside: tuple[float, ...]
    outside: tuple[float, ...]
    area: float

    @property
    def ratio(self) -> tuple[float, ...]:
        """Inside against outside, one a word; inf where nothing outside looks at it, NaN of a whole picture."""
        pairs = zip(self.inside, self.outside, strict=True)
        return tuple(inside / outside if outside else float("inf") for inside, outside in pairs)

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a word."""
        numbers = zip(self.inside, self.outside, self.ratio, strict=True)
        rows = [
            (clip(word, 40), *(_number(n, digits) for n, digits in zip(row, (4, 4, 2), strict=True)))
            for word, row in zip(self.words, numbers, strict=True)
        ]
        headers = ("word", "probability inside", "outside", "ratio")
        return [
            Line(f"Words that this region looks at ({self.area:.1%} of the picture)", strong=True),
            Table(headers, rows, frozenset(headers[1:])),
        ]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def region_words(
    trace: Trace,
    region: Region,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    tokenizer: str | None = None,
) -> RegionWords:
    """The words of the prompt, ranked by the mean attention that the pixels of a region pay them.

    Args:
        region: A box (left, top, right, bottom) in image pixels, or a boolean mask (Y, X) of any size laid over the
            picture.
        words: Which words; None: every word of the prompt.
        role, steps, layers, heads, tokenizer: As `word_map` takes them.

    Raises:
        TraceError: The region is empty, lies outside the picture, or is no box and no mask; or as `word_map`.
    """
    return ranked_in(trace, region, words, Selection(role, steps, layers, heads, tokenizer=tokenizer))


def ranked_in(trace: Trace, region: Region, words: Word | Sequence[Word] | None, selection: Selection) -> RegionWords:
    """`region_words` by what is selected."""
    chosen = words_of(trace, selection.role, words)
    found = word_maps(trace, chosen, selection)
    maps = dict(zip(map(label, chosen), found, strict=True))
    weights = region_weights(trace, region, next(iter(maps.values())).shape)
    rest = 1 - weights
    inside = {name: float((pixels * weights).sum() / weights.sum()) for name, pixels in maps.items()}
    outside = {n: float((m * rest).sum() / rest.sum()) if rest.any() else float("nan") for n, m in maps.items()}
    ranked = sorted(inside, key=lambda name: -inside[name])
    return RegionWords(
        words=tuple(ranked),
        inside=tuple(inside[name] for name in ranked),
        outside=tuple(outside[name] for name in ranked),
        area=float(weights.mean()),
    )


def region_weights(trace: Trace, region: Region, shape: tuple[int, ...]) -> Float32[np.ndarray, "y x"]:
    """How much of each pixel of a grid lies in the region, 0..1."""
    mask = region_mask(trace, region)
    rows, columns = (areas(old, new) for old, new in zip(mask.shape, shape, strict=True))
    weights = rows @ mask @ columns.T
    if not weights.any():
        raise TraceError("this region is empty: it holds no pixel of the picture")
    whole = weights > 1 - 1e-6  # rounding leaves a little less than 1; a whole picture has no outside
    return np.asarray(np.where(whole, 1, weights), np.float32)


def region_mask(trace: Trace, region: Region) -> Float32[np.ndarray, "Y X"]:
    """How much of each pixel lies in the region, 0..1: on the mask's own grid, or for a box on the picture's pixels."""
    if isinstance(region, np.ndarray):
        if region.ndim != 2 or region.dtype != bool:  # noqa: PLR2004  (Y, X)
            raise TraceError(f"a mask is boolean (Y, X); this is {region.dtype} of shape {region.shape}")
        return region.astype(np.float32)
    box = tuple(region) if isinstance(region, Sequence) else ()
    if len(box) != _CORNERS or not all(isinstance(side, Real) for side in box):
        raise TraceError(f"a region is a box (left, top, right, bottom) or a boolean mask, not {region!r:.120}")
    if trace.image is None:
        raise TraceError("a box is in pixels of the picture, and this trace has none; give a mask instead")
    (left, top, right, bottom), (high, wide) = box, trace.image.shape[:2]
    if not (0 <= left < right <= wide and 0 <= top < bottom <= high):
        raise TraceError(
            f"the box {box} is not (left, top, right, bottom) inside a picture {wide} wide and {high} high"
        )
    y, x = (np.arange(side, dtype=np.float32) for side in (high, wide))
    rows = np.clip(np.minimum(y + 1, bottom) - np.maximum(y, top), 0, 1)
    columns = np.clip(np.minimum(x + 1, right) - np.maximum(x, left), 0, 1)
    return np.asarray(rows[:, None] * columns[None, :], np.float32)
