"""Paths as users name them, and files that exist whole or not at all: written under another name, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def named(path: str | Path) -> Path:
    """`path` with "~" replaced by the home directory; unchanged where there is no such home ("~old.png")."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to. It replaces `path` if the block succeeds, and is removed if not.

    A reader of `path` sees the old file or the whole new one, never a part.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp's 0600 would lock other users out
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, atomically."""
    with draft_of(path) as draft:
        draft.write_bytes(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
