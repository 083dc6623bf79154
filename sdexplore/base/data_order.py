"""In which order a trace holds the layers of a denoiser, and figures show them."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

_STAGES: Final = ("down", "mid", "up")
_OF_UNET: Final = re.compile(r"(down|mid|up)_blocks?\b")


def in_data_order(names: Iterable[str]) -> list[str]:
    """Names of layers as the data pass them: a UNet's down, mid and up blocks, each block by its numbers.

    diffusers' modules have the mid block last, and older traces have their layers in the order in which their maps were
    made. Names without such blocks, as a transformer's, stay as they are.
    """
    return sorted(names, key=_place) if (names := list(names)) and all(map(_OF_UNET.match, names)) else names


def data_order(names: Sequence[str]) -> list[int]:
    """The same as places in `names`."""
    return [names.index(name) for name in in_data_order(names)]


def _place(name: str) -> tuple[int, list[int]]:
    match = _OF_UNET.match(name)
    return (_STAGES.index(match[1]) if match else 0), [int(number) for number in re.findall(r"\d+", name)]
