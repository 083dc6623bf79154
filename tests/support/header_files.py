"""Writes safetensors files with a given header."""

import json
import struct

GOOD = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def written(path, entries, data=24, *, length=None):
    """A file with these entries (a dict, or the header's text), `data` bytes, and perhaps a lie about its length."""
    text = (entries if isinstance(entries, str) else json.dumps(entries)).encode(errors="surrogateescape")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(data))
    return path
