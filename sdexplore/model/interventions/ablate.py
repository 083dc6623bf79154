"""`Ablate`, carried out: modules, or heads of attention layers, left with zero or with their mean over pixels."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import nn

from ...base.errors import RunError
from ...changes.ablate import Ablate
from ...changes.change import several
from ..families.attention_modules import Layer
from ..families.change_at_kernel import KernelCall, change_kernel
from ..families.ways_in import Removable
from ..families.ways_to_change import change_heads, change_output
from .edit import Edit, Now, Standing

_PICTURE, _TOKENS = 4, 3  # dimensions of (row, channel, y, x), and of (row, token, channel)


class AblateEdit(Edit):
    """One Ablate of a run.

    Attributes:
        modules: (name, which time in a call, module) of each module whose output is changed; or
        layers: the attention layers whose heads are.
        standing: Where the picture stands in layers that are changed at the kernel; None changes projections.
    """

    def __init__(
        self,
        change: Ablate,
        modules: Sequence[tuple[str, int | None, nn.Module]] = (),
        layers: Sequence[Layer] = (),
        standing: Standing | None = None,
    ) -> None:
        super().__init__(change)
        self.modules, self.layers, self.standing = modules, layers, standing
        self._given = change
        self._heads = [] if change.heads is None else list(several(change.heads))
        self._masks: dict[tuple[object, ...], torch.Tensor] = {}

    def hooks(self) -> Iterator[Removable]:
        """On the modules' outputs, or where the layers' heads lie side by side, or on what their kernel gives."""
        for name, time, module in self.modules:
            yield change_output(module, self.at(name, self._emptied, time))
        for layer in self.layers:
            if self.standing is not None:
                yield from change_kernel(layer.module, self.at_kernel(layer.name, partial(self._at_kernel, layer)))
                continue
            yield from change_heads(layer.module, self.at(layer.name, _Beheaded(self, layer.heads)))

    def rows_of(self, now: Now) -> tuple[int, ...]:
        """Those of its roles."""
        return now.rows(self._given)

    def beheaded(self, heads: int, x: Float[torch.Tensor, "row pixel inner"]) -> Float[torch.Tensor, "row pixel inner"]:
        """What the heads of a layer give, some of them emptied."""
        apart: torch.Tensor = x.unflatten(-1, (heads, -1))  # type: ignore[no-untyped-call]
        mask = self._mask(x, heads)[:, None, :, None]
        if self._given.to == "zero":
            return apart.masked_fill(mask, 0).flatten(-2)
        return torch.where(mask, apart.mean(1, keepdim=True), apart).flatten(-2)

    def _at_kernel(self, layer: Layer, call: KernelCall) -> torch.Tensor:
        """What the kernel gave, (row, head, position, width), some of its heads emptied."""
        now, standing, out = self.now, self.standing, call.out
        assert now is not None and standing is not None  # noqa: S101, PT018  (a call is under way)
        mask = self._mask(out, out.shape[1])[..., None, None]
        if self._given.to == "zero":
            return out.masked_fill(mask, 0)
        mean = torch.zeros_like(out)
        for row in self.rows:  # words and padding have a mean of their own
            picture = torch.zeros(out.shape[2], dtype=torch.bool, device=out.device)
            picture[standing(layer, now.inputs, row).picture] = True
            for one in (picture, ~picture):
                mean[row][:, one] = out[row][:, one].mean(1, keepdim=True)
        return torch.where(mask, mean, out)

    def _emptied(self, x: torch.Tensor) -> torch.Tensor:
        """The output of a whole module, emptied in the rows of the change."""
        mask = self._mask(x).reshape(-1, *[1] * (x.ndim - 1))
        if self._given.to == "zero":
            return x.masked_fill(mask, 0)
        if x.ndim not in (_PICTURE, _TOKENS):
            raise RunError(
                f"run: {self.change!r}: an output of shape {tuple(x.shape)} has no pixels to take the mean over; "
                "to='zero' needs none"
            )
        return torch.where(mask, x.mean((-2, -1) if x.ndim == _PICTURE else 1, keepdim=True), x)

    def _mask(self, x: torch.Tensor, heads: int | None = None) -> torch.Tensor:
        """(row,) or (row, head): where something is emptied."""
        key = (self.rows, len(x), heads, x.device)
        if (mask := self._masks.get(key)) is None:
            mask = torch.zeros((len(x),) if heads is None else (len(x), heads), dtype=torch.bool)
            for row in self.rows:
                mask[row, ... if heads is None else self._heads] = True
            mask = self._masks[key] = mask.to(x.device)
        return mask


class _Beheaded:
    def __init__(self, edit: AblateEdit, heads: int) -> None:
        self._edit, self._count = edit, heads

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._edit.beheaded(self._count, x)
