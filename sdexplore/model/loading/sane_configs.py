"""Sizes in a configuration, checked before anything is made of them.

A network of a thousand million layers, or a schedule of as many timesteps, would keep the machine busy for ever. The
limits lie far above every published model.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_LAYERS = 1_000  # of any kind, and entries in a list of blocks
MOST_TIMESTEPS = 100_000  # published: 1,000
MOST = 2**31 - 1  # any other size
_LAYERS = re.compile(r"layer|block|depth|stage|_types$")


def absurd(config: Mapping[str, Any]) -> str | None:
    """The first size that cannot be meant, with what is allowed; None where all can."""
    for key, value in config.items():
        if str(key).startswith("_") or str(key) == "trained_betas":
            continue
        most = _most(str(key))
        if isinstance(value, list | tuple) and _LAYERS.search(str(key)) and len(value) > MOST_LAYERS:
            return f"{key} has {len(value):,} entries, and {MOST_LAYERS:,} are allowed"
        for number in _numbers(value):
            if number > most:
                return f"{key} is {number:,}, and {most:,} is allowed"
    return None


def _most(key: str) -> int:
    if key == "num_train_timesteps":
        return MOST_TIMESTEPS
    return MOST_LAYERS if _LAYERS.search(key) and "channels" not in key and "dim" not in key else MOST


def _numbers(value: Any) -> Iterator[int]:
    """The whole numbers in a value, lists in lists included; none of a dictionary, whose names mean other things."""
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value
