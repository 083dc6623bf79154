"""The file of a trace: one safetensors file, JSON in its header, read lazily, written atomically.

Layout: safetensors' own (8 bytes length, JSON header, data), rows of an array one step after the other.
The header's metadata holds "sdexplore", JSON with the trace's facts and the SHA-256 of each array, and where there is
a picture "preview", a small one as a data URI, which nothing here reads.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..base.atomic_files import draft_of
from ..base.errors import TraceError
from .schema import SCHEMAS, schema_of

INDEX = "index.json"  # in a folder of several traces
_KEY = "sdexplore"
_OPENED_BY = {"traces": ("the traces of one call", "Traces"), "comparison": ("a comparison", "Comparison")}
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "U8": "|u1", "I64": "<i8"}


def digest(array: np.ndarray) -> str:
    """SHA-256 of the array's bytes in C order, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def write(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], preview: str | None = None) -> None:
    """Writes facts and arrays to `path`; a reader sees the old file or the whole new one, never a part."""
    from safetensors.numpy import save_file

    digests = {name: digest(array) for name, array in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(path) as draft:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            draft,
            metadata=metadata_of(facts, digests, preview),
        )


def metadata_of(facts: Mapping[str, Any], digests: Mapping[str, str], preview: str | None) -> dict[str, str]:
    """The metadata in the header of a trace's file."""
    content = {**facts, "schema": schema_of(facts), "digests": dict(digests)}
    shown = {} if preview is None else {"preview": preview}
    return {_KEY: json.dumps(content, ensure_ascii=False, allow_nan=False)} | shown


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts of a trace's file and its arrays, mapped from disk and read when touched.

    Raises:
        TraceError: There is no such file, or it is a folder, damaged, foreign, or from a newer sdexplore.
    """
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise TraceError(f"{str(path)!r} is a folder, {_held_by(path)}")
    if not path.is_file():
        raise TraceError(f"no trace at {str(path)!r}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:  # checks that the header fits the file, overlaps included
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise TraceError(f"{path.name!r} is damaged or no safetensors file: {error}") from error
    if _KEY not in metadata:
        raise TraceError(f"{path.name!r} is a safetensors file, but no trace: it was not saved by Trace.save")
    try:
        facts = json.loads(metadata[_KEY])
        schema = facts["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TraceError(f"{path.name!r} has an unreadable header: {type(error).__name__}: {error}") from error
    if type(schema) is not int or schema not in SCHEMAS:  # True equals 1
        known = " and ".join(map(str, SCHEMAS))
        raise TraceError(f"{path.name!r} has layout {schema!r}; this sdexplore reads {known}: update it, or save anew")
    return facts, _mapped(path)


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


def _mapped(path: Path) -> dict[str, np.ndarray]:
    whole = np.memmap(path, dtype=np.uint8, mode="r")
    length = int(whole[:8].view("<u8")[0])
    header = json.loads(whole[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise TraceError(f"{path.name!r} holds {name!r} as {entry['dtype']}, which no trace does")
        start, stop = (8 + length + offset for offset in entry["data_offsets"])
        flat = whole[start:stop].view(np.ndarray)
        arrays[name] = flat.view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def verify(name: str, arrays: Mapping[str, np.ndarray], digests: Mapping[str, str]) -> None:
    """Raises TraceError if the content of an array of trace `name` is not what was saved."""
    for key, array in arrays.items():
        if digests.get(key) != digest(array):
            raise TraceError(f"{key!r} of {name} is not what was saved: the file was damaged or changed")
