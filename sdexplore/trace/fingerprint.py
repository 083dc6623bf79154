"""The fingerprint of a trace: what was called and what came of it, in eight hexadecimal digits."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def fingerprint_of(call: Mapping[str, Any], *arrays: np.ndarray | None) -> str:
    """Eight hexadecimal digits of the call and the arrays' bytes.

    Args:
        arrays: The timesteps, the last latents and the picture; None where there is none.
    """
    content = hashlib.sha256(json.dumps(dict(call), sort_keys=True, default=str).encode())
    for array in arrays:
        if array is not None:
            content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:8]
