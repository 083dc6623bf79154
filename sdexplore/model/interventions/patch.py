"""`Patch`, carried out: rows of a module's output become those of the run that rides along."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from ...changes.patch import Patch
from ..families.ways_to_change import change_output
from .edit import Edit, Now, from_riders


class PatchEdit(Edit):
    """One Patch of a run, at (name, which time in a call, module) of each of its modules."""

    def __init__(self, change: Patch, modules: Sequence[tuple[str, int | None, nn.Module]], rider: int) -> None:
        super().__init__(change)
        self._given, self._modules, self._rider = change, modules, rider

    def hooks(self) -> Iterator[RemovableHandle]:
        """On the modules' outputs."""
        for name, time, module in self._modules:
            yield change_output(module, self.at(name, self._patched, time))

    def rows_of(self, now: Now) -> tuple[int, ...]:
        """Those of its roles."""
        return now.rows(self._given)

    def _patched(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.now is None else from_riders(x, self.rows, self.now, self._rider)
