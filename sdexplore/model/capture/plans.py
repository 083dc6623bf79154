"""What a run reads of each attention layer, and of each call of the denoiser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from ...base.known_names import lies_in
from ...text.tokenization import Tokenizations
from ...trace.record import Record
from ..families.attention_modules import Layer

Kind = Literal["cross_attention", "self_attention"]
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
        also: A second reading of a layer that attends to words and picture in one softmax: to the picture.
    """

    kind: Kind
    head_mean: bool
    dtype: torch.dtype
    grids: tuple[int | tuple[int, int], ...] | None = None
    queries: bool = False
    rest: bool = False
    also: "LayerPlan | None" = None

    @property
    def readings(self) -> tuple["LayerPlan", ...]:
        """The plan itself, and the second one if there is one."""
        return (self,) if self.also is None else (self, self.also)

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
        words = layer.to_words and record.cross_attention and (record.layers is None or lies_in(name, *record.layers))
        picture: LayerPlan | None = None
        if layer.to_picture and lies_in(name, *names):
            picture = LayerPlan("self_attention", head_mean, dtype)
        elif layer.to_picture and grids:
            picture = LayerPlan("self_attention", head_mean, dtype, grids)
        if words:
            queries, joint = record.queries, layer.joint
            plans[name] = LayerPlan("cross_attention", head_mean, dtype, queries=queries, rest=joint, also=picture)
        elif picture is not None:
            plans[name] = picture
    return plans
