"""The header of a safetensors file, read without its tensors and without trust in its writer.

A file begins with 8 bytes, the header's length, and the header: JSON that gives each tensor's number format, shape and
place. Everything is checked before it is used, so that a hostile file is refused in words.

Source: https://github.com/huggingface/safetensors, "Format". Beyond that, names that climb out of a folder and names
that occur twice are refused.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...base.errors import LoadError

LONGEST = 100_000_000  # bytes of a header; safetensors' own limit
DEEPEST = 8  # axes of a tensor
LENGTH = 8  # bytes that hold the header's length
# Bytes of one number.
WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
# Names as torch spells them.
DTYPES = {
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "BF16": "bfloat16",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}


@dataclass(frozen=True)
class Tensor:
    """The entry of one tensor in a header.

    Attributes:
        dtype: As torch spells it, "float16".
        shape: Length of each axis.
        bytes: Size in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Attributes:
        tensors: Tensors by name, in the order of the header.
        metadata: Texts of its writer, by name.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read_header(path: Path, name: str | None = None) -> Header:
    """The header of a safetensors file; no tensor is read.

    Args:
        path: The file.
        name: What the user calls it, for messages.

    Raises:
        LoadError: The file is damaged or hostile; the message says how.
    """
    shown = repr(name or path.name)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = header_length(file.read(LENGTH), size, shown)
            text = file.read(length)
    except OSError as error:
        raise LoadError(f"{shown} cannot be read: {error.strerror or error}") from None
    return header_in(text, size, shown)


def header_length(start: bytes, size: int, shown: str) -> int:
    """Bytes of the header of a file, by the file's first `LENGTH` bytes; LoadError where that cannot be true.

    Args:
        start: The file's first bytes.
        size: How many bytes the whole file has.
        shown: The file as messages name it.
    """
    length = int.from_bytes(start[:LENGTH], "little")
    if size < LENGTH + 2:
        raise LoadError(f"{shown} is no safetensors file: it has {size} bytes")
    if length > LONGEST:
        raise LoadError(
            f"{shown} is no safetensors file, or hostile: its header would be {length:,} bytes long, "
            f"and {LONGEST:,} are allowed"
        )
    if length > size - LENGTH:
        raise LoadError(
            f"{shown} is cut off, or no safetensors file: its header would be {length:,} bytes long, "
            f"and {size - LENGTH:,} are there"
        )
    return length


def header_in(text: bytes, size: int, shown: str) -> Header:
    """The header in a text, checked against the file's size in bytes; LoadError where it cannot be true."""
    return _checked(_parsed(text, shown), size - LENGTH - len(text), shown)


def read_json(path: Path, shown: str) -> dict[str, Any]:
    """The object in a JSON file; LoadError where the file is damaged, or a name occurs twice."""
    try:
        size = path.stat().st_size
        if size > LONGEST:
            raise LoadError(f"{shown} is {size:,} bytes long, and {LONGEST:,} are allowed")
        return _parsed(path.read_bytes(), shown)
    except OSError as error:
        raise LoadError(f"{shown} cannot be read: {error.strerror or error}") from None


def climbs_out(name: str) -> bool:
    """Whether a name, used as a file's, leads out of the folder."""
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or "\0" in name or name[1:2] == ":"


def _parsed(text: bytes, shown: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [key for key, _ in pairs]
            twice = next(key for key in names if names.count(key) > 1)
            raise LoadError(f"{shown} names {twice[:80]!r} twice")
        return found

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"the header of {shown} is damaged: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise LoadError(f"the header of {shown} is damaged: it is a {type(found).__name__}, not an object")
    return found


def _checked(entries: dict[str, Any], room: int, shown: str) -> Header:
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise LoadError(f"the header of {shown} is damaged: its metadata is not text by text")
    tensors: dict[str, Tensor] = {}
    places = []
    for name, entry in entries.items():
        tensor, place = _tensor(name, entry, shown)
        tensors[name] = tensor
        places.append((*place, name))
    reached, before = 0, ""
    for start, end, name in sorted(places):
        if start < reached:
            raise LoadError(f"{shown} is hostile, or damaged: tensors {before[:80]!r} and {name[:80]!r} overlap")
        if start > reached:
            raise LoadError(f"{shown} is damaged: {start - reached:,} bytes before {name[:80]!r} belong to no tensor")
        reached, before = end, name
    if reached > room:
        raise LoadError(f"{shown} is cut off: its tensors take {reached:,} bytes, and {room:,} are there")
    if reached < room:
        raise LoadError(f"{shown} is damaged: {room - reached:,} bytes at its end belong to no tensor")
    return Header(tensors, metadata)


def _tensor(name: str, entry: Any, shown: str) -> tuple[Tensor, tuple[int, int]]:
    what = f"tensor {name[:80]!r} of {shown}"
    if climbs_out(name):
        raise LoadError(f"{what} has a name that climbs out of a folder")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"{what} is damaged: it needs dtype, shape and data_offsets, and nothing else")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in WIDTHS:
        raise LoadError(f"{what} has an unknown number format {dtype!r:.40}")
    if not _whole(shape) or len(shape) > DEEPEST:
        raise LoadError(f"{what} has no shape: {shape!r:.80}")
    if not _whole(place) or len(place) != 2 or place[0] > place[1]:  # noqa: PLR2004  (start, end)
        raise LoadError(f"{what} has no place: {place!r:.80}")
    needed, given = math.prod(shape) * WIDTHS[dtype], place[1] - place[0]
    if needed != given:
        raise LoadError(f"{what} is damaged: shape {tuple(shape)} of {dtype} takes {needed:,} bytes, not {given:,}")
    return Tensor(DTYPES[dtype], tuple(shape), given), (place[0], place[1])


def _whole(numbers: Any) -> bool:
    """Whether this is a list of whole numbers from 0; JSON's `true` is not one."""
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)
