"""What a run, a source or a measure is in every process: canonical JSON, and its hash.

Only values that say the same in every process and under every hash seed have an identity. Everything else is refused
with a name for what would be right: an object's `repr` holds an address, and a set has another order elsewhere.
"""

import enum
import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from ..base.errors import RunError

DIGITS: Final = 32
"""Hexadecimal digits of an identity: 128 bits."""
_DEFAULTS: Final = "_use_default_values"  # diffusers makes this list of a scheduler's config from a set


def plain(value: Any, *, folded: bool = True) -> Any:  # noqa: ANN401, PLR0911  (whatever an argument is; one kind a line)
    """`value` as JSON that is the same in every process. 7 is 7.0, and float32(0.1) is 0.1.

    Pictures and arrays become a hash of their content, a scheduler its class and config, a function its importable
    name.

    Args:
        folded: Whether equal numbers are one. False: 7.0 stays a float, so that a run can be made again to the bit.

    Raises:
        RunError: The value says something else in another process.
    """

    def inner(one: Any) -> Any:  # noqa: ANN401  (as above)
        return plain(one, folded=folded)

    if isinstance(value, enum.Enum):  # before str, since a StrEnum is one
        return inner(value.value)
    if value is None or isinstance(value, str | bool | int | float | np.generic):
        return _scalar(value, folded=folded)
    if isinstance(value, slice):
        return {"slice": [inner(value.start), inner(value.stop), inner(value.step)]}
    if hasattr(value, "to_json"):  # a change, a Record
        return inner(value.to_json())
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: sorted(map(str, one)) if key == _DEFAULTS else inner(one) for key, one in value.items()}
        return {"pairs": sorted(([inner(key), inner(one)] for key, one in value.items()), key=canonical)}
    if isinstance(value, list | tuple):
        return list(map(inner, value))
    if isinstance(value, set | frozenset):
        return sorted(map(inner, value), key=canonical)
    return _summary(value)


def _scalar(value: Any, *, folded: bool) -> Any:  # noqa: ANN401
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if not isinstance(value, float | np.floating):
        return value
    if not math.isfinite(value):
        raise RunError(f"{value} is no number that tells one run from another: leave the argument out")
    return int(value) if folded and float(value).is_integer() else float(str(value))


def _summary(value: Any) -> Any:  # noqa: ANN401
    """What tells an object from every other: its kind, and a hash or a name."""
    if isinstance(value, np.ndarray):
        return {"array": [value.dtype.str, list(value.shape), _hash(np.ascontiguousarray(value).tobytes())]}
    if hasattr(value, "convert") and hasattr(value, "tobytes"):  # a picture of Pillow's
        return {"image": [value.mode, list(value.size), _hash(value.tobytes())]}
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor
        return {"tensor": [str(value.dtype), *_summary(value.detach().cpu().float().numpy())["array"][1:]]}
    if hasattr(value, "config") and hasattr(value, "set_timesteps"):
        return {"scheduler": [_class_of(value), plain(dict(value.config))]}
    if callable(value):
        return {"function": name_of(value)}
    raise RunError(
        f"{value!r:.80} ({type(value).__name__}) is not the same in another process: give a number, a text, a picture, "
        "an array, or a function that can be imported"
    )


def canonical(value: Any) -> str:  # noqa: ANN401  (JSON)
    """The one text of a plain value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def identity_of(value: Any) -> str:  # noqa: ANN401  (whatever an argument is; one kind a line)
    """The identity of a value: 32 hexadecimal digits of the hash of its canonical JSON.

    Raises:
        RunError: The value says something else in another process.
    """
    return hashlib.sha256(canonical(plain(value)).encode()).hexdigest()[:DIGITS]


def name_of(function: Callable[..., Any]) -> str:
    """The name under which every process finds a function: "module:name".

    Raises:
        RunError: No other process finds it: it is a lambda, lies in another function, or in a notebook's cell.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None or name is None or module == "__main__" or "<" in name or _found(module, name) is not function:
        raise RunError(
            f"{name or repr(function)!r:.80} is a function that no other process can import: put it into a module. A "
            "measure gets a name by sdx.studies.Measure(function, name='…')"
        )
    return f"{module}:{name}"


def _found(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _class_of(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__.startswith("diffusers.") else f"{kind.__module__}.{kind.__qualname__}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
