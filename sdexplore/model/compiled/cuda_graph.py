"""A function of tensors as one CUDA graph, captured once and replayed with other numbers; and cleaning up a failure.

Statements about torch were read in its sources (CUDAGraph.cpp, CUDAGeneratorImpl.cpp, CUDACachingAllocator and
torch/cuda/graphs.py of 2.6 to 2.13); not all of them were observed on a device.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch

Function = Callable[..., Sequence[torch.Tensor]]

_WARM_UP = 3  # calls before a capture, as torch's own `make_graphed_callables` makes
_MODE = "thread_local"  # other threads, such as a dashboard's previews, may use the device at the same time


class Replayed:
    """A function of tensors of one device, warmed up and captured; the next call overwrites the tensors of this one.

    Calls may come from any thread and on any stream, one at a time.

    Raises:
        Exception: The error of the function, or else of the capture; the device can still be used.
    """

    def __init__(self, function: Function, tensors: Sequence[torch.Tensor]) -> None:
        self._function = function  # the CUDA graph holds only addresses, also those of its constants
        self._device = device = tensors[0].device
        self._inputs = [tensor.clone() for tensor in tensors]
        with torch.cuda.device(device):
            # On a stream of this device: torch's own choice is on the device that captured first.
            beside: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream: Any = torch.cuda.current_stream(device)  # of the last call, and of its result
            beside.wait_stream(self._stream)
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP):
                    function(*self._inputs)
            self._stream.wait_stream(beside)
            self._graph, self._outputs = _captured(function, self._inputs, beside)

    def __call__(self, *tensors: torch.Tensor) -> Sequence[torch.Tensor]:
        """The function's result for these tensors, on the current stream."""
        current = torch.cuda.current_stream(self._device)
        if current != self._stream:  # on it the last call, and copies of its result, may not be over yet
            current.wait_stream(self._stream)
            for mine in self._inputs:
                mine.record_stream(current)
            self._stream = current
        for mine, given in zip(self._inputs, tensors, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return self._outputs


def _captured(function: Function, inputs: Sequence[torch.Tensor], stream: Any) -> tuple[Any, Sequence[torch.Tensor]]:
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    first: Exception | None = None
    try:
        # This restores the outer stream if a capture fails; torch.cuda.graph then leaves its own.
        with (
            _undisturbed(),
            torch.cuda.stream(torch.cuda.current_stream(stream.device)),
            torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode=_MODE),
        ):
            try:
                return graph, function(*inputs)
            except Exception as error:
                first = error
                raise
    except BaseException as error:
        _recover(stream.device, pool)
        if first is None or first is error:
            raise
    try:
        raise first  # such as that memory ran out; the end of the capture says only that something failed
    finally:
        first = None  # its traceback holds this frame


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keeps the rest of this process out of a capture, and keeps memory that the capture uses from being reused.

    Garbage collection may free a CUDA object (a graph, memory, an event), and that ends a capture. A cuBLAS workspace
    belongs to a stream, and torch frees it when it clears workspaces, as its graphs of `mode="reduce-overhead"` do. So
    every replay would write to a workspace made during warm-up, even if other code owns that memory by then. A
    workspace that is made during the capture lies in the graph's own pool, which no other code gets.
    """
    internal: Any = torch._C  # noqa: SLF001  (there is no public name)
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    internal._cuda_clearCublasWorkspaces()  # noqa: SLF001
    try:
        yield
    finally:
        internal._cuda_clearCublasWorkspaces()  # noqa: SLF001
        if collecting:
            gc.enable()


def _recover(device: torch.device, pool: Any) -> None:
    """Ends a failed capture for torch's allocator and random numbers too, as far as possible, and silently.

    If CUDA reports at the end of a capture that it failed, `capture_end` raises before it tells them that the capture
    is over. Later versions tell the allocator first, and the newest keep no such state in the generator. In all others,
    `empty_cache`, and with it the second try of an allocation, fails on an assertion from then on; drawing numbers on
    the device fails with "Offset increment outside graph capture"; and so does the replay of every other graph. One
    thing cannot be repaired: older torch never frees the memory of the failed graph's pool.
    """
    internal: Any = torch._C  # noqa: SLF001  (there is no public name)
    with suppress(RuntimeError):  # the allocator was told already
        internal._cuda_endAllocateToPool(device.index, pool)  # noqa: SLF001
    try:  # a capture that succeeds ends the generator's; earlier graphs share its state
        number = torch.zeros(1, device=device)
        beside: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(device)
        beside.wait_stream(current)
        with (
            torch.cuda.stream(current),
            torch.cuda.graph(torch.cuda.CUDAGraph(), stream=beside, capture_error_mode=_MODE),
        ):
            number.add_(1)
    except Exception:  # noqa: BLE001  (a copy of its state is not capturing; the earlier graphs are lost)
        with suppress(Exception):
            generator = torch.cuda.default_generators[device.index]
            generator.graphsafe_set_state(generator.clone_state())
