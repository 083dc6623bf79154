"""Ways to read what an attention layer attends with, none of which changes it.

`listen_to_projections`: hooks on the layer's own `to_q` and `to_k`, before any norm; for diffusers' `Attention`.
`listen_to_kernel`: what `F.scaled_dot_product_attention` is given, after norm, rotary positions and masks; for every
layer that reaches that function, whatever its processor does before. A kernel that is not torch's (flex attention,
flash-attn, sage) is read from what the processor's file gives diffusers' `dispatch_attention_fn`.
`listen_to_either`: one of both, call by call, for a layer that can be heard both ways; the projections where the
kernel was to be heard and was not called.
"""

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock, get_ident, local
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn.attention import SDPBackend
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

KERNEL = torch._C._nn.scaled_dot_product_attention  # noqa: SLF001  (`functional` has the same, unless it was replaced)
_DISPATCH = "dispatch_attention_fn"
_HERE = local()  # a mode is left in the thread that it was entered in
_SEAMS: dict[Any, tuple[int, Any]] = {}
_SEAMS_LOCK = Lock()
KERNEL_FOR_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001  (there is no public name)


@dataclass(frozen=True)
class Attended:
    """What one attention layer attends with, the rows of the batch first and the width last.

    Attributes:
        query, key: (row, position, inner) as projected, or (row, head, position, width).
        scale: Of the scores; `Family.by_head` settles it.
        mask: Added to the scores, or boolean; broadcasts against (row, head, query, key).
        normaliser: log Σ exp of each query's scores, (row, head, query), where the kernel handed it out.
        value, made: (row, head, position, width); what the kernel was given beside them, and what it returned. They are
            there at the kernel alone, and not of some rows, queries or keys.
    """

    query: torch.Tensor
    key: torch.Tensor
    scale: float = 1.0
    mask: torch.Tensor | None = None
    normaliser: torch.Tensor | None = None
    value: torch.Tensor | None = None
    made: torch.Tensor | None = None

    def of_rows(self, rows: tuple[int, ...]) -> "Attended":
        """The same of some rows of the batch."""
        mask = self.mask
        if mask is not None and mask.ndim == 4 and len(mask) > 1:  # noqa: PLR2004  (row, head, query, key)
            mask = _rows(mask, rows)
        normaliser = None if self.normaliser is None else _rows(self.normaliser, rows)
        return Attended(_rows(self.query, rows), _rows(self.key, rows), self.scale, mask, normaliser)

    def of_queries(self, positions: slice | list[int]) -> "Attended":
        """The same of some queries, by head, with all keys."""
        mask = self.mask
        if mask is not None and mask.shape[-2] > 1:
            mask = mask[..., positions, :]
        normaliser = None if self.normaliser is None else self.normaliser[..., positions]
        return Attended(self.query[:, :, positions], self.key, self.scale, mask, normaliser)

    def of_keys(self, positions: slice | list[int]) -> "Attended":
        """The same of some keys, by head; their probabilities are those among all keys only by the normaliser."""
        mask = self.mask
        if mask is not None and mask.shape[-1] > 1:
            mask = mask[..., positions]
        return Attended(self.query, self.key[:, :, positions], self.scale, mask, self.normaliser)


Heard = Callable[[Attended], None]
Pays = Callable[[int, int], bool]
"""(queries, keys) -> whether so few of the keys' columns are read that the kernel's normaliser saves work."""


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


def listen_to_kernel(module: nn.Module, heard: Heard) -> list["Removable"]:
    """Has `heard` called with what the kernel is given while the layer runs."""
    return inside(module, lambda: _Kernel(module, heard))


class ModeOfLayer(TorchFunctionMode):
    """What torch's functions are seen by while one layer runs.

    Attributes:
        calls: How many calls of a kernel it has seen.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.calls = module, 0

    def reached(self, attended: Attended, value: torch.Tensor, out: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Takes what a kernel was given and gave, by head, and says what takes the place of `out`."""
        self.calls += 1
        return out


