"""Names that faces offer before anything heavy is loaded."""

from collections.abc import Iterable
from typing import Final

SCHEDULERS: Final = ("DDIM", "DDPM", "PNDM", "Euler", "Euler a", "Heun", "DPM++ 2M", "UniPC", "DEIS", "LCM")
"""Schedulers as `load(scheduler=…)` takes them; each works without further packages."""


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
