"""Whether two lists of numbers have the same order."""

import numpy as np
from jaxtyping import Float

Numbers = Float[np.ndarray, "*any"]


def rank_correlation(one: Numbers, other: Numbers) -> float:
    """Spearman's correlation over all numbers, −1 to 1; equal values share their mean rank.

    NaN where one of both is the same everywhere, holds NaN or Inf, or has fewer than two numbers.
    """
    if one.size < 2 or not (np.isfinite(one).all() and np.isfinite(other).all()):  # noqa: PLR2004  (two have an order)
        return float("nan")
    ranks = np.stack([_ranks(one), _ranks(other)])
    return float(np.corrcoef(ranks)[0, 1]) if (np.ptp(ranks, axis=1) > 0).all() else float("nan")


def _ranks(values: Numbers) -> Float[np.ndarray, " number"]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place.ravel()])
