"""What all trainings share: how long, how fast, and averaged weights."""

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
    """How long a stage may take: iterating over it yields the share that is used up, step by step.

    Attributes:
        seconds: Time from the end of the warm-up.
        steps: Most steps, or None for as many as the time allows.
        warmup: Steps, of compilation, before the clock starts.
    """

    seconds: float
    steps: int | None = None
    warmup: int = 3

    def __post_init__(self) -> None:
        if not self.seconds > 0 or (self.steps is not None and self.steps < 0):
            raise SdexploreError(
                f"a stage of {self.seconds} seconds and {self.steps} steps does not exist; give a "
                "time above 0 and no or at least 0 steps"
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
    """Linear up to `peak` at `warmup`, then half a cosine down to `last` of it.

    Args:
        used: Share of the budget, 0 to 1.
        peak: The highest rate.
        warmup: Share of the budget until the peak.
        last: What is left in the end, as a share of the peak.
    """
    if used < warmup:
        return peak * used / warmup
    fall = 0.5 * (1 + math.cos(math.pi * (used - warmup) / (1 - warmup)))
    return peak * (last + (1 - last) * fall)


def set_rates(optimizer: torch.optim.Optimizer, used: float, *, least: float) -> None:
    """Gives each group its rate; it carries its peak. Counts at least `least` as used."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(max(used, least), group["peak"])


class AveragedWeights:
    """An exponential moving average of parameters: decay min(d, (1 + n) / (10 + n)) at step n.

    Args:
        networks: Whose parameters to follow.
        decay: The final decay d per step.
    """

    def __init__(self, networks: Iterable[nn.Module], decay: float) -> None:
        self._live = [weight for network in networks for weight in network.parameters()]
        self._average = [weight.detach().clone() for weight in self._live]
        self._decay, self._steps = decay, 0

    def update(self) -> None:
        """Takes the step that the parameters have just made into the average."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        blend = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        blend(self._average, [weight.detach() for weight in self._live], 0)

    @torch.no_grad()
    def store(self) -> None:
        """Puts the averages in the parameters' place."""
        for weight, average in zip(self._live, self._average, strict=True):
            weight.copy_(average)
