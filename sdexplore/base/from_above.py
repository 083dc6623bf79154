"""The functions of higher rooms that a lower room calls, each with its home; they are loaded when they are called.

A Trace opens without torch, and yet `trace.decode(with_=…)` takes a network. So it asks here for the function that
makes a decoder of it. There are to be as few as can be.
"""

import importlib
from typing import Any, Final

HOMES: Final = {"decoder_of": "model.components.step_decoder"}


def from_above(name: str) -> Any:  # noqa: ANN401  (any function)
    """The function of that name."""
    return getattr(importlib.import_module(f"...{HOMES[name]}", __name__), name)
