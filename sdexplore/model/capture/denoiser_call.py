"""What one call of the denoiser gave: its prediction, and the attention that was read of it, reduced at once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float

from ..families.attention_modules import Places
from ..families.ways_in import Attended
from .plans import CallPlan, LayerPlan, Shape


@dataclass
class DenoiserCall:
    """The named outputs of one call of the denoiser.

    Attributes:
        inputs: The call's arguments by name.
        noise_pred: (row, channel, y, x), the model's own tensor: copy it before it is changed.
        attention: Layer -> row of the plan -> (head, y, x, column). Rows that the layer made without attention
            (perturbed-attention guidance puts the identity in its place) are absent.
        queries: Layer -> row of the plan -> (head, y, x, width).
        waiting: (rows, columns) -> layers whose maps are finished together, when the call is over: (layer, its
            (head, y, x), probabilities (row, head, pixel, column) in float32).
        heard: Layers whose query and key were seen, whether or not their grid was wanted.
    """

    plan: CallPlan
    inputs: Mapping[str, Any] = field(default_factory=dict)
    noise_pred: torch.Tensor | None = None
    attention: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    queries: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    waiting: dict[tuple[tuple[int, ...], int], list[tuple[str, Shape, torch.Tensor]]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)

    def finish(self, layers: Mapping[str, LayerPlan]) -> None:
        """Sums and rounds what was waiting: a handful of operations a call, where one layer at a time takes tens."""
        for (rows, _), several in self.waiting.items():
            shapes = [(layer, shape) for layer, shape, _ in several]
            self.take(rows, shapes, packed([probs for *_, probs in several]), layers[shapes[0][0]])
        self.waiting.clear()

    def take(
        self,
        rows: Sequence[int],
        shapes: Sequence[tuple[str, Shape]],
        maps: Float[torch.Tensor, "row place column"],
        plan: LayerPlan,
    ) -> None:
        """Files the maps of several layers, whose places lie one layer behind the other, with the columns that stay."""
        cuts = dict(zip(self.plan.rows, self.plan.cuts, strict=True)) if plan.kind == "cross_attention" else {}
        wanted = [cuts.get(row) for row in rows]
        if len(set(wanted)) == 1:
            kept: Iterable[torch.Tensor] = columns(maps, wanted[0]).to(plan.dtype)
        else:
            kept = [columns(one, cut).to(plan.dtype) for one, cut in zip(maps, wanted, strict=True)]
        for row, one in zip(rows, kept, strict=True):
            pieces = one.split([math.prod(shape) for _, shape in shapes])  # type: ignore[no-untyped-call]
            for (layer, shape), piece in zip(shapes, pieces, strict=True):
                self.attention.setdefault(layer, {})[row] = piece.reshape(*shape, -1)


def packed(
    maps: Sequence[Float[torch.Tensor, "row _ _ column"]],
) -> Float[torch.Tensor, "row place column"]:
    """Maps (row, head, pixel, column) of several layers, one layer behind the other."""
    return torch.cat([probs.flatten(1, 2) for probs in maps], dim=1)


def columns(probs: torch.Tensor, cut: int | None) -> torch.Tensor:
    """The first `cut` columns, and the sum of the rest as one more; all of them where `cut` is None or holds all."""
    if cut is None or cut >= probs.shape[-1]:
        return probs
    return torch.cat([probs[..., :cut], probs[..., cut:].sum(-1, keepdim=True)], dim=-1)


def probabilities(attended: Attended, *, head_mean: bool) -> Float[torch.Tensor, "row kept pixel key"]:
    """softmax(scale · Q Kᵀ + mask) in float32, of queries and keys by head; one "head", their mean, if wanted."""
    q, k, mask = attended.query, attended.key, attended.mask
    # The scale in the product itself: an operation less. With beta=0 what it would be added to is never read.
    scores = torch.baddbmm(q.new_empty(1, 1, 1), q.flatten(0, 1), k.flatten(0, 1).mT, beta=0, alpha=attended.scale)
    if mask is None:
        probs = torch.softmax(scores, dim=-1).view(*q.shape[:3], -1)
    else:
        probs = _masked(scores.view(*q.shape[:3], -1), mask)
    return probs.mean(1, keepdim=True) if head_mean else probs


def _masked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The softmax as torch's kernel defines it: a query that may see no key attends to nothing."""
    if mask.dtype != torch.bool:
        return torch.softmax(scores + mask.float(), dim=-1)
    probs = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return probs.masked_fill(~mask.any(-1, keepdim=True), 0.0)


def words_and_rest(
    probs: Float[torch.Tensor, "row kept pixel key"], places: Places
) -> Float[torch.Tensor, "row kept pixel column"]:
    """Of attention over one sequence of words and picture: a column for each text position, and one for all else."""
    words = probs[..., places.words]
    return torch.cat([words, 1 - words.sum(-1, keepdim=True)], dim=-1)
