"""Copies to host memory that do not make the device wait."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


class HostCopies:
    """Collects device tensors as host tensors; `wait` once before their numbers are read.

    On CUDA a copy goes to pinned memory in stream order, so that a run needs one synchronisation, at its end.
    """

    def __init__(self) -> None:
        self._device: torch.device | None = None

    def take(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A host copy of `tensor` as `dtype`; its numbers are valid after `wait`."""
        tensor = tensor.detach()
        if tensor.device.type != "cuda":
            return tensor.to("cpu", dtype or tensor.dtype, copy=True)
        self._device = tensor.device
        # Converted on the device: pinned memory takes the bytes as they are.
        source = tensor if dtype is None else tensor.to(dtype)
        host = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        return host.copy_(source.contiguous(), non_blocking=True)

    def wait(self) -> None:
        """Returns once every copy is complete."""
        if self._device is not None:
            torch.cuda.synchronize(self._device)
            self._device = None


def stacked(tensors: Sequence[torch.Tensor]) -> np.ndarray:
    """Host tensors of one shape as one array, first axis along the sequence."""
    return torch.stack(list(tensors)).numpy()


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
