"""Bytes that a differentiated call of the denoiser keeps for its backward pass, found without computing anything.

A network of the denoiser's class and config on the meta device is called with embeddings that want a gradient. What
autograd saves of that call has shapes and no content; it is counted. torch's fused attention keeps queries, keys,
values and its output; what it would keep on the meta device, the whole softmax, is not counted in its place.
"""

import json
from functools import lru_cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ...base.display import size
from ...base.errors import RunError
from ..components.memory import free_memory, free_on
from ..components.meta_networks import example_inputs, from_config
from ..components.pipeline_parts import denoiser, device_of
from ..families import family_of
from ..families.grids import Grid

_KERNEL = torch.nn.functional.scaled_dot_product_attention


class _Fused(torch.autograd.Function):
    """In the place of fused attention: its shapes, and what it keeps."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, out, query.new_empty(query.shape[:-1]))
        return out

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise NotImplementedError


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _KERNEL:
            given = dict(zip(("query", "key", "value"), args, strict=False)) | (kwargs or {})
            return _Fused.apply(given["query"], given["key"], given["value"])  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def bytes_of_call(pipe: Any, grid: Grid) -> int:
    """What one row of one call for latents of this size (y, x) keeps, its weights not counted.

    Raises:
        InspectionError: What the denoiser takes is not known.
    """
    network: Any = denoiser(pipe)
    cls: Any = type(network)
    config = json.dumps(dict(network.config), sort_keys=True, default=str)
    return _kept_numbers(cls, config, grid) * int(next(network.parameters()).element_size())


@lru_cache(maxsize=32)
def _kept_numbers(cls: Any, config: str, grid: Grid) -> int:
    there = from_config(cls, json.loads(config)).requires_grad_(requires_grad=False)
    family = family_of(there)
    inputs = example_inputs(there, grid)
    inputs[family.text] = inputs[family.text].requires_grad_()
    weights = {_storage(one) for one in (*there.parameters(), *there.buffers())}
    kept: dict[int, torch.Tensor] = {}

    def keep(one: torch.Tensor) -> torch.Tensor:
        if _storage(one) not in weights:
            kept.setdefault(_storage(one), one)
        return one

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one), _FusedAttention():
        there(**inputs)
    return sum(one.untyped_storage().nbytes() // one.element_size() for one in kept.values())


def _storage(one: torch.Tensor) -> int:
    """Which memory a tensor stands for; on the meta device all have the address 0."""
    return int(one.untyped_storage()._cdata)  # noqa: SLF001  (torch has no public name)


def bytes_of_calls(pipe: Any, grid: Grid, calls: int, rows: int) -> int:
    """What `attribution` keeps that goes through several calls: each is checkpointed, so that one is kept at a time.

    Args:
        rows: Of each of the run's own calls; the last one, which is asked about, has two.
    """
    return bytes_of_call(pipe, grid) * (1 if calls == 1 else max(2, rows))


def ensure_room(pipe: Any, grid: Grid, calls: int, rows: int, function: str) -> None:
    """RunError where a differentiated call needs more memory than is free, before anything is computed.

    A denoiser of which too little is known for an estimate is not refused.
    """
    try:
        needed = bytes_of_calls(pipe, grid, calls, rows)
    except Exception:  # noqa: BLE001  (an estimate that fails must not keep a call from being made)
        return
    device = device_of(pipe)
    there = free_on(device) if device.type == "cuda" else free_memory()
    if there is not None and needed > there:
        raise RunError(
            f"{function}: a differentiated call of the denoiser keeps {size(needed)}, and {size(there)} are free; "
            "method='knock-out' and method='occlusion' need no gradient, and enable_gradient_checkpointing() of the "
            "denoiser makes it smaller than this estimate"
        )