def inside(module: nn.Module, mode: Callable[[], ModeOfLayer]) -> list["Removable"]:
    """Hooks that switch a mode of this thread on while the layer runs; of several, the last sees a call first."""
    leaving = _Leaving(module)
    hooks = [
        module.register_forward_pre_hook(lambda *_: _enter(mode())),
        module.register_forward_hook(leaving, always_call=True),
    ]
    file = sys.modules.get(type(getattr(module, "processor", None)).__module__)
    return [leaving, *hooks, *([_Seam(file)] if hasattr(file, _DISPATCH) else [])]


def listen_to_either(
    module: nn.Module, heard: Heard, at_kernel: Callable[[tuple[Any, ...], dict[str, Any]], bool]
) -> list["Removable"]:
    """Hooks on the projections, and the mode in their place in the calls of which `at_kernel` says so.

    Args:
        at_kernel: Given the arguments of a call of the layer.
    """
    leaving = _Leaving(module)

    def enter(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if at_kernel(args, kwargs):
            _enter(_Either(module, heard))

    def projected(attended: Attended) -> None:
        mode = _mode_of(module)
        if isinstance(mode, _Either):
            mode.projected = attended
        else:
            heard(attended)

    def leave(_: Any, __: Any, output: Any) -> None:
        mode = _mode_of(module)
        leaving.remove()
        if isinstance(mode, _Either) and mode.projected is not None and not mode.calls and output is not None:
            heard(mode.projected)

    hooks = [
        module.register_forward_pre_hook(enter, with_kwargs=True),
        module.register_forward_hook(leave, always_call=True),
    ]
    return [leaving, *hooks, *listen_to_projections(module, projected)]


def _mode_of(module: nn.Module) -> ModeOfLayer | None:
    """This thread's innermost mode, if it is that of this layer."""
    modes = vars(_HERE).get("modes", [])
    return modes[-1] if modes and modes[-1].module is module else None


def _enter(mode: ModeOfLayer) -> None:
    vars(_HERE).setdefault("modes", []).append(mode)
    mode.__enter__()  # type: ignore[no-untyped-call]  # torch has no types


@runtime_checkable
class Removable(Protocol):
    """A hook, or what else is taken off."""

    def remove(self) -> None:
        """Takes it off."""


@dataclass(frozen=True)
class _Leaving:
    """Leaves the layer's mode: as its hook, and in the end, since torch calls no hook of a layer that Ctrl-C ends."""

    module: nn.Module

    def __call__(self, *_: Any) -> None:
        self.remove()

    def remove(self) -> None:
        """Leaves the mode if it is on."""
        if _mode_of(self.module) is not None:
            _HERE.modes.pop().__exit__(None, None, None)


class _Seam:
    """Sees what the processors of one file give diffusers' dispatcher; those of several runs are counted."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._change(1)

    def remove(self) -> None:
        """Takes one off; with the last the file has its own function again."""
        self._change(-1)

    def _change(self, by: int) -> None:
        with _SEAMS_LOCK:
            count, original = _SEAMS.pop(self._file, (0, getattr(self._file, _DISPATCH)))
            if count + by:
                _SEAMS[self._file] = (count + by, original)
            setattr(self._file, _DISPATCH, partial(_dispatched, original) if count + by else original)


def _dispatched(  # noqa: PLR0913, PLR0917  (the dispatcher's own arguments)
    original: Callable[..., torch.Tensor],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
    *more: Any,
    **named: Any,
) -> torch.Tensor:
    """Diffusers' dispatcher, which stands for the kernel where no call of torch's own function was seen behind it."""
    modes = list(vars(_HERE).get("modes", []))
    before = [one.calls for one in modes]
    out = original(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, *more, **named)
    for mode, calls in zip(modes, before, strict=True):  # as of a call of torch's, which the last hands to the first
        if mode.calls == calls:  # (row, position, head, width) here
            given = query.transpose(1, 2), key.transpose(1, 2), attn_mask, scale
            beside = value.transpose(1, 2), out.transpose(1, 2)
            attended = given_to_kernel(*given, *beside, is_causal=is_causal, enable_gqa=enable_gqa)
            made = mode.reached(attended, repeated(value.transpose(1, 2), attended), out.transpose(1, 2))
            out = made.transpose(1, 2)
    return out


class _Kernel(ModeOfLayer):
    """Reads the arguments of `F.scaled_dot_product_attention`; what that returns stays the model's."""

    def __init__(self, module: nn.Module, heard: Heard) -> None:
        super().__init__(module)
        self._heard = heard

    def reached(self, attended: Attended, value: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Hands on what a kernel was given."""
        self._heard(attended)
        return super().reached(attended, value, out)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not KERNEL:
            return func(*args, **(kwargs or {}))
        out, attended = attend(*args, **(kwargs or {}))
        return self.reached(attended, out, out)


class _Either(_Kernel):
    """Beside it what the projections made, for where a patch calls another kernel than torch's after all."""

    projected: Attended | None = None


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> tuple[torch.Tensor, Attended]:
    """What `F.scaled_dot_product_attention` returns, to the bit, and what it was given.

    Where torch would take its fused kernel for CPUs, that kernel is called itself: it hands out the log Σ exp of each
    query, which the function keeps to itself.
    """
    given = query, key, value, attn_mask, dropout_p, is_causal
    normaliser = None
    if _hands_out_normaliser(query, *given[1:], scale, enable_gqa):
        added = _added(attn_mask, query)
        out, normaliser = KERNEL_FOR_CPU(query, key, value, dropout_p, is_causal, attn_mask=added, scale=scale)
    else:
        out = KERNEL(*given, scale=scale, enable_gqa=enable_gqa)
        query, key, value = (one.to(out.dtype) for one in given[:3])  # as the user's autocast has it round them
    beside = value, out, normaliser
    return out, given_to_kernel(query, key, attn_mask, scale, *beside, is_causal=is_causal, enable_gqa=enable_gqa)


def given_to_kernel(  # noqa: PLR0913  (what a kernel is given, and what it makes)
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float | None,
    value: torch.Tensor | None = None,
    made: torch.Tensor | None = None,
    normaliser: torch.Tensor | None = None,
    *,
    is_causal: bool = False,
    enable_gqa: bool = False,
) -> Attended:
    """What a kernel was given and made, with grouped keys repeated and the scale settled."""
    if enable_gqa:
        key = _per_query(key, query)
    if is_causal:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    return Attended(query, key, query.shape[-1] ** -0.5 if scale is None else scale, mask, normaliser, value, made)


def repeated(value: torch.Tensor, attended: Attended) -> torch.Tensor:
    """Values by head, grouped ones repeated for each head of the query."""
    return value if value.shape[-3] == attended.query.shape[-3] else _per_query(value, attended.query)


def _per_query(x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(query.shape[-3] // x.shape[-3], -3)


def _hands_out_normaliser(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float,
    is_causal: bool,  # noqa: FBT001
    scale: float | None,
    enable_gqa: bool,  # noqa: FBT001
) -> bool:
    """Whether torch takes a kernel that does so: on a CPU its fused one, outside of a graph that is being traced.

    Not with a mask that is added: where that is large (PixArt's −10,000), the normaliser has lost its last digits.
    """
    if query.device.type != "cpu" or query.ndim != 4 or torch.compiler.is_compiling() or enable_gqa:  # noqa: PLR2004
        return False
    if attn_mask is not None and attn_mask.dtype != torch.bool:
        return False
    chosen = torch._fused_sdp_choice(  # noqa: SLF001  (there is no public name)
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )
    return bool(chosen == SDPBackend.FLASH_ATTENTION.value)


def in_float32(device: torch.device) -> AbstractContextManager[Any]:
    """A block in which products of float32 stay float32, though the user's `torch.autocast` is on around the run."""
    if torch.compiler.is_compiling() or not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def _added(mask: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    """A boolean mask as the kernel takes it: 0 where it is true, −∞ elsewhere."""
    if mask is None:
        return None
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -math.inf)


def _rows(x: torch.Tensor, rows: tuple[int, ...]) -> torch.Tensor:
    if len(rows) == len(x):
        return x
    if rows == tuple(range(rows[0], rows[-1] + 1)):  # the usual case, and a view
        return x[rows[0] : rows[-1] + 1]
    return torch.stack([x[row] for row in rows])
