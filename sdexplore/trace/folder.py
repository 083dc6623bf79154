"""A folder of several traces: a file for each, and an index that names them. It holds all old ones or all new ones.

New files get names that the index does not have. The index is then replaced at once, and what the old one named is
removed. Until that moment a reader finds the old traces, and from then on the new ones.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count as counting
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ..base import atomic_files
from ..base.display import clip
from ..base.errors import TraceError
from ..base.os_errors import told
from .file import INDEX
from .trace import Trace

SCHEMA: Final = 1  # of an index and of a plan
PLAN: Final = "plan.json"
_ONE = re.compile(r"[0-9]+\.safetensors")
_READINGS = 3  # of an index that is replaced while its files are opened


def file_of(number: int) -> str:
    """The name of a trace's file in a folder of several."""
    return f"{number:03d}.safetensors"


def new_files(folder: Path, number: int) -> list[str]:
    """Names for so many new files, the lowest that the folder's index does not have."""
    taken = set(_named_by_index(folder))
    return list(islice((name for one in counting() if (name := file_of(one)) not in taken), number))


def save(folder: Path, index: Mapping[str, Any], traces: Sequence[Trace], *, decode: bool) -> Path:
    """Writes one file a trace and an index into `folder`; returns it. Processes that save there wait for each other.

    Args:
        decode: As `Trace.save` takes it.
    """
    with told(TraceError, f"cannot save into {str(folder)!r}"):
        folder.mkdir(parents=True, exist_ok=True)
    with told(TraceError, f"cannot save into {str(folder)!r}"), _locked(folder):
        files = new_files(folder, len(traces))
        begun: list[Path] = []
        try:
            for name, trace in zip(files, traces, strict=True):
                begun.append(folder / name)
                trace.save(begun[-1], decode=decode)
            write_index(folder, index, files)
        except BaseException:
            for path in begun if (folder / INDEX).exists() else ():  # the old traces are whole, and stay alone
                path.unlink(missing_ok=True)
            raise
    return folder


def write_index(folder: Path, index: Mapping[str, Any], files: Sequence[str]) -> None:
    """Makes `files`, which are there, the traces of the folder; those of the old index are removed."""
    old = set(_named_by_index(folder)) - set(files)
    write_json(folder / INDEX, {"schema": SCHEMA, **index, "files": list(files)})
    for name in old:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError:  # Windows keeps a file that somebody reads; nothing names it any more
            continue


def load(folder: Path, kind: str) -> tuple[dict[str, Any], list[Trace]]:
    """The index of a folder and its traces, read lazily.

    Raises:
        TraceError: It holds none of this kind, or is damaged.
    """
    for reading in range(1, _READINGS + 1):
        index = _index_of(folder, kind)
        try:
            return index, [Trace.load(folder / file) for file in index["files"]]
        except TraceError:
            # Somebody may have saved other traces there just now.
            if reading == _READINGS or _index_of(folder, kind) == index:
                raise
    raise AssertionError


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON to `path`, atomically."""
    atomic_files.write(path, json.dumps(content, indent=1).encode())


def _index_of(folder: Path, kind: str) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        cells = len(list(folder.glob("*.safetensors"))) if (folder / PLAN).exists() else None
        begun = "" if cells is None else f"; {cells} of its runs are there, and compare(…, to=…) goes on"
        raise TraceError(f"no {kind} in {str(folder)!r}: there is no {INDEX}{begun}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise TraceError(f"{INDEX} of {folder.name!r} cannot be read: {error}") from error
    files = index.get("files") if isinstance(index, dict) else None
    if not isinstance(files, list) or index.get("kind") != kind:
        raise TraceError(f"{folder.name!r} holds no {kind}: its {INDEX} is of another kind")
    if index.get("schema") is True or index.get("schema") != SCHEMA:
        raise TraceError(
            f"{folder.name!r} has layout {clip(repr(index.get('schema')), 40)}; this sdexplore reads {SCHEMA}: "
            "update it, or save anew"
        )
    for file in files:
        if not isinstance(file, str) or not _ONE.fullmatch(file):
            raise TraceError(f"{INDEX} of {folder.name!r} names {clip(repr(file))}, which no {kind} does")
    if len(set(files)) != len(files):
        raise TraceError(f"{INDEX} of {folder.name!r} names a file twice, which no {kind} does")
    return dict(index)


def _named_by_index(folder: Path) -> list[str]:
    """The files that the index names; none without a readable index."""
    try:
        files = json.loads((folder / INDEX).read_text(encoding="utf-8"))["files"]
        return [name for name in files if isinstance(name, str) and _ONE.fullmatch(name)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among the processes that save to the folder. The lock ends with its process, and leaves no file."""
    try:
        import fcntl
    except ImportError:  # Windows has no locks on folders
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            yield
            return
        yield
    finally:
        os.close(handle)
