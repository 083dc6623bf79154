"""The one folder in which an article writes."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..base import atomic_files
from ..base.display import clip
from ..base.errors import PublishError

SLUG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # Windows', with any ending


class Place:
    """The folder beneath which an article writes everything; each path is checked. The first writing makes the folder.

    Raises:
        PublishError: `root` is a file.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = atomic_files.named(root).resolve()
        if self.root.exists() and not self.root.is_dir():
            raise PublishError(
                f"Article(root={str(root)!r}) is a file; name the folder of your articles, or a new folder"
            )

    def path(self, relative: PurePosixPath, *, make: bool = True) -> Path:
        """The path of `relative` beneath the root; `make` makes its folders.

        Raises:
            PublishError: The path leads out of the root, by its name or by a link in it.
        """
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise PublishError(f"{str(relative)!r} leads out of root={str(self.root)!r}; nothing was written")
        folder = self.root
        for part in (".", *relative.parts[:-1]):
            folder = folder / part
            try:
                if make:
                    folder.mkdir(exist_ok=True, parents=part == ".")
            except OSError as error:
                raise PublishError(f"{str(folder)!r} cannot be made a folder: {error.strerror}") from error
            if not folder.resolve().is_relative_to(self.root):
                raise PublishError(
                    f"{str(folder)!r} is a link that leads out of root={str(self.root)!r}; nothing was written. "
                    "Put a folder in its place, or name as root the folder that it leads to"
                )
        return folder / relative.parts[-1]

    def write(self, relative: PurePosixPath, content: bytes) -> Path:
        """Writes `content` in one step; a link of that name is replaced, not followed. Returns the path."""
        path = self.path(relative)
        if path.is_dir() and not path.is_symlink():
            raise PublishError(
                f"{str(path)!r} is a folder, and a file of that name must be written; move the folder away"
            )
        try:
            atomic_files.write(path, content)
        except OSError as error:
            raise PublishError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
        return path

    def write_all(self, files: Mapping[PurePosixPath, bytes]) -> None:
        """Writes several files that belong together: all of them, or none where something ends it midway."""
        before = {relative: self.read(relative) for relative in files}
        try:
            for relative, content in files.items():
                self.write(relative, content)
        except BaseException:  # Ctrl-C too
            for relative, old in before.items():
                if self.read(relative) == old:
                    continue
                if old is None:
                    self.remove(relative)
                else:
                    self.write(relative, old)
            raise

    def read(self, relative: PurePosixPath) -> bytes | None:
        """The content of the file; None if there is no file, or a link that leads out of the root."""
        path = self.path(relative, make=False)
        if not path.is_file() or not path.resolve().is_relative_to(self.root):
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise PublishError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error

    def remove(self, relative: PurePosixPath) -> None:
        """Removes the file or link, if it exists."""
        self.path(relative).unlink(missing_ok=True)

    @contextmanager
    def locked(self, folder: PurePosixPath) -> Iterator[None]:
        """Makes other sessions that want to write into `folder` wait until the block ends."""
        with _lock(self.path(folder / "_").parent):
            yield


def checked_slug(slug: str) -> str:
    """`slug`, if it can name a folder on every system.

    Raises:
        PublishError: It cannot.
    """
    if not isinstance(slug, str) or not SLUG.fullmatch(slug) or slug.endswith(".") or not can_name_a_file(slug):
        raise PublishError(
            f"slug {clip(repr(slug), 80)} cannot name a folder on every system: use letters a to z, digits, - and _, "
            f"not - as the first{_proposal(slug) if isinstance(slug, str) else ''}"
        )
    return slug


def can_name_a_file(name: str) -> bool:
    """Whether `name` is neither a device of Windows (con, nul, lpt1) nor read as an option by commands (-rf)."""
    return not name.startswith("-") and not _DEVICES.fullmatch(name)


def _proposal(slug: str) -> str:
    near = re.sub(r"[^a-z0-9_-]+", "-", slug.lower()[:100]).strip("-")[:50]
    near = near if can_name_a_file(near) else f"about-{near}"
    return f", as {near!r}" if near else ""


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Locks `folder`; the end of the process unlocks it too, so that no lock is left behind."""
    if sys.platform == "win32":  # Windows locks no folders
        import msvcrt

        with (folder / ".lock").open("a+b") as file:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            yield
    else:
        import fcntl

        number = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)
