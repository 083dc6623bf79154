"""Where the picture stands in what a module of a denoiser returns: which tensor, and how its places are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import nn

from ...base.known_names import lies_in
from .attention_modules import Layer
from .family import Call, Family
from .grids import Grid

_MAP, _TOKENS = 4, 3  # dimensions of (row, channel, y, x), and of (row, position, channel)
Layout = Literal["map", "tokens", "joint"]
Where = tuple[torch.Tensor, Layout, Grid]
"""A tensor, how places stand in it, and its grid."""


def direct_tensors(output: Any) -> list[torch.Tensor]:
    """The floating tensors that a module returns, none of what is nested deeper, as a block's residuals are."""
    whole = output.values() if isinstance(output, Mapping) else output
    several = (whole,) if isinstance(whole, torch.Tensor) else whole
    try:
        return [one for one in several if isinstance(one, torch.Tensor) and one.is_floating_point()]
    except TypeError:  # None, a number
        return []


@dataclass(frozen=True)
class Placing:
    """What one call of a denoiser tells about the places in its modules' outputs.

    Attributes:
        rows: Of the batch.
        size: (y, x) of the latents.
        streams: As `Family.streams` says it; empty of a UNet.
        together: How many positions words and picture have in one sequence; empty of a UNet.
        words: How many positions the text of a UNet has.
        layers: The attention layers.
        joint: Whether words and picture share a softmax in any of them.
    """

    family: Family
    rows: int
    size: Grid
    streams: Mapping[str, int]
    together: frozenset[int]
    words: int
    layers: Mapping[str, Layer]
    joint: bool

    @classmethod
    def of_call(
        cls,
        family: Family,
        denoiser: nn.Module,
        call: Call,
        layers: Mapping[str, Layer],
        size: Grid | None = None,
    ) -> "Placing":
        """Of a call with these arguments.

        Args:
            layers: As `Family.attention_layers` has them, which looks at every module.
            size: (y, x) of the latents, where the arguments have no content that tells it.
        """
        streams = family.streams(denoiser, call)
        joint = family.joint_lengths(denoiser, call) if streams else frozenset[int]()
        words = 0 if streams else family.text_length(call)
        latents = family.latent_size(call) if size is None else size
        shared = any(one.joint for one in layers.values())
        return cls(family, family.rows(call), latents, streams, joint, words, layers, shared)

    def find(self, name: str, module: nn.Module, output: Any, grid: Grid | None) -> Where | str:
        """Where a module's output holds the picture; or why it cannot be told.

        Args:
            name: The module's, in the denoiser.
            grid: Of the places (y, x) that the module works on; None where it has none.
        """
        tensors = direct_tensors(output)
        found = [(one, *place) for one in tensors if (place := self._place(name, module, one, grid)) is not None]
        if len(found) == 1:
            return found[0]
        shapes = ", ".join(str(tuple(one.shape)) for one in tensors) or "no tensor"
        if found:
            return f"it returns {shapes}, and more than one of them has the places of the picture"
        if self.streams and len({*self.streams.values()}) < len(self.streams):
            return f"it returns {shapes}, and words have as many positions as the picture, {self.streams['picture']}"
        return f"it returns {shapes}, of which none has the places of a picture in all {self.rows} rows"

    def _place(self, name: str, module: nn.Module, x: torch.Tensor, grid: Grid | None) -> tuple[Layout, Grid] | None:
        if x.ndim not in (_MAP, _TOKENS) or len(x) != self.rows:
            return None
        within = any(name != layer and lies_in(name, layer) for layer in self.layers)
        if x.ndim == _MAP:
            shape = (x.shape[2], x.shape[3])
            return None if within or not self._is_grid(shape, grid) else ("map", shape)
        positions = x.shape[1]
        if grid is None or isinstance(module, nn.GroupNorm):  # which has channels before places
            return None
        lengths = [*self.streams.values()] or [self.words, grid[0] * grid[1]]
        picture = lengths[-1] if not self.streams else self.streams["picture"]
        if positions == picture:
            # Words go through no block in which they are looked at only.
            sure = not self.joint and any(lies_in(layer, name) for layer in self.layers)
            return ("tokens", grid) if sure or lengths.count(picture) == 1 else None
        return ("joint", grid) if positions in self.together else None

    def _is_grid(self, shape: Grid, grid: Grid | None) -> bool:
        if self.streams:
            return shape in (grid, self.size)
        (y, x), (high, wide) = shape, self.size
        return abs(y * wide - x * high) <= max(wide, high)  # halves are rounded up

    def row(self, where: Where, row: int, call: Call) -> Float[torch.Tensor, "channel y x"]:
        """The picture of one row, of what `find` found."""
        x, layout, grid = where
        if layout == "map":
            return x[row]
        pixels = grid[0] * grid[1]
        places = slice(0, pixels)
        if layout == "joint":
            known = (self.family.places(one, call, row, pixels) for one in self.layers.values() if one.joint)
            places = next((one.picture for one in known if one is not None), places)
        made: torch.Tensor = x[row, places].mT.unflatten(1, grid)  # type: ignore[no-untyped-call]
        return made
