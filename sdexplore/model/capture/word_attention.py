"""Attention to words as a function of the latents: another call of the denoiser, which gradients go through.

A run reads attention beside the model and keeps numbers. Here the call that predicted the prompt's rows is made once
more, from the same inputs, and the probabilities of all layers to words stay in the graph that leads to the latents.
They are softmax(scale · Q Kᵀ + mask): the kernel's own normaliser has no gradient.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from ...base.errors import RunError, did_you_mean
from ...base.known_names import beginnings, lies_in
from ..families.attention_modules import Layer
from ..families.family import Call, Family
from ..families.grids import Grids
from ..families.ways_in import Attended
from .probabilities import probabilities

_SAME = 0.05  # share of the root mean square, as elsewhere: rounding is less, other rows are more
Layers = str | int | Sequence[str | int] | None
"""Layers as `word_map` takes them."""


@dataclass(frozen=True)
class PromptedCall:
    """The call of the denoiser in which the prompt's rows were predicted, to be made again.

    Attributes:
        inputs: The call's arguments by name.
        rows: The rows of the prompt, one an image.
        noise_pred: What was predicted in them.
        count: Rows of the batch.
        positions: (word, occurrence) -> its keys in the prompt of each image.
        changed: In its block the denoiser, called with these arguments for the prompt's rows, is changed as in the run.
    """

    denoiser: nn.Module
    family: Family
    inputs: Call
    rows: tuple[int, ...]
    noise_pred: Float[torch.Tensor, "image channel y x"]
    count: int
    positions: Callable[[Any, Any], list[tuple[int, ...]]]
    changed: Callable[[Call], AbstractContextManager[None]]


@dataclass(frozen=True)
class TextMaps:
    """Mean over heads of the probability that each pixel pays each position of the text, with gradients.

    Attributes:
        layers: Dotted name -> (image, y, x, position), each on its own grid.
        size: (y, x) of the latents.
    """

    layers: Mapping[str, Float[torch.Tensor, "image y x position"]]
    size: tuple[int, int]

    def word(self, positions: Sequence[Sequence[int]], wanted: Layers = None) -> Float[torch.Tensor, "image y x"]:
        """The sum over a word's positions, mean over layers, on the latents' grid, as `word_map` makes it.

        Args:
            positions: Of each image.
            wanted: Which layers; None: all.

        Raises:
            RunError: No layer is meant.
        """
        maps = []
        for one in self._chosen(wanted):
            summed = torch.stack([image[..., list(keys)].sum(-1) for image, keys in zip(one, positions, strict=True)])
            maps.append(
                functional.interpolate(summed[:, None], size=self.size, mode="bilinear", align_corners=False)[:, 0]
            )
        return torch.stack(maps).mean(0)

    def _chosen(self, wanted: Layers) -> list[torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for one in self.layers if wanted is None else [wanted] if isinstance(wanted, str | int) else wanted:
            hits = {name: maps for name, maps in self.layers.items() if _is(one, name, maps)}
            if not hits:
                sides = sorted({max(maps.shape[1:3]) for maps in self.layers.values()})
                hint = (
                    f"there are sides {', '.join(map(str, sides))}"
                    if isinstance(one, int)
                    else did_you_mean(one, beginnings(self.layers), most=6)
                )
                raise RunError(f"GuideStep.attention(layers={wanted!r}): no layer to words is {one!r}; {hint}")
            found |= hits
        if not found:
            raise RunError("GuideStep.attention(layers=()): name at least one layer, or leave layers out")
        return list(found.values())


def _is(wanted: str | int, name: str, maps: torch.Tensor) -> bool:
    return lies_in(name, wanted) if isinstance(wanted, str) else max(maps.shape[1:3]) == wanted


def text_maps(seen: PromptedCall, latents: Float[torch.Tensor, "image channel y x"]) -> TextMaps:
    """The attention of the call made again, as a function of `latents`, which are the sample up to a factor.

    Raises:
        RunError: The denoiser has no attention to words; it is given its inputs in a way that cannot be made again row
            by row; it predicts something else than in the run.
    """
    family, network = seen.family, seen.denoiser
    layers = {name: one for name, one in family.attention_layers(network).items() if one.to_words}
    if not layers:
        raise RunError("GuideStep.attention: this denoiser has no attention to words")
    call = _rows_of(seen) | {family.sample: _sample(seen, latents)}
    maps: dict[str, torch.Tensor] = {}
    grids = family.grids(network, layers)
    with ExitStack() as stack:
        stack.callback(grids.remove)
        grids.begin(call)
        for layer in layers.values():
            for hook in family.listen(layer, partial(_hear, family, layer, grids, call, maps)):
                stack.callback(hook.remove)
        stack.enter_context(seen.changed(call))
        made = family.noise_pred(network(**call), call)
    expected = seen.noise_pred.to(made)
    difference = made.detach()[:, : expected.shape[1]] - expected
    if difference.square().mean() > _SAME**2 * expected.square().mean():
        raise RunError(
            f"GuideStep.attention: the {family.title}, called again for the prompt's rows alone, predicts something "
            "else than in the run, so that its attention is not the run's"
        )
    return TextMaps({name: maps[name] for name in layers if name in maps}, tuple(latents.shape[-2:]))  # type: ignore[arg-type]


def _rows_of(seen: PromptedCall) -> dict[str, Any]:
    """The call's arguments for the prompt's rows: what has as many rows as the batch is cut to them."""
    rows = list(seen.rows)

    def cut(one: Any) -> Any:
        batched = isinstance(one, torch.Tensor) and one.ndim and len(one) == seen.count
        return one[rows].detach() if batched else one

    return dict(seen.inputs) if len(rows) == seen.count else {k: tree_map(cut, v) for k, v in seen.inputs.items()}


def _sample(seen: PromptedCall, latents: torch.Tensor) -> torch.Tensor:
    """The sample as the denoiser was given it, in which the latents stand up to a factor that the scheduler chose."""
    family, given = seen.family, seen.inputs[seen.family.sample]
    if not isinstance(given, torch.Tensor):
        raise RunError(
            f"GuideStep.attention: a {family.title} of the family {family.name!r} is given a list of latents"
        )
    size = family.latent_size(seen.inputs)
    own = family.unpacked(given[list(seen.rows)].detach(), size)
    moved, fixed = own[:, : latents.shape[1]], latents.detach().to(own.device, torch.float32)
    factor = (moved.float() * fixed).sum() / fixed.square().sum()
    if (moved.float() - factor * fixed).square().mean() > _SAME**2 * moved.float().square().mean():
        raise RunError(f"GuideStep.attention: the {family.title} is not given the latents of this step")
    change = (factor * (latents.to(own.device) - fixed)).to(own.dtype)  # 0, with a gradient
    return family.packed(torch.cat([moved + change, own[:, latents.shape[1] :]], dim=1), size)


def _hear(
    family: Family, layer: Layer, grids: Grids, call: Call, maps: dict[str, torch.Tensor], attended: Attended
) -> None:
    grid = grids.of(layer.name)
    if grid is None:
        return
    found = []
    for row in range(len(attended.query)):
        one = attended.of_rows((row,))
        places = family.places(layer, call, row, grid[0] * grid[1])
        own = family.by_head(layer, one if places is None else one.of_queries(places.picture))
        probs = probabilities(replace(own, normaliser=None), head_mean=True)[0, 0]
        words = slice(None) if places is None else places.words
        found.append(probs[:, words].unflatten(0, grid))  # type: ignore[no-untyped-call]
    if len({one.shape for one in found}) == 1:
        maps[layer.name] = torch.stack(found)
        return
    longest = max(one.shape[-1] for one in found)  # texts of several lengths
    maps[layer.name] = torch.stack([functional.pad(one, (0, longest - one.shape[-1])) for one in found])
