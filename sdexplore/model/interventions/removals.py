"""Each row of a batch without something else of the attention to words: many ablations in one call of the denoiser.

A head gives A V. Column j of A times 0 is value j times 0, behind the softmax, so that the shares of the other columns
stay as they are. A head without any value gives 0; the bias of the layer's last projection stays.

In layers that are heard at the kernel, the picture's queries alone read nothing of a word, as `Reweight` × 0 has it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float

from ...base.errors import RunError
from ..families.attention_modules import Layer, Places
from ..families.change_at_kernel import KernelCall, change_kernel
from ..families.ways_in import Removable
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
def removed(
    layers: Sequence[Layer],
    removals: Sequence[Removal | None],
    function: str,
    standing: Callable[[Layer, int], Places] | None = None,
) -> Iterator[None]:
    """Row r of each call of the denoiser in the block is without `removals[r]`; None leaves a row as it is.

    Args:
        layers: Those that attend to words, whose values can be changed (`Family.unchangeable`).
        function: The public function that the user called.
        standing: (layer, row) -> where picture and words stand, in a family that is changed at the kernel; None
            changes projections.

    Raises:
        RunError: A layer made no values with its `to_v` in the block, or did not come by the kernel, or has other rows.
    """
    wanted = {one.layer for one in removals if one is not None}
    there = [layer for layer in layers if None in wanted or layer.name in wanted]
    reached: set[str] = set()
    with ExitStack() as stack:
        for layer in there:
            if standing is None:
                work = partial(_without, layer, removals, reached, function)
                hooks: list[Removable] = [*change_projections(layer.module, {"value": work})]
            else:
                at_kernel = partial(_unread, layer, removals, reached, function, partial(standing, layer))
                hooks = [*change_kernel(layer.module, at_kernel)]
            for hook in hooks:
                stack.callback(hook.remove)
        yield
    if missed := [layer.name for layer in there if layer.name not in reached]:
        how = "made no values with its own projection" if standing is None else "did not come by its kernel"
        raise RunError(f"{function}: {missed[0]!r} {how}, so that nothing was removed")


def _without(
    layer: Layer,
    removals: Sequence[Removal | None],
    reached: set[str],
    function: str,
    values: Float[torch.Tensor, "row key inner"],
) -> Float[torch.Tensor, "row key inner"]:
    _check_rows(layer, len(values), removals, function)
    reached.add(layer.name)
    gone = torch.zeros(*values.shape[:2], layer.heads, dtype=torch.bool)
    for row, one in enumerate(removals):
        if one is not None and one.layer in (None, layer.name):
            keys = slice(None) if one.keys is None else list(one.keys)
            gone[row, keys, slice(None) if one.head is None else one.head] = True
    apart: torch.Tensor = values.unflatten(-1, (layer.heads, -1))  # type: ignore[no-untyped-call]
    return apart.masked_fill(gone.to(values.device)[..., None], 0).flatten(-2)


def _unread(
    layer: Layer,
    removals: Sequence[Removal | None],
    reached: set[str],
    function: str,
    standing: Callable[[int], Places],
    call: KernelCall,
) -> torch.Tensor:
    """What the kernel gave, without what the picture read of some keys, or without all of some heads."""
    _check_rows(layer, len(call.out), removals, function)
    if layer.name in reached:
        raise RunError(
            f"{function}: {layer.name!r} attends several times in one call of the denoiser, to more than words and "
            "picture: which is meant cannot be told"
        )
    reached.add(layer.name)
    made = call.out.clone()
    for row, one in enumerate(removals):
        if one is None or one.layer not in (None, layer.name):
            continue
        heads = slice(None) if one.head is None else [one.head]
        if one.keys is None:
            made[row, heads] = 0
        elif one.keys:
            places = standing(row)
            picture = slice(*places.picture.indices(made.shape[2]))
            words = range(*places.words.indices(call.value.shape[2]))
            keys = [words[key] for key in one.keys]
            made[row, heads, picture] -= call.read_of(row, picture, keys, None if one.head is None else [one.head])
    return made


def _check_rows(layer: Layer, rows: int, removals: Sequence[Removal | None], function: str) -> None:
    if rows != len(removals):
        raise RunError(f"{function}: {layer.name!r} has {rows} rows, and {len(removals)} were asked for")
