"""A trace's file in its parts, and put together again."""

import json


def parts(content):
    """(header, facts, data) of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["sdexplore"]), content[8 + length :]


def joined(header, facts, data):
    header["__metadata__"]["sdexplore"] = json.dumps(facts) if isinstance(facts, dict | list) else facts
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + data
