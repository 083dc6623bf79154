"""CUDA graphs without CUDA: a substitute device behaves as torch's sources do, and fails where they fail."""

import contextlib
import gc

import pytest
import torch

from sdexplore.model.compiled import denoiser
from sdexplore.model.compiled.cuda_graph import Replayed
from sdexplore.model.compiled.exported_graph import Arguments
from sdexplore.model.runs import out_of_memory


class Stream:
    def __init__(self, device):
        self.device, self.waited_for = device, []

    def wait_stream(self, other):
        self.waited_for.append(other)


class Device:
    """What torch keeps of a device, of the version before it tidied up after a capture that fails, or after that.

    Attributes:
        fails: How many captures fail in their end, counted down.
        capturing: Whether the generator takes itself for capturing.
        underway: The pools that the allocator takes captures to be under way in.
        log: What was done, in its order.
    """

    def __init__(self, monkeypatch, *, tidy=False):
        self.tidy, self.fails, self.capturing, self.underway, self.log = tidy, 0, False, set(), []
        self.current = self.usual = Stream(torch.device("cpu"))
        self.pools = 0
        patches = {
            "device": lambda _: contextlib.nullcontext(),
            "Stream": Stream,
            "current_stream": lambda _: self.current,
            "stream": self.stream,
            "CUDAGraph": lambda: Graph(self),
            "graph": self.graph,
            "graph_pool_handle": self.pool,
            "default_generators": {None: self},  # the CPU has no index
        }
        for name, patch in patches.items():
            monkeypatch.setattr(torch.cuda, name, patch)
        monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: self.log.append("clear"), raising=False)
        monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", self.end, raising=False)
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: self.log.append((tensor, stream)))

    def pool(self):
        self.pools += 1
        return self.pools

    @contextlib.contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextlib.contextmanager
    def graph(self, _, *, stream, capture_error_mode, pool=None):
        """As torch.cuda.graph, which leaves its stream the current one where the capture fails."""
        assert capture_error_mode == "thread_local"
        pool = pool or self.pool()
        self.empty_cache()
        self.current, before = stream, self.current
        self.capturing = True
        self.underway.add(pool)
        self.log.append("begin")
        try:
            yield
        finally:
            self.log.append("end")
            self.fails, failed = max(self.fails - 1, 0), self.fails > 0
            if self.tidy or not failed:
                self.underway.remove(pool)
            if failed:
                raise RuntimeError("operation failed due to a previous error during capture")
            self.capturing = False
            self.current = before

    def end(self, index, pool):
        assert index is None
        if pool not in self.underway:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.underway.remove(pool)

    def empty_cache(self):
        assert not self.underway, "captures_underway.empty() INTERNAL ASSERT FAILED"

    def clone_state(self):
        return "a copy"

    def graphsafe_set_state(self, state):
        assert state == "a copy"
        self.capturing = False

    def as_before(self):
        self.empty_cache()
        assert not self.capturing
        assert self.current is self.usual
        assert gc.isenabled()
        assert self.log.count("clear") == 2


class Graph:
    def __init__(self, device):
        self.device = device

    def replay(self):
        assert not self.device.capturing, "Offset increment outside graph capture encountered unexpectedly"
        self.device.log.append("replay")


def double(x):
    return (2 * x,)


NUMBERS = (torch.ones(2),)


def test_what_is_captured_is_warmed_up_beside_and_nothing_gets_in_between(monkeypatch):
    device, called = Device(monkeypatch), []

    def noted(x):
        called.append((device.current, gc.isenabled(), list(device.log)))
        return double(x)

    Replayed(noted, NUMBERS)
    *warm, captured = called
    assert len(warm) == 3
    assert len({stream for stream, *_ in called}) == 1
    assert warm[0][0] is not device.usual
    assert [collecting for _, collecting, _ in called] == [True, True, True, False]
    assert captured[2] == ["clear", "begin"]  # a workspace of cuBLAS that was made while warming up is not captured
    assert device.log == ["clear", "begin", "end", "clear"]
    assert captured[0].waited_for == [device.usual]  # which gave the inputs
    assert device.usual.waited_for == [captured[0]]
    device.as_before()


@pytest.mark.parametrize("tidy", [False, True])
@pytest.mark.parametrize("in_the_end", [False, True])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), KeyboardInterrupt()])
def test_after_a_capture_that_failed_the_device_is_as_before(monkeypatch, tidy, in_the_end, error):
    device, calls = Device(monkeypatch, tidy=tidy), []
    before = Replayed(double, NUMBERS)
    device.log.clear()

    def failing(x):
        calls.append(1)
        if len(calls) > 3:
            device.fails = int(in_the_end)
            raise error
        return double(x)

    with pytest.raises((type(error), RuntimeError)) as caught:
        Replayed(failing, NUMBERS)
    device.as_before()
    if isinstance(error, Exception):  # what failed, and not that something had
        assert caught.value is error
        assert out_of_memory.ran_out(caught.value)
    before(torch.ones(2))
    assert device.log[-1] == "replay"


def test_a_capture_that_fails_in_its_end_alone_says_so(monkeypatch):
    device = Device(monkeypatch)
    device.fails = 1
    with pytest.raises(RuntimeError, match="previous error during capture"):
        Replayed(double, NUMBERS)
    device.as_before()


def test_where_no_capture_succeeds_the_generator_at_least_is_as_before(monkeypatch):
    device = Device(monkeypatch)
    device.fails = 2
    with pytest.raises(RuntimeError, match="previous error during capture"):
        Replayed(double, NUMBERS)
    assert not device.capturing
    assert device.current is device.usual


def test_a_call_on_another_stream_waits_for_the_one_before(monkeypatch):
    device = Device(monkeypatch)
    replayed = Replayed(double, NUMBERS)
    device.log.clear()
    device.usual.waited_for.clear()
    replayed(torch.full((2,), 3.0))
    assert device.log == ["replay"]
    assert not device.usual.waited_for
    other = Stream(device.usual.device)
    with device.stream(other):
        replayed(torch.full((2,), 4.0))
        replayed(torch.full((2,), 5.0))
    assert other.waited_for == [device.usual]
    ((mine, on), *replays) = device.log[1:]
    assert on is other  # the memory of its inputs is not given away while they are read there
    assert replays == ["replay"] * 2
    assert mine.tolist() == [5.0, 5.0]
    replayed(torch.full((2,), 6.0))
    assert device.usual.waited_for == [other]


def test_tensors_of_several_devices_are_not_put_in_one_graph():
    given = {"sample": torch.ones(1), "timestep": torch.ones(1), "scale": torch.ones((), device="meta")}
    with torch.no_grad():
        assert denoiser._not_traceable(Arguments.of(given)) == "it is given tensors on cpu and meta"
        assert denoiser._not_traceable(Arguments.of({**given, "scale": torch.ones(())})) is None
