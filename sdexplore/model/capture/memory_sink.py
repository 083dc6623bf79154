"""Keeps the rows of a run in arrays on the host, which are made once and filled in place; one set for each image."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import torch

from ...trace.collections import Traces
from ...trace.trace import Trace
from ..components.host_copies import Queued

Key: TypeAlias = tuple[int, str]
"""The number of an image, and the name of an array in a trace's file."""

_FIRST_BLOCK, _LARGEST_BLOCK = 1 << 22, 1 << 28  # bytes of pinned memory that are requested at once


class Keeper(ABC):
    """Takes the rows of arrays as they are made, on any device; their numbers may be read after `wait`.

    Attributes:
        in_files: Whether the trace is a file once it is sealed.
    """

    in_files = False

    def __init__(self) -> None:
        self._rows: dict[Key, int] = {}

    def take(
        self, key: Key, row: torch.Tensor, expected: int, dtype: torch.dtype | None = None, at: int | None = None
    ) -> None:
        """Copies one row to the end of an array.

        Args:
            key: The array; its first row makes it.
            row: Copied in the order of its device's stream; the device does not wait.
            expected: How many rows there will be; more are not an error.
            dtype: Of the array, if it is not the row's.
            at: The row's number; missing rows before it become NaN.
        """
        dtype, shape = dtype or row.dtype, tuple(row.shape)
        for _ in range(self._rows.get(key, 0), at or 0):
            self._add(key, torch.full((1, *shape), torch.nan, dtype=dtype, device=row.device), expected)
        self._add(key, row.detach().unsqueeze(0), expected, dtype)

    def fill(self, key: Key, rows: int) -> None:
        """Adds rows of NaN to the end of an existing array until it has `rows` rows."""
        shape, dtype = self._layout(key)
        for _ in range(self._rows[key], rows):
            self._add(key, torch.full((1, *shape), torch.nan, dtype=dtype), rows)

    def add(self, key: Key, rows: np.ndarray, expected: int | None = None) -> None:
        """Adds rows that are already on the host to the end of an array; call it after `wait`."""
        made = torch.from_numpy(np.array(rows, order="C"))  # a copy, since torch wants to be able to write to it
        self._add(key, made, len(rows) if expected is None else expected)

    def _add(self, key: Key, rows: torch.Tensor, expected: int, dtype: torch.dtype | None = None) -> None:
        self._append(key, rows, dtype or rows.dtype, expected)
        self._rows[key] = self._rows.get(key, 0) + len(rows)

    @abstractmethod
    def step_done(self) -> None:
        """A step's rows are complete."""

    @abstractmethod
    def wait(self) -> None:
        """Returns once every copy is complete."""

    @abstractmethod
    def arrays(self, image: int) -> Mapping[str, np.ndarray]:
        """The arrays of one image by name, after `wait`; do not use them after `seal`."""

    @abstractmethod
    def forget(self, key: Key) -> None:
        """Drops an array, after `wait`."""

    @abstractmethod
    def seal(self, image: int, trace: Trace) -> None:
        """Takes the trace that is made of an image's arrays."""

    @abstractmethod
    def drop(self) -> None:
        """Forgets everything."""

    @abstractmethod
    def result(self) -> Trace | Traces:
        """The traces of the run, once every image is sealed and the run is over."""

    @abstractmethod
    def _append(self, key: Key, rows: torch.Tensor, dtype: torch.dtype, expected: int) -> None:
        """Copies rows, as `dtype`, behind the `self._rows[key]` existing ones."""

    @abstractmethod
    def _layout(self, key: Key) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape and dtype of a row."""


class InMemory(Keeper):
    """Keeps arrays in memory, which is pinned if the rows come from a CUDA device.

    Each array is made at its first row, for all rows that are expected, and becomes the trace's own: nothing is held
    twice. On CUDA a copy goes to pinned memory in stream order, so that a run needs one synchronisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self._arrays: dict[Key, torch.Tensor] = {}
        self._blocks: dict[int, PinnedBlocks] = {}
        self._queued = Queued()
        self._traces: dict[int, Trace] = {}

    def step_done(self) -> None:
        """Does nothing: the rows are already in their arrays."""

    def wait(self) -> None:
        """Returns once every copy is complete."""
        for event in self._queued.reached():
            event.synchronize()
        self._queued = Queued()

    def arrays(self, image: int) -> dict[str, np.ndarray]:
        """The arrays of one image by name."""
        return {
            name: array[: self._rows[owner, name]].numpy()
            for (owner, name), array in self._arrays.items()
            if owner == image
        }

    def forget(self, key: Key) -> None:
        """Drops the array."""
        self._arrays.pop(key, None)
        self._rows.pop(key, None)

    def seal(self, image: int, trace: Trace) -> None:
        """Keeps the trace."""
        self._traces[image] = trace

    def drop(self) -> None:
        """Forgets arrays and traces."""
        for held in (self._arrays, self._blocks, self._traces, self._rows):
            held.clear()

    def result(self) -> Trace | Traces:
        """The traces."""
        traces = [self._traces[image] for image in sorted(self._traces)]
        return traces[0] if len(traces) == 1 else Traces(traces)

    def _append(self, key: Key, rows: torch.Tensor, dtype: torch.dtype, expected: int) -> None:
        cuda, begin = rows.device.type == "cuda", self._rows.get(key, 0)
        array = self._room(key, tuple(rows.shape[1:]), dtype, expected, begin + len(rows), pinned=cuda)
        target = array[begin : begin + len(rows)]
        if not cuda:
            target.copy_(rows)
            return
        # Converted on the device, since pinned memory takes the bytes unchanged.
        self._queued.copy(target, rows.to(dtype))

    def _layout(self, key: Key) -> tuple[tuple[int, ...], torch.dtype]:
        return tuple(self._arrays[key].shape[1:]), self._arrays[key].dtype

    def _room(
        self, key: Key, shape: tuple[int, ...], dtype: torch.dtype, expected: int, needed: int, *, pinned: bool
    ) -> torch.Tensor:
        """The array, with room for `needed` rows."""
        array = self._arrays.get(key)
        if array is None:
            array = self._arrays[key] = self._empty(key, (max(expected, needed), *shape), dtype, pinned=pinned)
        elif needed > len(array):
            self.wait()
            grown = self._empty(key, (max(2 * len(array), needed), *shape), dtype, pinned=array.is_pinned())
            grown[: len(array)] = array
            array = self._arrays[key] = grown
        return array

    def _empty(self, key: Key, shape: tuple[int, ...], dtype: torch.dtype, *, pinned: bool) -> torch.Tensor:
        if not pinned:
            return torch.empty(shape, dtype=dtype)
        return self._blocks.setdefault(key[0], PinnedBlocks()).empty(shape, dtype)


class PinnedBlocks:
    """Pinned memory in pieces of few large blocks: each block is slow to get, and is rounded up to a power of two.

    A block is as large as all before it together, from 4 to 256 MiB. A larger piece has a block of its own, rounded up.
    """

    def __init__(self) -> None:
        self.given = 0
        self._left = self._block(0)

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A new tensor with undefined numbers."""
        length = math.prod(shape) * dtype.itemsize
        aligned = -(-length // 64) * 64
        if aligned > len(self._left):
            size = max(aligned, min(max(self.given, _FIRST_BLOCK), _LARGEST_BLOCK))
            block = self._block(1 << (size - 1).bit_length())
            self.given += len(block)
            piece, left = block[:length], block[aligned:]
            self._left = max(left, self._left, key=len)
        else:
            piece, self._left = self._left[:length], self._left[aligned:]
        return piece.view(dtype).reshape(shape)

    def _block(self, length: int) -> torch.Tensor:
        return torch.empty(length, dtype=torch.uint8, pin_memory=length > 0)
