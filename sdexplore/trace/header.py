"""The header of a trace's file: where each array lies, and the metadata. It is checked before a number is believed.

Layout: safetensors' own. Eight bytes hold the header's length, then come JSON and the arrays' bytes without a gap.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..base.display import clip
from ..base.errors import TraceError

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "U8": "|u1", "I64": "<i8"}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
METADATA = "__metadata__"
_LENGTH = 8  # bytes that hold the header's length
_LONGEST = 100_000_000  # bytes; safetensors itself reads no longer header
_MOST_AXES = 32  # numpy's own limit is 64, and 32 in its older versions


@dataclass(frozen=True)
class Entry:
    """Where one array lies in its file.

    Attributes:
        start: The first byte, counted from the beginning of the file.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int

    @property
    def nbytes(self) -> int:
        """How many bytes the array has."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Header:
    """What a file says of its content.

    Attributes:
        entries: Name -> where the array lies.
        crc: Of the header's bytes: tells a changed header quickly.
    """

    metadata: dict[str, str]
    entries: dict[str, Entry]
    crc: int

    @cached_property
    def end(self) -> int:
        """The length of the file."""
        return max((one.start + one.nbytes for one in self.entries.values()), default=0)

    @classmethod
    def read(cls, file: io.FileIO | io.BytesIO, size: int, name: str) -> "Header":
        """The header of a file of `size` bytes.

        Args:
            name: Of the file, for errors.

        Raises:
            TraceError: It does not fit the file, or describes what no trace holds.
        """
        content = header_bytes(file, size, name)
        try:
            read = json.loads(content, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise _damaged(name, clip(str(error))) from error
        metadata = read.pop(METADATA, {}) if isinstance(read, dict) else None
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise _damaged(name, "its header is no object with metadata of texts")
        begin = _LENGTH + len(content)
        entries = {key: _entry(key, said, begin, name) for key, said in read.items()}
        _check_places(entries.values(), begin, size, name)
        return cls(metadata, entries, zlib.crc32(content))


def header_bytes(file: io.FileIO | io.BytesIO, size: int, name: str) -> bytes:
    """The JSON of a header, as bytes; TraceError where the file has no room for it."""
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH) or b"", "little")
    if size < _LENGTH:
        raise _damaged(name, "it has no header")
    if length > _LONGEST:
        raise _damaged(name, f"header too large: {length} bytes")
    content = (file.read(length) or b"") if length <= size - _LENGTH else b""
    if not length or len(content) != length:
        raise _damaged(name, f"incomplete header: it should have {length} bytes, and the file has {size}")
    return content


def header_digest(metadata: Mapping[str, str], shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    """SHA-256 of what a header says: its metadata, and type and shape of each array."""
    said = json.dumps([metadata, shapes], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the header; ValueError where it names an entry twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"its header names {clip(twice)!r} twice")
    return found


def _entry(key: str, said: object, begin: int, name: str) -> Entry:
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise _damaged(name, f"its header does not say where {clip(key)!r} lies")
    shape, offsets = said["shape"], said["data_offsets"]
    if not _lengths(shape) or not _lengths(offsets) or len(offsets) != 2 or len(shape) > _MOST_AXES:  # noqa: PLR2004
        raise _damaged(name, f"its header describes {clip(key)!r} with no shape and place of an array")
    if said["dtype"] not in DTYPES:
        raise TraceError(f"{name!r} holds {clip(key)!r} as {clip(str(said['dtype']))}, which no trace does")
    entry = Entry(np.dtype(DTYPES[said["dtype"]]), tuple(shape), begin + offsets[0])
    if offsets[1] - offsets[0] != entry.nbytes:
        raise _damaged(name, f"{clip(key)!r} of shape {clip(str(shape))} does not fill its place in the file")
    return entry


def _lengths(value: object) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 62 for one in value)


def _check_places(entries: Iterable[Entry], begin: int, size: int, name: str) -> None:
    """Raises TraceError where arrays overlap, or do not fill the file to its end."""
    end = begin
    for entry in sorted(entries, key=lambda one: (one.start, one.nbytes)):
        if entry.start != end:
            raise _damaged(name, "its bytes are not fully covered by arrays that lie one behind the other")
        end += entry.nbytes
    if end != size:
        raise _damaged(name, f"its bytes are not fully covered: arrays end at {end}, and the file has {size} bytes")


def _damaged(name: str, why: str) -> TraceError:
    return TraceError(f"{name!r} is damaged or no safetensors file: {why}")
