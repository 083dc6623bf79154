"""The file of a trace while it is made: arrays grow row by row, in any order, and none of them is held in memory.

While it grows, the file has room for the header, and behind it a region an array, as long as the expected rows. Bytes
that are not written yet take no space on a file system with sparse files. At the end the regions are moved together,
since safetensors allows no holes. Then the header is written, padded with spaces, which safetensors allows. If there
were as many rows as expected, nothing is moved.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .file import Place, encoded_header
from .header import NAMES

_ALIGNED = 8  # bytes: no dtype of a trace is longer
_PIECE = 1 << 24  # bytes that are moved at a time


@dataclass
class _Region:
    """Where the rows of one array lie."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    capacity: int
    rows: int = 0
    content: Any = field(default_factory=hashlib.sha256)

    @property
    def row(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    @property
    def used(self) -> int:
        return self.rows * self.row


class TraceDraft:
    """Writes the file of one trace. Not for several threads at once.

    Attributes:
        path: Of the draft: a file that exists and is empty.
    """

    def __init__(self, path: Path, room: int = 1 << 16) -> None:
        """Opens the file at `path`, with `room` bytes for the header; a longer header costs a move of all arrays."""
        self.path = path
        self._file: io.FileIO = path.open("r+b", buffering=0)
        self._regions: dict[str, _Region] = {}
        self._room = self._end = _aligned(room)

    def append(self, name: str, rows: np.ndarray, expected: int) -> None:
        """Adds rows to the end of an array.

        Args:
            rows: The first axis counts rows; shape and dtype of a row are those of the first row.
            expected: How many rows there will be in all. The first call reserves room for them; more cost a move.
        """
        rows = np.ascontiguousarray(rows)
        region = self._regions.get(name)
        if region is None:
            region = self._regions[name] = _Region(rows.dtype, rows.shape[1:], self._end, max(expected, len(rows)))
            self._end = _aligned(self._end + region.capacity * region.row)
        if (region.dtype, region.shape) != (rows.dtype, rows.shape[1:]):
            raise ValueError(f"a row of {name!r} is {rows.dtype} {rows.shape[1:]}, not {region.dtype} {region.shape}")
        if region.rows + len(rows) > region.capacity:
            self._relocate(region, max(2 * region.capacity, region.rows + len(rows)))
        content = rows.reshape(-1).view(np.uint8).data
        self._write(region.start + region.used, content)
        region.content.update(content)
        region.rows += len(rows)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array with the rows so far, mapped from the file. They must not be used after `seal`."""
        if not any(region.used for region in self._regions.values()):
            return {}
        whole = np.memmap(self.path, dtype=np.uint8, mode="r").view(np.ndarray)
        return {
            name: whole[one.start : one.start + one.used].view(one.dtype).reshape(one.rows, *one.shape)
            for name, one in self._regions.items()
        }

    def forget(self, name: str) -> None:
        """Leaves out an array; `seal` moves the others together."""
        self._regions.pop(name, None)

    def seal(self, facts: Mapping[str, Any], **shown: str | None) -> None:
        """Completes the trace's file, with these facts and the appended arrays, and closes it.

        Args:
            shown: Other texts of the metadata: "fingerprint", "preview".
        """
        regions = self._regions
        # Arrays that are no multiple of 8 bytes long go to the end, wider types first, so that all others stay aligned.
        for odd in sorted((r for r in regions.values() if r.used % _ALIGNED), key=lambda r: -r.dtype.itemsize):
            self._relocate(odd, odd.rows)
        end = self._room
        for region in sorted(regions.values(), key=lambda region: region.start):
            self._move(region.start, end, region.used)
            region.start = end
            end += region.used
        self._file.truncate(end)
        header = self._header(facts, **shown)
        if len(header) > self._room:
            self._move(self._room, len(header), end - self._room)
        else:
            header += b" " * (self._room - len(header))
        self._write(0, memoryview(header))
        self._write(0, memoryview((len(header) - 8).to_bytes(8, "little")))
        self.close()

    def close(self) -> None:
        """Closes the file; a draft that is not sealed stays unfinished."""
        self._file.close()

    def _header(self, facts: Mapping[str, Any], **shown: str | None) -> bytes:
        digests = {name: region.content.hexdigest() for name, region in self._regions.items()}
        places = {
            name: Place(NAMES[one.dtype], (one.rows, *one.shape), one.start - self._room)
            for name, one in self._regions.items()
        }
        return encoded_header(facts, places, digests, **shown)

    def _relocate(self, region: _Region, capacity: int) -> None:
        """Moves an array to another region, behind all others."""
        self._move(region.start, self._end, region.used)
        region.start, region.capacity = self._end, capacity
        self._end = _aligned(self._end + capacity * region.row)

    def _move(self, source: int, target: int, length: int) -> None:
        """Copies bytes within the file; the two places may overlap."""
        if source == target:
            return
        pieces = range(0, length, _PIECE)
        for piece in pieces if target < source else reversed(pieces):
            self._file.seek(source + piece)
            self._write(target + piece, memoryview(self._read(min(_PIECE, length - piece))))

    def _read(self, length: int) -> bytes:
        parts = list[bytes]()
        while length:
            parts.append(self._file.read(length))
            length -= len(parts[-1])
        return b"".join(parts)

    def _write(self, place: int, content: memoryview) -> None:
        self._file.seek(place)
        while len(content):  # one call writes no more than 2 GiB
            content = content[self._file.write(content) :]


def _aligned(place: int) -> int:
    return -(-place // _ALIGNED) * _ALIGNED
