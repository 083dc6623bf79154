"""Each row of a batch without something else of the attention to words: many ablations in one call of the denoiser.

A head gives A V. Column j of A times 0 is value j times 0, behind the softmax, so that the shares of the other columns
stay as they are. A head without any value gives 0; the bias of the layer's last projection stays.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float

from ...base.errors import RunError
from ..families.attention_modules import Layer
from ..families.ways_to_change import change_projections


@dataclass(frozen=True)
class Removal:
    """What one row is without.

    Attributes:
        keys: Positions of the text whose values are not read; None: no value is.
        layer: In which layer; None: in all.
        head: In which head; None: in all.
    """

    keys: tuple[int, ...] | None
    layer: str | None = None
    head: int | None = None


@contextmanager
def removed(layers: Sequence[Layer], removals: Sequence[Removal | None], function: str) -> Iterator[None]:
    """Row r of each call of the denoiser in the block is without `removals[r]`; None leaves a row as it is.

    Args:
        layers: Those that attend to words, whose values can be changed (`Family.unchangeable`).
        function: The public function that the user called.

    Raises:
        RunError: A layer made no values with its `to_v` in the block, or other rows.
    """
    wanted = {one.layer for one in removals if one is not None}
    there = [layer for layer in layers if None in wanted or layer.name in wanted]
    reached: set[str] = set()
    with ExitStack() as stack:
        for layer in there:
            work = partial(_without, layer, removals, reached, function)
            for hook in change_projections(layer.module, {"value": work}):
                stack.callback(hook.remove)
        yield
    if missed := [layer.name for layer in there if layer.name not in reached]:
        raise RunError(f"{function}: {missed[0]!r} made no values with its own projection, so that nothing was removed")


def _without(
    layer: Layer,
    removals: Sequence[Removal | None],
    reached: set[str],
    function: str,
    values: Float[torch.Tensor, "row key inner"],
) -> Float[torch.Tensor, "row key inner"]:
    if len(values) != len(removals):
        raise RunError(f"{function}: {layer.name!r} has {len(values)} rows, and {len(removals)} were asked for")
    reached.add(layer.name)
    gone = torch.zeros(*values.shape[:2], layer.heads, dtype=torch.bool)
    for row, one in enumerate(removals):
        if one is not None and one.layer in (None, layer.name):
            keys = slice(None) if one.keys is None else list(one.keys)
            gone[row, keys, slice(None) if one.head is None else one.head] = True
    apart: torch.Tensor = values.unflatten(-1, (layer.heads, -1))  # type: ignore[no-untyped-call]
    return apart.masked_fill(gone.to(values.device)[..., None], 0).flatten(-2)
