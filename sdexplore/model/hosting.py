"""Copies to host memory that do not make the device wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class HostCopies:
    """Copies device tensors to the host; wait for what `reached` gives before their numbers are read.

    On CUDA a copy goes to pinned memory, in stream order.
    """

    def __init__(self) -> None:
        self._device: torch.device | None = None

    def take(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A host copy of `tensor` as `dtype`; its numbers are valid once `reached()` is over."""
        tensor = tensor.detach()
        if tensor.device.type != "cuda":
            return tensor.to("cpu", dtype or tensor.dtype, copy=True)
        self._device = tensor.device
        # Converted on the device: pinned memory takes the bytes as they are.
        source = tensor if dtype is None else tensor.to(dtype)
        host = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        return host.copy_(source.contiguous(), non_blocking=True)

    def reached(self) -> Any:
        """An event of the device that is over once every copy taken until now is complete; None without CUDA."""
        if self._device is None:
            return None
        event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event


@contextmanager
def float32_vae(vae: torch.nn.Module) -> Iterator[None]:
    """A half-precision VAE whose config asks for it (`force_upcast`, as SDXL's) runs in float32 meanwhile."""
    dtype = next(vae.parameters()).dtype
    upcast = dtype == torch.float16 and bool(getattr(vae.config, "force_upcast", False))
    if not upcast:
        yield
        return
    vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        vae.to(dtype=dtype)
