"""Paths as users name them, and files that exist whole or not at all: written under another name, then renamed.

A file is written as a draft, `.NAME.xxxxxxxx.part`, which stays locked while its process lives. The next draft of the
same name clears those that dead processes left.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import SdexploreError
from .os_errors import told

if sys.platform != "win32":  # there no draft is locked, and none cleared
    import fcntl

_SUFFIX = ".part"


def named(path: str | Path, error: type[SdexploreError] = SdexploreError) -> Path:
    """`path` with "~" replaced by the home directory; unchanged where there is no such home ("~old.png").

    Raises:
        SdexploreError: No file can have this name; the class is `error`.
    """
    try:
        os.fsencode(path)
    except (TypeError, UnicodeEncodeError) as refused:
        raise error(f"{path!r} is not the name of a file: give a text or a Path") from refused
    if "\0" in str(path):
        raise error(f"{str(path)!r} holds the character NUL, which no file's name can have: leave it out")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to. It replaces `path` if the block succeeds, and is removed if not.

    A reader of `path` sees the old file or the whole new one, never a part.
    """
    _clear(path)
    draft, lock = _locked(path)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp's 0600 would lock other users out
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def write(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, atomically."""
    with draft_of(path) as draft:
        draft.write_bytes(content)


def save(path: Path, content: bytes, error: type[SdexploreError]) -> None:
    """Writes `content` to `path`, atomically, and makes the folders around it.

    Raises:
        SdexploreError: The system refuses: a full disk, a forbidden place; the class is `error`.
    """
    with told(error, f"cannot save as {str(path)!r}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, content)


def _locked(path: Path) -> tuple[Path, int | None]:
    """A new draft of `path`, and what holds its lock; None where files cannot be locked."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=_SUFFIX, dir=path.parent)
        if sys.platform == "win32":
            os.close(handle)
            return Path(name), None
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(name), os.fstat(handle)):  # noqa: PTH116  (by name, as it stands now)
                return Path(name), handle
        os.close(handle)  # another process took the draft for a dead one's before it was locked


def _clear(path: Path) -> None:
    """Removes drafts of `path` that no process holds any more."""
    if sys.platform == "win32" or not path.parent.is_dir():
        return
    form = re.compile(re.escape(_prefix(path)) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX))
    for one in os.scandir(path.parent):
        if form.fullmatch(one.name) and one.is_file(follow_symlinks=False):
            with suppress(OSError):  # locked, not ours, or already removed
                handle = os.open(one.path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(one.path).unlink()
                finally:
                    os.close(handle)


def _prefix(path: Path) -> str:
    return f".{path.name[:40]}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
