"""What a run reads of each attention layer, and of each call of the denoiser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from ...base.errors import RunError
from ...base.known_names import lies_in
from ...text.tokenization import Tokenizations
from ...trace.record import Record
from ..families.attention_modules import Layer

Kind = Literal["cross_attention", "self_attention"]
Shape = tuple[int, ...]

_DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class LayerPlan:
    """How one attention layer is read.

    Attributes:
        head_mean: Whether to keep the mean over heads, or each head.
        queries: Whether to keep each head's queries too, times the scale.
        rest: Whether the last column is no position of the text, but all that it shares a softmax with.
        grids: If given, the layer is read only if one of these is its grid (y, x), or the longer side of its grid.
    """

    kind: Kind
    head_mean: bool
    dtype: torch.dtype
    grids: tuple[int | tuple[int, int], ...] | None = None
    queries: bool = False
    rest: bool = False

    @property
    def waits(self) -> bool:
        """Whether its maps are small enough to be kept until those of the other layers are there."""
        return self.kind == "cross_attention" and self.head_mean

    def wants(self, grid: tuple[int, int]) -> bool:
        """Whether a layer of this grid is read."""
        return self.grids is None or grid in self.grids or max(grid) in self.grids


@dataclass(frozen=True)
class CallPlan:
    """Which rows of one denoiser call are read, and how many leading columns they keep.

    Attributes:
        roles: Role of every row of the batch.
        rows: The rows whose attention is read; empty if the call's attention is not kept.
        cuts: For each of `rows`, how many leading positions keep a column of their own; the others are summed in one
            more. None keeps all.
    """

    roles: tuple[str, ...]
    rows: tuple[int, ...] = ()
    cuts: tuple[int | None, ...] = ()


_DTYPES = {"float16": torch.float16, "float32": torch.float32}


def cut_of(tokens: Tokenizations, length: int, first: Mapping[str, int] | None = None) -> int | None:
    """Positions up to the last tokenizer's first end, and no padding behind it.

    Args:
        length: How many keys the text has.
        first: Tokenizer -> the key that its first token has; by default 0 for each. Others' tokens are no keys.

    Returns:
        None where the tokenizers' tokens are not the `length` keys.
    """
    columns = dict.fromkeys(tokens, 0) if first is None else first
    behind = {length, *columns.values()}
    ends = [
        columns[name] + one.first_end
        for name, one in tokens.items()
        if name in columns and one.first_end is not None and columns[name] + len(one.ids) in behind
    ]
    return max(ends) + 1 if ends and len(ends) == len(columns) else None


def plan_layers(layers: Mapping[str, Layer], record: Record) -> dict[str, LayerPlan]:
    """Which of the denoiser's attention layers the Record asks for, by dotted name, and how each is read.

    Raises:
        RunError: It asks for words and picture of a layer that attends to both in one softmax.
    """
    dtype, plans = _DTYPES[record.dtype], {}
    head_mean = record.cross_attention != "heads"
    names = [wanted for wanted in record.self_attention if isinstance(wanted, str)]
    grids = tuple(wanted for wanted in record.self_attention if not isinstance(wanted, str))
    for name, layer in layers.items():
        words = layer.to_words and record.cross_attention and (record.layers is None or lies_in(name, *record.layers))
        if words and layer.joint and names and lies_in(name, *names):
            raise RunError(
                f"Record(self_attention={record.self_attention!r}): layer {name!r} attends to words and picture in one "
                "softmax, and a run keeps one of the two: give cross_attention=False, or leave the layer out of layers"
            )
        if words:
            plans[name] = LayerPlan("cross_attention", head_mean, dtype, queries=record.queries, rest=layer.joint)
        elif layer.to_picture and lies_in(name, *names):
            plans[name] = LayerPlan("self_attention", head_mean, dtype)
        elif layer.to_picture and grids:
            plans[name] = LayerPlan("self_attention", head_mean, dtype, grids)
    return plans
