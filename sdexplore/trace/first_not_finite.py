"""The module in which a run's numbers cease to be finite, by its statistics."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from .fields import TraceFields

QUANTITIES: Final = ("mean", "standard deviation", "least", "greatest", "share not finite")
"""Of `Trace.statistics`, along its last axis."""


@dataclass(frozen=True)
class FirstNotFinite:
    """The first module, in the order in which modules end, whose output is not finite.

    Attributes:
        module: Its name, and "#1" for its second time in a call.
        step, role: Where; of several roles that of the first in the trace.
        share: Of the numbers of its output, 0 to 1.
        before: The module that ended before it; None where it is the first.
        greatest: The greatest magnitude in the output of that module, 0 without one.
    """

    module: str
    step: int
    role: str
    share: float
    before: str | None
    greatest: float

    def __str__(self) -> str:
        """As a sentence names it."""
        share = f"{self.share:.1%}" if self.share < 1 else "all"
        text = f"{self.module!r} at step {self.step} ({self.role}): {share} of its output is not finite"
        if self.before is None:
            return text
        return f"{text}; {self.before!r}, which ended before it, reached {self.greatest:.4g}"


def first_not_finite(trace: TraceFields) -> FirstNotFinite | None:
    """The earliest step's first module that gave NaN or Inf; None where there is none, or nothing was measured."""
    found = None
    for role, values in trace.statistics.items():
        bad = np.argwhere(values[..., -1] > 0)
        if not len(bad) or (found is not None and found.step <= bad[0, 0]):
            continue
        step, place = map(int, bad[0])
        names = trace.provenance.get("modules", ())
        earlier = [at for at in range(place) if np.isfinite(values[step, at, -1])]
        before = earlier[-1] if earlier else None
        extremes = np.zeros(2) if before is None else np.abs(values[step, before, 2:4])
        found = FirstNotFinite(
            module=names[place] if place < len(names) else f"module {place}",
            step=step,
            role=role,
            share=float(values[step, place, -1]),
            before=None if before is None else names[before] if before < len(names) else f"module {before}",
            greatest=float(extremes.max()),
        )
    return found
