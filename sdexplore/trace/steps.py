"""The steps of a trace by number, and the scale on which its latents are."""

from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex, get_args

import numpy as np

from ..base.errors import TraceError
from ..theory import Space
from .fields import TraceFields

Steps = int | np.integer[Any] | slice | Sequence[int | np.integer[Any]] | None
"""Steps as users name them: one, several, a slice, or None for all; negative ones count from the end."""


class StepsOfTrace(TraceFields):
    """What steps of a trace are called, and what they share."""

    @property
    def space(self) -> Space:
        """On which scale the scheduler holds latents: "variance preserving", "variance exploding", "flow matching".

        Raises:
            TraceError: sdexplore does not know this scheduler.
        """
        scheduler = self.provenance.get("scheduler", {})
        space = scheduler.get("space", "variance preserving")
        if space == "unknown" or space not in get_args(Space):
            name = scheduler.get("class", "its scheduler")
            raise TraceError(f"this trace holds latents of {name} on a scale that sdexplore does not know: {space!r}")
        return space

    def check_step(self, step: SupportsIndex) -> int:
        """`step` as an int from 0, negative ones counted from the end; TraceError if it is none of the run's."""
        try:
            number = index(step)
        except TypeError as error:
            raise TraceError(f"step={step!r}: name one step, 0 to {self.num_steps - 1}, or -1 for the last") from error
        if not -self.num_steps <= number < self.num_steps:
            raise TraceError(f"there is no step {number}: the trace has {self.num_steps}, 0 to {self.num_steps - 1}")
        return number % self.num_steps

    def check_steps(self, steps: Steps | np.integer[Any]) -> tuple[int, ...]:
        """The named steps as ints from 0, in their order and each once; None names all.

        Args:
            steps: A step, several, or a slice; negative ones count from the end.

        Raises:
            TraceError: A step lies beyond the run, or the value names no steps.
        """
        every = range(self.num_steps)
        several = (steps,) if isinstance(steps, int | np.integer) else steps
        try:
            if several is None or isinstance(several, slice):
                return tuple(every[several or slice(None)])
            return tuple(dict.fromkeys(map(self.check_step, dict.fromkeys(map(index, several)))))
        except (TypeError, ValueError) as error:  # a slice(0, 3, 0) too
            raise TraceError(
                f"steps={steps!r}: name a step (5), several ([0, 5, -1]) or a slice; the trace has {self.num_steps}, "
                f"0 to {self.num_steps - 1}"
            ) from error
