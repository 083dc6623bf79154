"""Intervals by bootstrap over clusters: what belongs together, such as runs of one prompt, is drawn together.

Runs of one prompt are no independent observations, and pixels of one picture even less: an interval that draws them one
by one is too narrow.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DRAWS = 1000


def bootstrap_weights(clusters: int, seed: int, draws: int = DRAWS) -> Float[np.ndarray, "draw cluster"]:
    """How often each cluster occurs in each bootstrap draw: as many clusters again, with replacement."""
    generator = np.random.default_rng(abs(seed))
    return generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.float64)


def interval(
    clusters: Sequence[int], values: Sequence[float], weights: Float[np.ndarray, "draw cluster"]
) -> tuple[float, float]:
    """The middle 95 % of the draws' means. A draw has all values of a cluster, or none of them."""
    sums, counts = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    np.add.at(sums, list(clusters), list(values))
    np.add.at(counts, list(clusters), 1)
    drawn = weights @ counts
    means = (weights @ sums)[drawn > 0] / drawn[drawn > 0]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class ClusteredMean:
    """A mean with its interval.

    Attributes:
        mean: Over all values.
        low, high: Its 95 % interval, from the bootstrap over clusters; NaN of one cluster alone, which has none.
        values, clusters: How many there are.
    """

    mean: float
    low: float
    high: float
    values: int
    clusters: int

    def __str__(self) -> str:
        return f"{self.mean:.3g}" + (f" [{self.low:.3g}, {self.high:.3g}]" if self.clusters > 1 else " (no interval)")


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable], seed: int = 0) -> ClusteredMean:
    """The mean of values, with an interval by bootstrap over the clusters that they belong to.

    Source: Efron 1979; clusters, cf. Davison & Hinkley 1997, section 3.8.
    """
    numbers = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    low = high = float("nan")
    if len(numbers) > 1:
        places = [numbers[cluster] for cluster in clusters]
        low, high = interval(places, list(values), bootstrap_weights(len(numbers), seed))
    return ClusteredMean(float(np.mean(values)), low, high, len(values), len(numbers))
