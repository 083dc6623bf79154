"""One map against one mask: four scores, and those of maps that know nothing."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from ..analysis.resizing import areas

SHOWN = 0.3
"""A pixel of the map's grid belongs to a mask from this share on."""
HIGH = 0.4
"""A map is high from this share of its range on."""
_LEAST = 4 / 1024  # share of the grid; a smaller mask is hidden, or almost

Map = Float[np.ndarray, "y x"]
Mask = Bool[np.ndarray, "y x"]


def mask_on(mask: Float[np.ndarray, "Y X"], shape: tuple[int, int]) -> Mask | None:
    """A mask on another grid; None where it covers almost nothing there, or everything."""
    rows, columns = (areas(old, new) for old, new in zip(mask.shape, shape, strict=True))
    seen = np.asarray(rows @ mask @ columns.T > SHOWN)
    return seen if _LEAST * seen.size <= seen.sum() < seen.size and seen.any() else None


def scored(pixels: Map, mask: Mask) -> dict[str, float]:
    """How well a map shows a mask: `pointing`, `iou_at_area`, `iou_high`, `inside` (see calibrations.SCORES).

    A map that is the same everywhere points nowhere: it gets the scores of chance.
    """
    area = float(mask.mean())
    low, high = float(pixels.min()), float(pixels.max())
    if high <= low:
        return {"pointing": area, "iou_at_area": area / (2 - area), "iou_high": area, "inside": area}
    return {
        "pointing": float(mask.flat[int(pixels.argmax())]),
        "iou_at_area": overlap(top(pixels, int(mask.sum())), mask),
        "iou_high": overlap((pixels - low) / (high - low) > HIGH, mask),
        "inside": inside(pixels, mask),
    }


def by_chance(mask: Mask) -> dict[str, float]:
    """The mean of `scored` over random maps; NaN for `iou_high`, which depends on their shape."""
    area = float(mask.mean())
    return {"pointing": area, "iou_at_area": area / (2 - area), "iou_high": np.nan, "inside": area}


def in_the_centre(mask: Mask) -> dict[str, float]:
    """`scored` of a map that is highest in the picture's centre; NaN for scores that depend on its slope."""
    found = scored(_centre(mask.shape), mask)
    return found | {"iou_high": np.nan, "inside": np.nan}


def top(pixels: Map, number: int) -> Mask:
    """The `number` highest pixels of a map; of equal ones the first."""
    chosen = np.zeros(pixels.size, bool)
    chosen[np.argsort(-pixels, axis=None, kind="stable")[:number]] = True
    return chosen.reshape(pixels.shape)


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union; 0 where both masks are empty."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def inside(pixels: Map, mask: Mask) -> float:
    """Share of a map's sum that lies in the mask; the mask's area where the sum is 0."""
    whole = float(pixels.sum(dtype=np.float64))
    return float(pixels[mask].sum(dtype=np.float64) / whole) if whole > 0 else float(mask.mean())


def mean_of(several: list[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score; NaN where one of them is NaN."""
    return {name: float(np.mean([one[name] for one in several])) for name in several[0]}


@lru_cache(maxsize=16)
def _centre(shape: tuple[int, ...]) -> Map:
    y, x = (np.arange(side, dtype=np.float32) - side // 2 for side in shape)
    return np.asarray(-np.hypot(y[:, None] / shape[0], x / shape[1]))
