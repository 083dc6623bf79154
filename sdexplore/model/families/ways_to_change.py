"""Ways to change what an attention layer computes, none of which replaces its processor.

A head gives A V, and V is linear in it: what is done to the columns of A can be done to V, behind the softmax. Taking A
of another row of the batch is taking its query and key. Heads lie side by side where `to_out` begins. What is changed
goes on through the model's own kernel.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

Part = Literal["query", "key", "value"]
Work = Callable[[torch.Tensor], torch.Tensor]
"""Makes of a tensor what takes its place, the rows of the batch first; the same tensor where nothing is changed."""

_PROJECTIONS: Final[Mapping[str, tuple[Part, ...]]] = {
    "to_q": ("query",),
    "to_k": ("key",),
    "to_v": ("value",),
    "to_kv": ("key", "value"),  # of fused projections
    "to_qkv": ("query", "key", "value"),
}


def change_projections(module: nn.Module, works: Mapping[Part, Work]) -> list[RemovableHandle]:
    """Has the layer's query, key or value (row, position, inner) changed as it is projected, fused ones too."""
    return [
        projection.register_forward_hook(_Projected(parts, works))
        for name, parts in _PROJECTIONS.items()
        if set(parts) & works.keys() and (projection := getattr(module, name, None)) is not None
    ]


def change_heads(module: nn.Module, work: Work) -> list[RemovableHandle]:
    """Has what the heads give (row, position, inner), side by side, changed before the layer's last projection."""
    last: Any = module.to_out
    return [last[0].register_forward_pre_hook(_Heads(work))]


def change_output(module: nn.Module, work: Work) -> RemovableHandle:
    """Has every tensor that a module returns changed: one, or a tuple, list, dictionary or output of diffusers."""
    return module.register_forward_hook(_Output(work))


# Objects and not functions: a deep copy of the model copies them, and with them whether they still do anything.


class _Projected:
    def __init__(self, parts: tuple[Part, ...], works: Mapping[Part, Work]) -> None:
        self._parts, self._works = parts, works

    def __call__(self, _: Any, __: Any, output: torch.Tensor) -> torch.Tensor | None:
        before = output.chunk(len(self._parts), dim=-1) if len(self._parts) > 1 else (output,)
        after = [
            self._works[part](one) if part in self._works else one
            for part, one in zip(self._parts, before, strict=True)
        ]
        if all(one is other for one, other in zip(before, after, strict=True)):
            return None
        return torch.cat(after, dim=-1) if len(after) > 1 else after[0]


class _Heads:
    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, _: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        made = self._work(args[0])
        return None if made is args[0] else (made, *args[1:])


class _Output:
    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, _: Any, __: Any, output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            made = self._work(output)
            return None if made is output else made
        leaves, spec = torch.utils._pytree.tree_flatten(output)  # noqa: SLF001  (torch has no public name for it)
        after = [self._work(one) if isinstance(one, torch.Tensor) else one for one in leaves]
        if all(one is other for one, other in zip(leaves, after, strict=True)):
            return None
        return torch.utils._pytree.tree_unflatten(after, spec)  # noqa: SLF001
