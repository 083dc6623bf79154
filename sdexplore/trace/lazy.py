"""Arrays of a record that lie in its file: each is read when it is touched, whole, by rows, or by columns.

A record keeps a `StoredArray` in the place of an array. Reading the attribute returns the array, read from the file.
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from math import prod
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from .stored import Content, Fill

Key = TypeVar("Key", str, int)
Made = TypeVar("Made")
_PIECE = 1 << 22  # bytes that are read at a time where only a part of them is kept
_KEPT = 1 << 28  # bytes of the arrays that were read last, in the whole process
_ALWAYS_KEPT = 4  # arrays, however long: a loop over the steps of a few of them reads each once


class StoredArray:
    """One array in a trace's file.

    Attributes:
        content: The file.
        name: The array's name there.
        shape, dtype, nbytes: As the header says; nothing is read.
    """

    def __init__(self, content: Content, name: str) -> None:
        self.content, self.name = content, name
        entry = content.header.entries[name]
        self.shape, self.dtype, self.nbytes = entry.shape, entry.dtype, entry.nbytes
        self._read: weakref.ref[np.ndarray] | None = None
        self._asked = False

    @property
    def ndim(self) -> int:
        """How many axes the array has."""
        return len(self.shape)

    @property
    def start(self) -> int:
        """The array's first byte in the file, which may have been written anew."""
        return self.content.header.entries[self.name].start

    def held(self) -> np.ndarray | None:
        """The array, if it was read and somebody still holds it."""
        return None if self._read is None else self._read()

    def better_whole(self) -> bool:
        """Whether the array is in memory, or should be: a part of it was asked for before, and the file is short."""
        whole = self.held() is not None or (self._asked and self.content.header.end <= _KEPT)
        self._asked = True
        return whole

    def read(self) -> np.ndarray:
        """The array, read-only; the same object as long as somebody holds it.

        Raises:
            TraceError: The file is not there any more, or is another.
        """
        if (array := self.held()) is None:
            array = np.empty(self.shape, self.dtype)
            with self.content.reading() as fill:
                _fill(fill, self.start, array)
            array.flags.writeable = False
            self._read = weakref.ref(array)
        _RECENT.touch(array)
        return array

    def planes(self, columns: Sequence[int], runs: Sequence[tuple[int, int]]) -> np.ndarray:
        """Some columns (the last axis) of some rows (all other axes, counted as one): (column, row).

        Args:
            runs: The first row and the number of rows of each stretch.
        """
        width = self.shape[-1]
        row = width * self.dtype.itemsize
        most = max(1, _PIECE // row)
        found = np.empty((len(columns), sum(count for _, count in runs)), self.dtype)
        longest = min(most, max((count for _, count in runs), default=0))
        piece = np.empty((longest, width), self.dtype)
        content = _bytes_of(piece)
        done = 0
        with self.content.reading() as fill:
            start = self.start
            for first, count in runs:
                for begin in range(first, first + count, most):
                    rows = min(most, first + count - begin)
                    fill(start + begin * row, content[: rows * row])
                    for place, column in enumerate(columns):
                        found[place, done : done + rows] = piece[:rows, column]
                    done += rows
        return found

    def rows(self, numbers: Sequence[int]) -> np.ndarray:
        """Some rows along the first axis, read without the others."""
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        row = prod(self.shape[1:]) * self.dtype.itemsize
        with self.content.reading() as fill:
            for place, number in enumerate(numbers):
                _fill(fill, self.start + number * row, found[place : place + 1])
        return found


class StoredFrame(StoredArray):
    """One frame of an array (step, channel, frame, y, x) in a trace's file: (step, channel, y, x), read row by row."""

    def __init__(self, whole: StoredArray, frame: int) -> None:
        super().__init__(whole.content, whole.name)
        self._whole, self._frame = whole, frame
        self.shape = (*whole.shape[:2], *whole.shape[3:])
        self.nbytes = whole.nbytes // whole.shape[2]

    def read(self) -> np.ndarray:
        """The frame in every row, read-only; the same object as long as somebody holds it.

        Raises:
            TraceError: The file is not there any more, or is another.
        """
        if (array := self.held()) is None:
            array = self.rows(range(self.shape[0]))
            array.flags.writeable = False
            self._read = weakref.ref(array)
        _RECENT.touch(array)
        return array

    def rows(self, numbers: Sequence[int]) -> np.ndarray:
        """The frame in some rows along the first axis."""
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, number in enumerate(numbers):
            found[place] = self._whole.rows([number])[0][:, self._frame]
        return found


Part: TypeAlias = np.ndarray | StoredArray
"""An array, or its place in a file."""


class StoredArrays(Mapping[Key, np.ndarray], Generic[Key]):
    """A mapping whose arrays are read when they are touched.

    Attributes:
        parts: Key -> where the array lies.
    """

    def __init__(self, parts: Mapping[Key, Part]) -> None:
        self.parts: dict[Key, Part] = dict(parts)

    def __getitem__(self, key: Key) -> np.ndarray:
        return np.asarray(array_of(self.parts[key]))

    def __iter__(self) -> Iterator[Key]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __contains__(self, key: object) -> bool:
        return key in self.parts

    def __repr__(self) -> str:
        return f"<{len(self)} arrays: {', '.join(map(repr, self))}>"


class OnTouch:
    """An attribute that holds an array, or a StoredArray that is read when the attribute is."""

    def __init__(self, name: str, default: Any) -> None:  # noqa: ANN401  (any default of a field)
        self._name, self._default = name, default

    def __get__(self, record: Any, owner: type | None = None) -> Any:  # noqa: ANN401  (arrays of several types)
        if record is None:
            if self._default is MISSING:
                raise AttributeError(self._name)
            return self._default
        try:
            return array_of(vars(record)[self._name])
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, record: Any, value: Any) -> None:  # noqa: ANN401  (frozen dataclasses set by object.__setattr__)
        vars(record)[self._name] = value


