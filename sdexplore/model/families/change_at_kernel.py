"""The third way to change a layer: what torch's fused attention gave is changed before the layer goes on with it.

For layers that are heard at the kernel (`ways_in`), whatever their projections are called and however many texts their
values come from. The model's own kernel has run with its own query, key and value; what reads those sees them as
they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from .ways_in import (
    KERNEL,
    KERNEL_FOR_CPU,
    Attended,
    ModeOfLayer,
    Removable,
    attend,
    given_to_kernel,
    inside,
    repeated,
)


@dataclass(frozen=True)
class KernelCall:
    """One call of the kernel, all by head: (row, head, position, width).

    Attributes:
        attended: Query, key, scale and mask, and the normaliser where the kernel handed it out.
        value: As many heads as the query has.
        out: What the kernel gave.
    """

    attended: Attended
    value: torch.Tensor
    out: torch.Tensor

    def with_values(
        self, row: int, value: Float[torch.Tensor, "head position width"]
    ) -> Float[torch.Tensor, "head query width"]:
        """What the heads give of a row's own attention to other values."""
        given = self.attended.of_rows((row,))
        with torch._C.DisableTorchFunction():  # noqa: SLF001  (what changes or reads the layer must not see this)
            return functional.scaled_dot_product_attention(
                given.query, given.key, value[None], attn_mask=given.mask, scale=given.scale
            )[0]

    def probabilities(self, row: int) -> Float[torch.Tensor, "head query position"]:
        """The attention of a row, in the model's precision, at least float32."""
        given = self.attended.of_rows((row,))
        exact = torch.promote_types(given.query.dtype, torch.float32)
        scores = given.query[0].to(exact) @ given.key[0].to(exact).mT * given.scale
        if given.mask is not None and given.mask.dtype == torch.bool:
            scores = scores.masked_fill(~given.mask[0], -torch.inf)
        elif given.mask is not None:
            scores += given.mask[0].to(exact)
        return scores.softmax(-1)

    def read_of(
        self, row: int, queries: slice, keys: Sequence[int], heads: Sequence[int] | None
    ) -> Float[torch.Tensor, "head query width"]:
        """What queries of a row read of some keys: Σ_j A_ij v_j over those j, A being the softmax over all keys.

        Args:
            heads: Their numbers; None: all.
        """
        chosen = slice(None) if heads is None else list(heads)
        given = self.attended.of_rows((row,)).of_queries(queries)
        query, key, value = given.query[0][chosen], given.key[0][chosen], self.value[row][chosen]
        mask = given.mask
        if mask is not None:
            mask = mask.expand(1, self.out.shape[1], *mask.shape[-2:])[0][chosen]
        if given.normaliser is None:
            alone = torch.zeros_like(value)
            alone[:, keys] = value[:, keys]
            with torch._C.DisableTorchFunction():  # noqa: SLF001  (what changes or reads the layer too must not see this)
                return functional.scaled_dot_product_attention(query, key, alone, attn_mask=mask, scale=given.scale)
        exact = torch.promote_types(query.dtype, torch.float32)
        scores = query.to(exact) @ key[:, keys].to(exact).mT * given.scale
        if mask is not None:  # a boolean one: where others are added, no normaliser is handed out
            scores = scores.masked_fill(~mask.expand(*mask.shape[:-1], key.shape[1])[..., keys], -torch.inf)
        probs = (scores - given.normaliser[0][chosen][..., None]).exp()
        return (probs @ value[:, keys].to(exact)).to(self.out.dtype)


KernelWork = Callable[[KernelCall], torch.Tensor]
"""Makes what takes the place of the kernel's output; that output itself where nothing is changed."""


def change_kernel(module: nn.Module, work: KernelWork) -> list[Removable]:
    """Has what the kernel gives in this layer changed."""
    return inside(module, lambda: _Changed(module, work))


class _Changed(ModeOfLayer):
    """Changes what the kernel gives; a run that reads the layer may have called the kernel that hands out more."""

    def __init__(self, module: nn.Module, work: KernelWork) -> None:
        super().__init__(module)
        self._work = work

    def reached(self, attended: Attended, value: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Changes what a kernel gave."""
        return self._work(KernelCall(attended, value, super().reached(attended, value, out)))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func is KERNEL:
            out, attended = attend(*args, **named)
            return self.reached(attended, repeated(_value(*args, **named), attended), out)
        if func is KERNEL_FOR_CPU:
            out, normaliser = func(*args, **named)
            query, key, value, _, is_causal = args
            how = {"is_causal": is_causal, "normaliser": normaliser}
            attended = given_to_kernel(query, key, _seen(named["attn_mask"]), named["scale"], **how)
            return self.reached(attended, value, out), normaliser
        return func(*args, **named)


def _value(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:  # noqa: ARG001
    """The values in a call of the kernel, whose arguments have names."""
    return value


def _seen(added: torch.Tensor | None) -> torch.Tensor | None:
    """The boolean mask that `attend` wrote as 0 and −∞."""
    return None if added is None else added == 0
