"""The fingerprint of a trace: what was called and what came of it, in eight hexadecimal digits."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def fingerprint_of(call: Mapping[str, Any], pieces: Iterable[bytes | memoryview]) -> str:
    """Eight hexadecimal digits of the call and the bytes of arrays.

    Args:
        pieces: The bytes of the timesteps, of the last latents and of the picture, where there are such, one behind
            the other.
    """
    content = hashlib.sha256(json.dumps(dict(call), sort_keys=True, default=str).encode())
    for piece in pieces:
        content.update(piece)
    return content.hexdigest()[:8]