def on_touch(record: type[Any], *names: str) -> None:
    """Makes fields of a dataclass read their arrays when they are touched."""
    defaults = {one.name: one.default for one in fields(record)}
    for name in names:
        setattr(record, name, OnTouch(name, defaults[name]))


def held(record: object, name: str) -> Any:  # noqa: ANN401  (an array, its place, a mapping, None)
    """What a record holds in a field; nothing is read."""
    return vars(record)[name]


def array_of(part: Any) -> Any:  # noqa: ANN401  (an array, its place, or None)
    """The array itself."""
    return part.read() if isinstance(part, StoredArray) else part


def pieces(part: Part) -> Iterator[memoryview]:
    """The array's bytes in C order; from a file they are read piece by piece, and none is kept."""
    if not isinstance(part, StoredArray):
        yield _bytes_of(np.ascontiguousarray(part))
        return
    piece = np.empty(min(_PIECE, part.nbytes), np.uint8)
    with part.content.reading() as fill:
        start = part.start
        for done in range(0, part.nbytes, _PIECE):
            here = piece.data[: min(_PIECE, part.nbytes - done)]
            fill(start + done, here)
            yield here


def row_of(part: Part, number: int) -> np.ndarray:
    """One row along the first axis, read without the others; negative numbers count from the end."""
    if not isinstance(part, StoredArray) or part.held() is not None:
        return np.asarray(array_of(part)[number])
    return np.asarray(part.rows([range(part.shape[0])[number]])[0])


def made(record: type[Made], values: Mapping[str, Any]) -> Made:
    """A frozen dataclass from its fields, some of which lie in a file.

    `__init__` is not called: a type checker around it would read every array.

    Raises:
        KeyError: A field without a default is missing.
    """
    new = object.__new__(record)
    for one in fields(record):  # type: ignore[arg-type]
        if one.name in values:
            value = values[one.name]
        elif one.default is not MISSING:
            value = one.default
        elif one.default_factory is not MISSING:
            value = one.default_factory()
        else:
            raise KeyError(one.name)
        object.__setattr__(new, one.name, value)
    new.__post_init__()  # type: ignore[attr-defined]
    return new


class _Recent:
    """Holds the arrays that were read last, so that what is touched again and again is read once."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[int, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def touch(self, array: np.ndarray) -> None:
        """Holds `array`, and lets go of those that were not touched for longest."""
        with self._lock:
            if id(array) in self._arrays:
                self._arrays.move_to_end(id(array))
                return
            self._arrays[id(array)] = array
            self._bytes += array.nbytes
            while self._bytes > _KEPT and len(self._arrays) > _ALWAYS_KEPT:
                _, oldest = self._arrays.popitem(last=False)
                self._bytes -= oldest.nbytes


_RECENT = _Recent()


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _fill(fill: Fill, place: int, array: np.ndarray) -> None:
    if array.nbytes:
        fill(place, _bytes_of(array))
