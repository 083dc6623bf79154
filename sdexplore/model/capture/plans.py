"""What a run reads of each attention layer, and of each call of the denoiser."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from ...base.known_names import lies_in
from ...text.tokenization import Tokenizations
from ...trace.record import Record
from ..families.attention_modules import Layer

Kind = Literal["cross_attention", "self_attention", "word_attention", "concept_scores"]
Shape = tuple[int, ...]

Kept = tuple[int, ...] | None

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class LayerPlan:
    """How one attention layer is read.

    Attributes:
        head_mean: Whether to keep the mean over heads, or each head.
        queries: Whether to keep each head's queries too, times the scale.
        rest: Whether the last column is no position of the text, but all that it shares a softmax with.
        grids: If given, the layer is read only if one of these is its grid (y, x), or the longer side of its grid.
        also: Further readings of a layer in which words and picture attend in one softmax: the picture's to itself, and
            the words' to the picture; and the scores of concepts beside them.
    """

    kind: Kind
    head_mean: bool
    dtype: torch.dtype
    grids: tuple[int | tuple[int, int], ...] | None = None
    queries: bool = False
    rest: bool = False
    also: tuple["LayerPlan", ...] = ()

    @property
    def readings(self) -> tuple["LayerPlan", ...]:
        """The plan itself, and the further ones."""
        return (self, *self.also)

    @property
    def waits(self) -> bool:
        """Whether its maps are small enough to be kept until those of the other layers are there."""
        return self.kind == "cross_attention" and self.head_mean

    def wants(self, grid: tuple[int, int]) -> bool:
        """Whether a layer of this grid is read."""
        return self.grids is None or grid in self.grids or max(grid) in self.grids


@dataclass(frozen=True)
class CallPlan:
    """Which rows of one denoiser call are read, and which columns they keep.

    Attributes:
        roles: Role of every row of the batch.
        rows: The rows whose attention is read; empty if the call's attention is not kept.
        kept: For each of `rows`, the positions of the text that keep a column of their own; all others are summed in
            one more. None keeps all.
    """

    roles: tuple[str, ...]
    rows: tuple[int, ...] = ()
    kept: tuple[Kept, ...] = ()


def kept_of(tokens: Tokenizations, length: int, first: Mapping[str, int] | None = None) -> Kept:
    """Of each tokenizer the positions up to its first end, and no padding behind it.

    Args:
        length: How many keys the text has.
        first: Tokenizer -> the key that its first token has; by default 0 for each. Others' tokens are no keys.

    Returns:
        None where the tokenizers' tokens are not the `length` keys.
    """
    columns = dict.fromkeys(tokens, 0) if first is None else first
    behind = {length, *columns.values()}
    found: set[int] = set()
    for name, begin in columns.items():
        one = tokens.get(name)
        if one is None or one.first_end is None or begin + len(one.ids) not in behind:
            return None
        found.update(range(begin, begin + one.first_end + 1))
    return tuple(sorted(found)) or None


def plan_layers(layers: Mapping[str, Layer], record: Record) -> dict[str, LayerPlan]:
    """Which of the denoiser's attention layers the Record asks for, by dotted name, and how each is read."""
    dtype, plans = DTYPES[record.dtype], {}
    head_mean = record.cross_attention != "heads"
    names = [wanted for wanted in record.self_attention if isinstance(wanted, str)]
    grids = tuple(wanted for wanted in record.self_attention if not isinstance(wanted, str))
    for name, layer in layers.items():
        named = record.layers is None or lies_in(name, *record.layers)
        found = list[LayerPlan]()
        if layer.to_words and record.cross_attention and named:
            joint = layer.joint
            found.append(LayerPlan("cross_attention", head_mean, dtype, queries=record.queries, rest=joint))
        if layer.to_picture and lies_in(name, *names):
            found.append(LayerPlan("self_attention", head_mean, dtype))
        elif layer.to_picture and grids:
            found.append(LayerPlan("self_attention", head_mean, dtype, grids))
        if layer.joint and record.word_attention and named:
            found.append(LayerPlan("word_attention", head_mean, dtype))
        if layer.text_block is not None and record.concepts:
            found.append(LayerPlan("concept_scores", head_mean=True, dtype=torch.float32))
        if found:
            plans[name] = replace(found[0], also=tuple(found[1:]))
    return plans
