"""Two ways to read what an attention layer attends with, neither of which changes it.

`listen_to_projections`: hooks on the layer's own `to_q` and `to_k`, before any norm; for diffusers' `Attention`.
`listen_to_kernel`: what `F.scaled_dot_product_attention` is given, after norm, rotary positions and masks; for every
layer that reaches that function, whatever its processor does before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

_KERNEL = functional.scaled_dot_product_attention


@dataclass(frozen=True)
class Attended:
    """What one attention layer attends with, the rows of the batch first and the width last.

    Attributes:
        query, key: (row, position, inner) as projected, or (row, head, position, width).
        scale: Of the scores; `Family.by_head` settles it.
        mask: Added to the scores, or boolean; broadcasts against (row, head, query, key).
    """

    query: torch.Tensor
    key: torch.Tensor
    scale: float = 1.0
    mask: torch.Tensor | None = None

    def of_rows(self, rows: tuple[int, ...]) -> "Attended":
        """The same of some rows of the batch."""
        mask = self.mask
        if mask is not None and mask.ndim == 4 and len(mask) > 1:  # noqa: PLR2004  (row, head, query, key)
            mask = _rows(mask, rows)
        return Attended(_rows(self.query, rows), _rows(self.key, rows), self.scale, mask)

    def of_queries(self, positions: slice) -> "Attended":
        """The same of some queries, by head, with all keys."""
        mask = self.mask
        if mask is not None and mask.shape[-2] > 1:
            mask = mask[..., positions, :]
        return Attended(self.query[:, :, positions], self.key, self.scale, mask)


Heard = Callable[[Attended], None]


def listen_to_projections(module: nn.Module, heard: Heard) -> list[RemovableHandle]:
    """Hooks on the layer's projections, fused ones too; `heard` is called once query and key are both there."""
    by_thread: dict[int, dict[str, torch.Tensor]] = {}  # two threads may call one module at once

    def take(**made: torch.Tensor) -> None:
        waiting = by_thread.setdefault(get_ident(), {})
        waiting.update(made)
        if len(waiting) == 2:  # noqa: PLR2004  (query and key, in whatever order)
            heard(Attended(waiting.pop("query"), waiting.pop("key")))

    def query(_: Any, __: Any, output: torch.Tensor) -> None:
        take(query=output)

    def key(_: Any, __: Any, output: torch.Tensor) -> None:
        take(key=output)

    def key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        take(key=output.chunk(2, dim=-1)[0])

    def query_key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        q, k, _v = output.chunk(3, dim=-1)
        take(query=q, key=k)

    hooks = {"to_q": query, "to_k": key, "to_kv": key_value, "to_qkv": query_key_value}
    return [
        projection.register_forward_hook(hook)
        for name, hook in hooks.items()
        if (projection := getattr(module, name, None)) is not None
    ]


def listen_to_kernel(module: nn.Module, heard: Heard) -> list[RemovableHandle]:
    """Hooks that switch a mode of this thread on while the layer runs; the mode sees what the kernel is given."""
    by_thread: dict[int, list[_Kernel]] = {}  # a mode is left in the thread that it was entered in

    def enter(*_: Any) -> None:
        modes = by_thread.setdefault(get_ident(), [])
        modes.append(_Kernel(heard))
        modes[-1].__enter__()  # type: ignore[no-untyped-call]

    def leave(*_: Any) -> None:
        if modes := by_thread.get(get_ident()):
            modes.pop().__exit__(None, None, None)  # type: ignore[no-untyped-call]

    return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]


class _Kernel(TorchFunctionMode):
    """Reads the arguments of `F.scaled_dot_product_attention`; what that returns stays the model's."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._heard = heard

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is _KERNEL:
            self._heard(_given(*args, **(kwargs or {})))
        return out


def _given(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,  # noqa: ARG001
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> Attended:
    """The arguments of `F.scaled_dot_product_attention`, with grouped keys repeated and the scale settled."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    return Attended(query, key, query.shape[-1] ** -0.5 if scale is None else scale, attn_mask)


def _rows(x: torch.Tensor, rows: tuple[int, ...]) -> torch.Tensor:
    if len(rows) == len(x):
        return x
    if rows == tuple(range(rows[0], rows[-1] + 1)):  # the usual case, and a view
        return x[rows[0] : rows[-1] + 1]
    return torch.stack([x[row] for row in rows])
