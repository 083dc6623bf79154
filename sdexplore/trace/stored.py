"""The file of a trace, or its bytes, as arrays are read from it: by position, when they are touched.

No file is mapped, and none stays open: a map ends the process where another program shortens the file, and thousands
of open files are more than a process may have. So each reading opens the file, asks whether it is still the one that
the trace was opened from, reads, and closes it.
"""

import hashlib
import io
import os
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ..base import json_text
from ..base.errors import TraceError
from ..base.os_errors import reason_of
from .fingerprint import fingerprint_of
from .header import Entry, Header, header_bytes

KEY = "sdexplore"
"""Of a trace's facts in the metadata of its file."""
FINGERPRINT = "fingerprint"
"""Of a trace's fingerprint there; files of older versions have none."""
_PIECE = 1 << 22  # bytes that are read at a time

Fill: TypeAlias = Callable[[int, memoryview], None]
"""Reads the bytes from a place of the file into memory."""


class Content(ABC):
    """A trace's file, or its bytes: what its arrays are read from.

    Attributes:
        header: As it was when the trace was opened.
        fingerprint: Of the trace, where it is known.
    """

    header: Header
    fingerprint: str | None

    @abstractmethod
    def reading(self) -> AbstractContextManager[Fill]:
        """The function that reads; the content is known to be the trace's own."""

    @abstractmethod
    def bytes(self) -> bytes:
        """The whole file."""


class Held(Content):
    """The bytes of a trace's file in memory: what a pickled trace travels as."""

    def __init__(self, content: bytes, name: str) -> None:
        self._content = content
        self.header = Header.read(io.BytesIO(content), len(content), name)
        self.fingerprint = self.header.metadata.get(FINGERPRINT)

    @contextmanager
    def reading(self) -> Iterator[Fill]:
        """The function that reads."""
        whole = memoryview(self._content)

        def fill(place: int, target: memoryview) -> None:
            target[:] = whole[place : place + len(target)]

        yield fill

    def bytes(self) -> bytes:
        """The whole file."""
        return self._content


class OnDisk(Content):
    """A trace's file at a path. It is noticed when the path holds another file, or the file was changed."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  (no link is followed: a link may be turned elsewhere)
        self.fingerprint = None
        self._now = threading.local()
        with self._open("cannot be opened") as file:
            self._identity = _identity(file)
            self.header = Header.read(file, self._identity[2], path.name)
        self.fingerprint = self.header.metadata.get(FINGERPRINT)

    @contextmanager
    def reading(self) -> Iterator[Fill]:
        """The function that reads; within the block this thread opens the file once.

        Raises:
            TraceError: The path holds no file any more, or another, or the file was changed.
        """
        if (fill := getattr(self._now, "fill", None)) is not None:  # this thread is reading already
            yield fill
            return
        with self._open() as file:
            self._check(file)
            self._now.fill = partial(self._fill, file)
            try:
                yield self._now.fill
            finally:
                self._now.fill = None
            if _identity(file) != self._identity:
                raise self._lost("a file that is being changed")

    def _fill(self, file: io.FileIO, place: int, target: memoryview) -> None:
        try:
            file.seek(place)
            while len(target):
                if not (count := file.readinto(target)):
                    raise self._lost("a shorter file")
                target = target[count:]
        except OSError as error:
            raise TraceError(f"{str(self.path)!r} cannot be read: {reason_of(error)}") from error

    def bytes(self) -> bytes:
        """The whole file; TraceError as in `reading`."""
        content = bytearray(self._identity[2])
        with self.reading() as fill:
            fill(0, memoryview(content))
        return bytes(content)

    def _open(self, refused: str = "cannot be read any more") -> io.FileIO:
        try:
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise TraceError(f"{str(self.path)!r} {refused}: {reason_of(error)}") from error

    def _check(self, file: io.FileIO) -> None:
        found = _identity(file)
        try:
            content = header_bytes(file, found[2], self.path.name)
            if found == self._identity and zlib.crc32(content) == self.header.crc:
                return
            now = Header.read(file, found[2], self.path.name)
        except (OSError, TraceError) as error:
            raise self._lost("a file that is no trace") from error
        if _digests(now) != _digests(self.header) or not _as_said(file, now):
            raise self._lost(_named(_fingerprint_in(file, now)))
        self.header, self._identity = now, found  # the same numbers, written anew

    def _lost(self, instead: str) -> TraceError:
        return TraceError(
            f"{_named(self.fingerprint)} was opened from {str(self.path)!r}, and there is {instead} now: what was not "
            "read before is lost. Arrays that you hold stay; sdx.Trace.load opens what is there"
        )


def _identity(file: io.FileIO) -> tuple[int, int, int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _named(fingerprint: str | None) -> str:
    return "a trace" if fingerprint is None else f"trace {fingerprint}"


def _digests(header: Header) -> object:
    """The SHA-256 of each array, as the header says; None where it does not say them."""
    try:
        return json_text.loads(header.metadata[KEY])["digests"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _as_said(file: io.FileIO, header: Header) -> bool:
    """Whether every array is what the header says."""
    said = _digests(header)
    return isinstance(said, dict) and all(
        said.get(name) == _digest_in(file, entry) for name, entry in header.entries.items()
    )


def _digest_in(file: io.FileIO, entry: Entry) -> str:
    found = hashlib.sha256()
    for piece in _pieces(file, entry.start, entry.nbytes):
        found.update(piece)
    return found.hexdigest()


def _pieces(file: io.FileIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length and (piece := file.read(min(length, _PIECE))):
        yield piece
        length -= len(piece)


def _fingerprint_in(file: io.FileIO, header: Header) -> str | None:
    """The fingerprint of the trace in a file, from its content where an older version wrote none down."""
    if FINGERPRINT in header.metadata:
        return header.metadata[FINGERPRINT]

    def pieces() -> Iterator[bytes]:
        for name in ("timesteps", "latents", "image"):
            if (entry := header.entries.get(name)) is not None:
                rows = entry.shape[0] if name == "latents" and entry.shape else 1
                length = entry.nbytes // max(1, rows)  # of the latents the last
                yield from _pieces(file, entry.start + entry.nbytes - length, length)

    try:
        return fingerprint_of(json_text.loads(header.metadata[KEY])["call"], pieces())
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
