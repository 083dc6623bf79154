"""Bytes as printable text inside HTML: 13 bits in two characters, 1.23 characters a byte where base64 has 1.33.

A reader can begin at any byte, so `content.mjs` unpacks only what is asked for. The 91 characters are those of ASCII
that are seen, without three: "<" and "&" mean something to an HTML parser; "(" is left out so that a search of the page
for calls as `fetch(` finds none here by chance.
"""

from typing import Final

import numpy as np

CHARACTERS: Final = "".join(chr(code) for code in range(33, 127) if chr(code) not in "<&(")
_BITS = 13
_PIECE = _BITS << 16  # bytes at a time: a whole number of pairs


def printable(content: bytes) -> str:
    """The content as text; the bits behind its end are zeros."""
    letters = np.frombuffer(CHARACTERS.encode("ascii"), np.uint8)
    weights = (1 << np.arange(_BITS - 1, -1, -1)).astype(np.uint16)
    pieces = []
    for start in range(0, len(content), _PIECE):
        bits = np.unpackbits(np.frombuffer(content, np.uint8)[start : start + _PIECE])
        pairs = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS) @ weights
        high, low = np.divmod(pairs, len(CHARACTERS))
        pieces.append(letters[np.stack([low, high], 1)].tobytes())
    return b"".join(pieces).decode("ascii")
