"""What all stages share: a budget of time and steps, learning rates, averaged weights."""

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sdexplore.base.errors import SdexploreError


@dataclass(frozen=True)
class Budget:
    """The time and steps of a stage. Iterating over it yields, step by step, the share that is used.

    Attributes:
        seconds: Time from the end of the warm-up on.
        steps: Largest number of steps; None for as many as the time allows.
        warmup: Steps before the clock starts, in which torch compiles.
    """

    seconds: float
    steps: int | None = None
    warmup: int = 3

    def __post_init__(self) -> None:
        if not self.seconds > 0 or (self.steps is not None and self.steps < 0):
            raise SdexploreError(
                f"a stage cannot have {self.seconds} seconds and {self.steps} steps; give a time above 0, "
                "and steps of 0 or more, or none"
            )

    def __iter__(self) -> Iterator[float]:
        start = math.inf
        for step in itertools.count():
            if step == self.warmup:
                start = time.monotonic()
            used = max(0.0, (time.monotonic() - start) / self.seconds)
            if self.steps is not None:
                used = max(used, step / self.steps if self.steps else 1.0)
            if used >= 1:
                return
            yield used


def learning_rate(used: float, peak: float, *, warmup: float = 0.03, last: float = 0.02) -> float:
    """Returns the rate: it rises linearly to `peak`, then falls by half a cosine to `last` of the peak.

    Args:
        used: Share of the budget that is used, 0 to 1.
        peak: Highest rate.
        warmup: Share of the budget at which the peak is reached.
        last: Rate at the end, as a share of the peak.
    """
    if used < warmup:
        return peak * used / warmup
    fall = 0.5 * (1 + math.cos(math.pi * (used - warmup) / (1 - warmup)))
    return peak * (last + (1 - last) * fall)


def set_rates(optimizer: torch.optim.Optimizer, used: float, *, least: float) -> None:
    """Sets the rate of each group from its "peak". `used` counts as at least `least`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(max(used, least), group["peak"])


class AveragedWeights:
    """An exponential moving average of parameters: decay min(d, (1 + n) / (10 + n)) at step n.

    Args:
        networks: The networks whose parameters are averaged.
        decay: The final decay d of a step.
    """

    def __init__(self, networks: Iterable[nn.Module], decay: float) -> None:
        self._live = [weight for network in networks for weight in network.parameters()]
        self._average = [weight.detach().clone() for weight in self._live]
        self._decay, self._steps = decay, 0

    def update(self) -> None:
        """Adds the present parameters to the average; called after each step."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        blend = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        blend(self._average, [weight.detach() for weight in self._live], 0)

    @torch.no_grad()
    def store(self) -> None:
        """Replaces the parameters by their averages."""
        for weight, average in zip(self._live, self._average, strict=True):
            weight.copy_(average)
