"""A function of tensors as one CUDA graph: captured once, replayed with other numbers; what a failure leaves behind.

What is said here of torch was read in its sources (CUDAGraph.cpp, CUDAGeneratorImpl.cpp, CUDACachingAllocator and
torch/cuda/graphs.py of 2.6 to 2.13), and not all of it was seen to happen on a device.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch

Function = Callable[..., Sequence[torch.Tensor]]

_WARM_UP = 3  # calls before a capture, as torch's own `make_graphed_callables` makes
_MODE = "thread_local"  # other threads (a dashboard's previews) may use the device meanwhile


class Replayed:
    """A function of tensors of one device, warmed up and captured; its tensors are overwritten by the next call.

    Calls may come from any thread and on any stream, one at a time.

    Raises:
        Exception: What the function, or else the capture, raised; the device can be used as before.
    """

    def __init__(self, function: Function, tensors: Sequence[torch.Tensor]) -> None:
        self._function = function  # the CUDA graph holds addresses alone: of its constants too
        self._device = device = tensors[0].device
        self._inputs = [tensor.clone() for tensor in tensors]
        with torch.cuda.device(device):
            # On one stream, of this device: torch's own choice lies on the device that captured first.
            beside: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream: Any = torch.cuda.current_stream(device)  # of the last call, and of what it gave
            beside.wait_stream(self._stream)
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP):
                    function(*self._inputs)
            self._stream.wait_stream(beside)
            self._graph, self._outputs = _captured(function, self._inputs, beside)

    def __call__(self, *tensors: torch.Tensor) -> Sequence[torch.Tensor]:
        """What the function gives for these tensors, on the current stream."""
        current = torch.cuda.current_stream(self._device)
        if current != self._stream:  # there the last call, and copies of what it gave, may not be over yet
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
        # The outer stream is brought back here where a capture fails; torch.cuda.graph leaves its own then.
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
        raise first  # that memory ran out, say; the end of the capture said only that something had failed
    finally:
        first = None  # its traceback holds this frame


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A block in which nothing else of this process gets into a capture, or is used by it and then given away.

    Garbage that is collected meanwhile may be of CUDA (a graph, memory, an event), and to free that ends a capture.
    Workspaces of cuBLAS belong to a stream, and torch frees them where it clears them (as its own graphs of
    `mode="reduce-overhead"` do): one that was made while warming up would then be written to by every replay, whoever
    has it. Made while capturing, it lies in the graph's own pool, where nobody else gets it.
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
    """Brings torch's allocator and random numbers out of a capture that failed; where it can, and without a word.

    Where CUDA says at its end that it failed, `capture_end` raises before it has told them that it is over. Later
    versions tell the allocator first, and the newest keep no such state in the generator. In all others `empty_cache`,
    and with it an allocation's second try, fails on an assertion from then on; drawing numbers on the device fails,
    "Offset increment outside graph capture"; and so does the replay of every other graph. What cannot be helped: older
    torch never gives back the memory of the failed graph's pool.
    """
    internal: Any = torch._C  # noqa: SLF001  (there is no public name)
    with suppress(RuntimeError):  # it has been told
        internal._cuda_endAllocateToPool(device.index, pool)  # noqa: SLF001
    try:  # a capture that does not fail ends that of the generator, whose state graphs made before share
        number = torch.zeros(1, device=device)
        beside: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(device)
        beside.wait_stream(current)
        with (
            torch.cuda.stream(current),
            torch.cuda.graph(torch.cuda.CUDAGraph(), stream=beside, capture_error_mode=_MODE),
        ):
            number.add_(1)
    except Exception:  # noqa: BLE001  (a copy of its state is not capturing; those graphs are lost)
        with suppress(Exception):
            generator = torch.cuda.default_generators[device.index]
            generator.graphsafe_set_state(generator.clone_state())
