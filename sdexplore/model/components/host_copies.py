"""Copies to host memory that do not make the device wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Queued:
    """Copies to pinned memory of the host, and the streams that make them, of all devices that a pipeline is on."""

    def __init__(self) -> None:
        self._streams: set[Any] = set()

    def copy(self, host: torch.Tensor, source: torch.Tensor) -> None:
        """Queues a copy, of one format, on the current stream of the source's device."""
        host.copy_(source.contiguous(), non_blocking=True)
        self._streams.add(torch.cuda.current_stream(source.device))

    def reached(self) -> list[Any]:
        """Events that are complete when every copy queued until now is; waiting for them leaves the core to others.

        They are of streams, not of a device: waiting for a device on which another thread captures a graph is an error.
        """
        events: list[Any] = []
        for stream in self._streams:
            events.append(torch.cuda.Event(blocking=True))  # type: ignore[no-untyped-call]
            events[-1].record(stream)
        return events


class HostCopies:
    """Copies device tensors to the host; wait for the events of `reached` before you read their numbers.

    On CUDA, a copy goes to pinned memory in stream order.
    """

    def __init__(self) -> None:
        self._queued = Queued()

    def take(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A host copy of `tensor` as `dtype`; its numbers are valid once the events of `reached()` are complete."""
        tensor = tensor.detach()
        if tensor.device.type != "cuda":
            return tensor.to("cpu", dtype or tensor.dtype, copy=True)
        # Converted on the device, since pinned memory takes the bytes unchanged.
        source = tensor if dtype is None else tensor.to(dtype)
        host = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        self._queued.copy(host, source)
        return host

    def reached(self) -> list[Any]:
        """Events that are complete when every copy taken until now is; an empty list without CUDA."""
        return self._queued.reached()


@contextmanager
def float32_vae(vae: torch.nn.Module) -> Iterator[None]:
    """In the block, a half-precision VAE runs in float32 if its config asks for it (`force_upcast`, as SDXL's)."""
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
