"""Names that user interfaces offer before anything heavy is loaded, and where dotted names of layers lie."""

from collections.abc import Iterable
from typing import Final

SCHEDULERS: Final = ("DDIM", "DDPM", "PNDM", "Euler", "Euler a", "Heun", "DPM++ 2M", "UniPC", "DEIS", "LCM")
"""Schedulers as `load(scheduler=…)` takes them. Each works without further packages."""


def lies_in(name: str, *places: str) -> bool:
    """Whether the module with this dotted name is one of `places`, or inside one; "" is the whole network."""
    return any(place in ("", name) or name.startswith(place.rstrip(".") + ".") for place in places)


def beginnings(names: Iterable[str]) -> list[str]:
    """Dotted names of layers and the blocks that they lie in ("up_blocks", "up_blocks.1"), the widest first."""
    parts = [name.split(".") for name in names]
    every = dict.fromkeys(
        ".".join(part[:length])
        for part in parts
        for length in range(1, len(part) + 1)
        if length in (1, len(part)) or part[length - 1].isdigit()
    )
    return sorted(every, key=lambda name: name.count("."))
