"""Latents as rows of patches: what the pipelines of FLUX, Chroma and Qwen-Image give their transformers.

A row is (y · x, channel · 2 · 2): each picture token holds the 2 × 2 latents of one patch, channel by channel.
"""

import torch
from jaxtyping import Float

from .grids import Grid

SIDE = 2


def unpacked(latents: torch.Tensor, size: Grid) -> Float[torch.Tensor, "row channel y x"]:
    """Latents of a size (y, x), from their patches."""
    y, x = (side // SIDE for side in size)
    apart = latents.unflatten(2, (-1, SIDE, SIDE)).unflatten(1, (y, x))  # type: ignore[no-untyped-call]
    together: torch.Tensor = apart.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    return together


def packed(latents: Float[torch.Tensor, "row channel y x"]) -> torch.Tensor:
    """The inverse."""
    apart = latents.unflatten(3, (-1, SIDE)).unflatten(2, (-1, SIDE))  # type: ignore[no-untyped-call]
    together: torch.Tensor = apart.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    return together
