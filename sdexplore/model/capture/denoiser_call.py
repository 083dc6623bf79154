"""What one call of the denoiser gave: its prediction, and the attention that was read of it, reduced at once."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float

from ..families.concept_stream import ConceptStream
from ..families.ways_in import Attended
from .plans import CallPlan, Kept, Kind, LayerPlan, Shape

WAITING = 1 << 23
"""Bytes of maps that wait for those of other layers, and of queries and keys that wait to be read.

What is summed and rounded together lies there once more.
"""


@dataclass
class DenoiserCall:
    """The named outputs of one call of the denoiser.

    Attributes:
        inputs: The call's arguments by name.
        noise_pred: (row, channel, y, x), the model's own tensor: copy it before it is changed.
        attention: (kind, layer) -> row of the plan -> (head, y, x, column). Rows that the layer made without attention
            (perturbed-attention guidance puts the identity in its place) are absent.
        queries: Layer -> row of the plan -> (head, y, x, width).
        stream: The concepts on their way through the call; None where none were asked for.
        concept_scores: Layer -> row of the plan -> (y, x, concept).
        features: Module, as filed -> row of the plan -> (channel, y, x).
        statistics: Row of the plan -> (module, quantity), on the host.
        waiting: (rows, columns) -> layers whose maps are finished together, when the call is over: (layer, its
            (head, y, x), probabilities (row, head, pixel, column) in float32).
        unread: Layers that were heard and are read when the call is over, with what they attend with.
        heard: Layers whose query and key were seen, whether or not their grid was wanted.
        by_kernel: Those of them whose kernel handed out its normaliser.
        skipped: Layers that the call left out by its own arguments.
        reused: Layers that a cache left out, and gave an earlier step's result in their place.
    """

    plan: CallPlan
    inputs: Mapping[str, Any] = field(default_factory=dict)
    noise_pred: torch.Tensor | None = None
    attention: dict[tuple[Kind, str], dict[int, torch.Tensor]] = field(default_factory=dict)
    queries: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    stream: ConceptStream | None = None
    concept_scores: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    features: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    statistics: dict[int, torch.Tensor] = field(default_factory=dict)
    waiting: dict[tuple[tuple[int, ...], int], list[tuple[str, Shape, torch.Tensor]]] = field(default_factory=dict)
    unread: list[tuple[str, Attended]] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    by_kernel: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    reused: set[str] = field(default_factory=set)
    _waiting: int = 0  # bytes of maps
    _unread: int = 0  # bytes

    def put_off(self, layer: str, attended: Attended) -> bool:
        """Keeps what a layer attends with until it is read; returns whether there is room for more."""
        self.unread.append((layer, attended))
        self._unread += _bytes_of(attended)
        return self._unread + self._waiting < WAITING

    def to_read(self) -> Iterator[tuple[str, Attended]]:
        """What was put off, in its order; each is let go once it is read."""
        while self.unread:
            yield self.unread.pop(0)
        self._unread = 0

    def wait(self, layer: str, rows: tuple[int, ...], shape: Shape, probs: torch.Tensor, plan: LayerPlan) -> None:
        """Keeps a layer's maps until the others' are there, or no room is left."""
        self.waiting.setdefault((rows, probs.shape[-1]), []).append((layer, shape, probs))
        self._waiting += probs.nbytes
        if self._waiting >= WAITING and not torch.compiler.is_compiling():  # a graph hands out what waits
            self.finish({one: plan for several in self.waiting.values() for one, *_ in several})

    def finish(self, layers: Mapping[str, LayerPlan]) -> None:
        """Sums and rounds what was waiting: a handful of operations a call, where one layer at a time takes tens."""
        for (rows, _), several in self.waiting.items():
            shapes = [(layer, shape) for layer, shape, _ in several]
            self.take(rows, shapes, packed([probs for *_, probs in several]), layers[shapes[0][0]])
        self.waiting.clear()
        self._waiting = 0

    def take(
        self,
        rows: Sequence[int],
        shapes: Sequence[tuple[str, Shape]],
        maps: Float[torch.Tensor, "row place column"],
        plan: LayerPlan,
    ) -> None:
        """Files the maps of several layers, whose places lie one layer behind the other, with the columns that stay."""
        known = {} if plan.kind == "self_attention" else dict(zip(self.plan.rows, self.plan.kept, strict=True))
        others = plan.kind == "cross_attention"
        wanted = [known.get(row) for row in rows]
        if len(set(wanted)) == 1:
            kept: Iterable[torch.Tensor] = columns(maps, wanted[0], others=others).to(plan.dtype)
        else:
            kept = [columns(one, some, others=others).to(plan.dtype) for one, some in zip(maps, wanted, strict=True)]
        for row, one in zip(rows, kept, strict=True):
            pieces = one.split([math.prod(shape) for _, shape in shapes])  # type: ignore[no-untyped-call]
            for (layer, shape), piece in zip(shapes, pieces, strict=True):
                self.attention.setdefault((plan.kind, layer), {})[row] = piece.reshape(*shape, -1)


def _bytes_of(attended: Attended) -> int:
    """Of the tensors that its query and key are views of."""
    return sum(one.untyped_storage().nbytes() for one in (attended.query, attended.key))


def packed(
    maps: Sequence[Float[torch.Tensor, "row _ _ column"]],
) -> Float[torch.Tensor, "row place column"]:
    """Maps (row, head, pixel, column) of several layers, one layer behind the other."""
    return torch.cat([probs.flatten(1, 2) for probs in maps], dim=1)


def columns(probs: torch.Tensor, kept: Kept, *, others: bool) -> torch.Tensor:
    """The kept columns, and if wanted the sum of all `others` as one more; all where no other, or only one, is left."""
    if kept is None or len(kept) + others >= probs.shape[-1]:
        return probs
    if not others:
        return probs[..., list(kept)]
    if kept[-1] == len(kept) - 1:  # the first ones: views
        own, left = probs[..., : len(kept)], probs[..., len(kept) :]
    else:
        own = probs[..., list(kept)]
        left = probs[..., sorted(set(range(probs.shape[-1])).difference(kept))]
    return torch.cat([own, left.sum(-1, keepdim=True)], dim=-1)
