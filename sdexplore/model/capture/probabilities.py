"""The probabilities of attention, exact, in float32, and never more of a softmax at once than fits `SCORES` bytes.

Where the kernel handed out its own normaliser, log Σ exp of each query's scores, the columns that are wanted follow
from their own keys alone: P = exp(scale · Q Kᵀ + mask − log Σ exp). Elsewhere the whole softmax is computed, some
queries at a time, and the columns are cut out of it.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float

from ..families.attention_modules import Layer, Places
from ..families.family import Family
from ..families.ways_in import Attended, in_float32

SCORES = 1 << 24


def probabilities(
    attended: Attended, kept: Sequence[int] | None = None, *, head_mean: bool
) -> Float[torch.Tensor, "row kept pixel column"]:
    """softmax(scale · Q Kᵀ + mask) of queries and keys by head; one "head", their mean, if wanted.

    Args:
        kept: Keys of which columns are wanted. Where the kernel handed out its normaliser there are no others but one
            more, 1 − their sum; elsewhere there are all.
    """
    length = attended.key.shape[-2]
    # A query that a mask forbids every key attends to nothing: there, what is left is none of the others'.
    if attended.normaliser is None or attended.mask is not None or kept is None or len(kept) + 1 >= length:
        return _in_pieces(attended, None, head_mean=head_mean)
    probs = _in_pieces(attended.of_keys(_as_slice(list(kept))), None, head_mean=head_mean)
    return torch.cat([probs, 1 - probs.sum(-1, keepdim=True)], dim=-1)


def of_words(
    family: Family, layer: Layer, attended: Attended, places: Places, kept: Sequence[int] | None, *, head_mean: bool
) -> Float[torch.Tensor, "row kept pixel column"]:
    """Of the picture's queries in a joint layer: a column for each kept position of the text, and one for all else."""
    keys = _as_slice(_keys(attended, places, kept))
    probs = _selected(family, layer, attended.of_queries(places.picture), keys, head_mean=head_mean)
    return torch.cat([probs, 1 - probs.sum(-1, keepdim=True)], dim=-1)


def of_picture(
    family: Family, layer: Layer, attended: Attended, places: Places, *, head_mean: bool
) -> Float[torch.Tensor, "row kept pixel column"]:
    """Of the picture's queries in a joint layer: a column for each pixel; with the words' they would sum to 1."""
    return _selected(family, layer, attended.of_queries(places.picture), places.picture, head_mean=head_mean)


def of_text(
    family: Family, layer: Layer, attended: Attended, places: Places, kept: Sequence[int] | None, *, head_mean: bool
) -> Float[torch.Tensor, "row kept pixel column"]:
    """Of the words' queries in a joint layer, to the picture: a column for each kept position of the text."""
    asking = _as_slice(_keys(attended, places, kept))
    return _selected(family, layer, attended.of_queries(asking), places.picture, head_mean=head_mean).mT


def _keys(attended: Attended, places: Places, kept: Sequence[int] | None) -> list[int]:
    """Where the kept positions of the text stand in the sequence."""
    words = range(*places.words.indices(attended.key.shape[-2]))
    return list(words) if kept is None else [words[position] for position in kept]


def _selected(
    family: Family, layer: Layer, attended: Attended, keys: slice | list[int], *, head_mean: bool
) -> torch.Tensor:
    if attended.normaliser is not None:  # the other keys are needed no more
        return _in_pieces(family.by_head(layer, attended.of_keys(keys)), None, head_mean=head_mean)
    return _in_pieces(family.by_head(layer, attended), keys, head_mean=head_mean)


def _in_pieces(attended: Attended, keys: slice | list[int] | None, *, head_mean: bool) -> torch.Tensor:
    """The columns of these keys, as many queries at a time as `SCORES` has room for; None: of all."""
    rows, heads, queries, _ = attended.query.shape
    many = max(1, SCORES // (4 * rows * heads * attended.key.shape[-2]))
    made = []
    for start in range(0, queries, many):
        part = attended if many >= queries else attended.of_queries(slice(start, min(start + many, queries)))
        with in_float32(part.query.device):
            probs = _piece(part)
        probs = probs if keys is None else probs[..., keys]
        made.append(probs.mean(1, keepdim=True) if head_mean else probs)
    return made[0] if len(made) == 1 else torch.cat(made, dim=2)


def _piece(attended: Attended) -> Float[torch.Tensor, "row head pixel key"]:
    q, k, mask = attended.query, attended.key, attended.mask
    # The scale in the product itself: an operation less. With beta=0 what it would be added to is never read.
    scores = torch.baddbmm(q.new_empty(1, 1, 1), q.flatten(0, 1), k.flatten(0, 1).mT, beta=0, alpha=attended.scale)
    if attended.normaliser is not None:
        return _normalised(scores.view(*q.shape[:3], -1), attended.normaliser, mask)
    if mask is None:
        return torch.softmax(scores, dim=-1).view(*q.shape[:3], -1)
    return _masked(scores.view(*q.shape[:3], -1), mask)


def _normalised(scores: torch.Tensor, normaliser: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """By the kernel's log Σ exp, which is −∞ for a query that may see no key: it attends to nothing."""
    if mask is None:
        return scores.sub_(normaliser.unsqueeze(-1)).exp_()
    scores, blind = scores.masked_fill(~mask, -math.inf), normaliser.isneginf()
    return scores.sub_(normaliser.masked_fill(blind, math.inf).unsqueeze(-1)).exp_()


def _masked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The softmax as torch's kernel defines it: a query that may see no key attends to nothing."""
    if mask.dtype != torch.bool:
        return torch.softmax(scores + mask.float(), dim=-1)
    probs = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return probs.masked_fill(~mask.any(-1, keepdim=True), 0.0)


def _as_slice(keys: list[int]) -> slice | list[int]:
    """The keys as a slice, which copies nothing, where they lie side by side."""
    return slice(keys[0], keys[-1] + 1) if keys == list(range(keys[0], keys[-1] + 1)) else keys
