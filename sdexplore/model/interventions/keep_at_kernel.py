"""`Keep` in layers that are heard at the kernel: a row's attention there is the kernel's own, of query, key and mask.

α ⊙ (A_source M) V + (1 − α) ⊙ A V is two products of the kernel: the source's row with M α V, the row itself with
(1 − α) V. Each has the mask of its own text. What reads the layer sees query and key as they are, and is told of Â.
"""

from collections.abc import Iterator
from functools import partial

import torch

from ...base.errors import RunError
from ..families.attention_modules import Layer
from ..families.change_at_kernel import KernelCall, change_kernel
from ..families.ways_in import Removable
from .edit import OfRow
from .keep import LARGEST, KeepEdit, place


class KeepAtKernelEdit(KeepEdit):
    """One Keep of a run, at the kernel."""

    def hooks(self) -> Iterator[Removable]:
        """On what the kernel gives in every layer."""
        for name, layer in self.self_layers.items():
            yield from change_kernel(layer.module, self.at_kernel(place("kernel", name), self._picture))
        for name, layer in self.cross_layers.items():
            work = partial(self._words, layer)
            yield from change_kernel(layer.module, self.at_kernel(place("kernel", name), work))

    def mixed(self, layer: str, row: int, probs: torch.Tensor, of_row: OfRow) -> torch.Tensor:
        """Â, or the source's attention to the picture."""
        now = self.now
        if now is None or row not in self.rows:
            return probs
        if layer in self.self_layers:
            kept = self.self_on and probs.shape[-1] <= LARGEST
            return of_row(now.rider(row, self.rider)) if kept else probs
        return self.mixture(row, probs, of_row(now.rider(row, self.rider))) if self.cross_on else probs

    def _picture(self, call: KernelCall) -> torch.Tensor:
        """Of attention to the picture: the source's."""
        now, made = self.now, call.out.clone()
        if now is None or not self.self_on or made.shape[2] > LARGEST:
            return call.out
        for row in self.rows:
            made[row] = call.with_values(now.rider(row, self.rider), call.value[row])
        return made

    def _words(self, layer: Layer, call: KernelCall) -> torch.Tensor:
        """Of attention to words: Â V."""
        now, made = self.now, call.out.clone()
        if now is None:
            return call.out
        if self.blend and self.blend.reads(layer.name, made.shape[2]):
            self._look_at(layer, call)
        if not self.cross_on:
            return call.out
        for row in self.rows:
            value, keys, length = call.value[row], call.value.shape[2], self.aligned(row).length
            if keys != length:
                raise RunError(
                    f"run: {self.change!r}: {layer.name!r} has {keys} keys, and the prompt {length} positions"
                )
            made[row] = call.with_values(now.rider(row, self.rider), self.matrix(row, value) @ value)
            if not all(self.aligned(row).taken):
                made[row] += call.with_values(row, (1 - self.alpha(row, value))[:, None] * value)
        return made

    def _look_at(self, layer: Layer, call: KernelCall) -> None:
        """Shows the blend how the rows and their sources attend in a layer."""
        now, blend = self.now, self.blend
        if now is None or blend is None:
            return
        for row in self.rows:
            own, source = call.probabilities(row), call.probabilities(now.rider(row, self.rider))
            own = self.mixture(row, own, source) if self.cross_on else own
            blend.look(layer.name, row % now.images, own, source)
