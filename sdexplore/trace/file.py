"""The file of a trace: one safetensors file, JSON in its header, read lazily, written atomically.

Layout: safetensors' own (8 bytes length, JSON header, data), rows of an array one step after the other. The header's
metadata holds "sdexplore", JSON with the trace's facts and the SHA-256 of each array; "fingerprint"; and where there is
a picture "preview", a small one as a data URI, which nothing here reads.

Schema 2 is written where the facts hold something that schema 1 does not know. It adds "digest", the SHA-256 of what
the header says, to the metadata, and writes numbers that are none as `base.json_text` does.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..base import json_text
from ..base.atomic_files import draft_of
from ..base.display import clip
from ..base.errors import TraceError
from ..base.os_errors import told
from .header import DTYPES, METADATA, NAMES, Header, header_digest
from .lazy import Part, StoredArray, pieces
from .schema import SCHEMAS, schema_of
from .stored import KEY, Content, OnDisk

INDEX = "index.json"  # in a folder of several traces
_DIGEST = "digest"
_OPENED_BY = {"traces": ("the traces of one call", "Traces"), "comparison": ("a comparison", "Comparison")}


def digest(array: np.ndarray) -> str:
    """SHA-256 of the array's bytes in C order, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def write(path: Path, facts: Mapping[str, Any], parts: Mapping[str, Part], **shown: str | None) -> None:
    """Writes facts and arrays to `path`; a reader sees the old file or the whole new one, never a part.

    Args:
        shown: Other texts of the metadata: "fingerprint", "preview".
    """
    with draft_of(path) as draft, draft.open("wb") as file:
        write_to(file, facts, parts, **shown)


def write_to(
    file: io.BufferedWriter | io.BytesIO, facts: Mapping[str, Any], parts: Mapping[str, Part], **shown: str | None
) -> None:
    """Writes a trace's file; an array that lies in another file is copied piece by piece."""
    ordered = dict(sorted(parts.items(), key=lambda one: (-one[1].dtype.itemsize, one[0])))  # so that all are aligned
    places, end = dict[str, Place](), 0
    for name, part in ordered.items():
        places[name] = Place(NAMES[part.dtype], part.shape, end)
        end += part.nbytes
    unknown = dict.fromkeys(parts, "0" * 64)
    length = len(encoded_header(facts, places, unknown, **shown))
    file.seek(length)
    digests = dict[str, str]()
    for name, part in ordered.items():
        found = hashlib.sha256()
        for piece in pieces(part):
            file.write(piece)
            found.update(piece)
        digests[name] = found.hexdigest()
    file.seek(0)
    file.write(encoded_header(facts, places, {name: digests[name] for name in parts}, **shown))


@dataclass(frozen=True)
class Place:
    """Where an array lies behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    def to_json(self) -> dict[str, Any]:
        """The place as safetensors writes it."""
        stop = self.start + prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize
        return {"dtype": self.dtype, "shape": list(self.shape), "data_offsets": [self.start, stop]}


def encoded_header(
    facts: Mapping[str, Any], places: Mapping[str, Place], digests: Mapping[str, str], **shown: str | None
) -> bytes:
    """The beginning of a trace's file: eight bytes for the header's length, and the header, a multiple of eight long.

    Raises:
        TraceError: The facts cannot be written as JSON.
    """
    schema = schema_of(facts)
    try:
        text = json_text.dumps({**facts, "schema": schema, "digests": dict(digests)})
    except (TypeError, ValueError, RecursionError) as error:
        raise TraceError(f"this trace cannot be written as JSON: {clip(str(error))}") from error
    metadata = {KEY: text} | {name: said for name, said in shown.items() if said is not None}
    if schema > 1:
        metadata[_DIGEST] = header_digest(metadata, {name: (one.dtype, one.shape) for name, one in places.items()})
    entries = {METADATA: metadata} | {name: one.to_json() for name, one in places.items()}
    content = json.dumps(entries, separators=(",", ":")).encode()
    content = content.ljust(-(-len(content) // 8) * 8)
    return len(content).to_bytes(8, "little") + content


def opened(path: Path) -> tuple[dict[str, Any], Content]:
    """The facts of a trace's file, and what its arrays are read from.

    Raises:
        TraceError: There is no such file, or it is a folder, damaged, foreign, or from a newer sdexplore.
    """
    with told(TraceError, f"cannot read {str(path)!r}"):
        if path.is_dir():
            raise TraceError(f"{str(path)!r} is a folder, {_held_by(path)}")
        if not path.exists():
            raise TraceError(f"no trace at {str(path)!r}: there is no such file")
        if not path.is_file():
            raise TraceError(f"{str(path)!r} is a pipe or a device, and a trace is a file (….safetensors)")
    content = OnDisk(path)
    return facts_in(content.header, path.name), content


def facts_in(header: Header, name: str) -> dict[str, Any]:
    """The facts of a trace in the header of the file `name`; TraceError where there are none that can be read."""
    if KEY not in header.metadata:
        raise TraceError(f"{name!r} is a safetensors file, but no trace: it was not saved by Trace.save")
    try:
        facts = json.loads(header.metadata[KEY])
        schema = facts["schema"]
        facts = json_text.loads(header.metadata[KEY]) if schema != 1 else facts
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TraceError(f"{name!r} has an unreadable header: {type(error).__name__}: {clip(str(error))}") from error
    if type(schema) is not int or schema not in SCHEMAS:
        raise TraceError(
            f"{name!r} has layout {clip(repr(schema), 40)}; this sdexplore reads {' and '.join(map(str, SCHEMAS))}: "
            "update it, or save anew"
        )
    return dict(facts)


def kind_of_folder(folder: Path) -> str | None:
    """What a folder holds by its index, "traces" or "comparison"; None without a readable index."""
    try:
        kind = json.loads((folder / INDEX).read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return kind if kind in _OPENED_BY else None


def _held_by(folder: Path) -> str:
    """What a folder holds, in words, and what opens it."""
    kind, files = kind_of_folder(folder), sorted(folder.glob("*.safetensors"))
    if kind is not None:
        what, opens = _OPENED_BY[kind]
        return f"{what}: sdx.{opens}.load({str(folder)!r}) opens it"
    if files:
        return f"and a trace is a file: give one of those in it, as in sdx.Trace.load({str(files[0])!r})"
    return "and no trace: a trace is a file (….safetensors)"


def verify(name: str, content: Content, facts: Mapping[str, Any]) -> bool:
    """Whether the header of trace `name` has a digest, by which it was checked too.

    Raises:
        TraceError: An array, or what the header says, is not what was saved.
    """
    with content.reading():  # the file may have been written anew since it was opened
        header = content.header
    for key in header.entries:
        if facts["digests"].get(key) != digest_of(StoredArray(content, key)):
            raise TraceError(f"{key!r} of {name} is not what was saved: the file was damaged or changed")
    said = {key: text for key, text in header.metadata.items() if key != _DIGEST}
    if _DIGEST not in header.metadata:
        if facts["schema"] > 1:
            raise TraceError(f"the header of {name} has lost its digest: the file was damaged or changed")
        return False
    shapes = {key: (NAMES[one.dtype], one.shape) for key, one in header.entries.items()}
    if header.metadata[_DIGEST] != header_digest(said, shapes):
        raise TraceError(f"the header of {name} is not what was saved: the file was damaged or changed")
    return True


def digest_of(part: Part) -> str:
    """SHA-256 of an array's bytes, read piece by piece."""
    found = hashlib.sha256()
    for piece in pieces(part):
        found.update(piece)
    return found.hexdigest()
