"""What is read of each attention layer, and of each call of the denoiser."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from ...base.known_names import lies_in
from ...text.tokenization import Tokenizations
from ...trace.record import Record

Kind = Literal["cross_attention", "self_attention"]
Shape = tuple[int, ...]

_DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class LayerPlan:
    """How one attention layer is read.

    Attributes:
        head_mean: The mean over heads, or each of them.
        queries: Also keep each head's queries, times the scale.
        grids: If given, the layer is read only where its grid is (y, x) of one of these, or its longer side is the
            number.
    """

    kind: Kind
    head_mean: bool
    dtype: torch.dtype
    grids: tuple[int | tuple[int, int], ...] | None = None
    queries: bool = False

    @property
    def waits(self) -> bool:
        """Whether its maps are small enough to wait for those of the other layers."""
        return self.kind == "cross_attention" and self.head_mean

    def wants(self, grid: tuple[int, int]) -> bool:
        """Whether a layer of this grid is read."""
        return self.grids is None or grid in self.grids or max(grid) in self.grids


@dataclass(frozen=True)
class CallPlan:
    """Which rows of one denoiser call are read, and how many leading columns stay apart.

    Attributes:
        roles: Role of every row of the batch.
        rows: The rows whose attention is read; none for a call whose attention is not kept.
        cuts: For each of `rows`, how many leading positions keep a column of their own before the rest is
            summed in one; None keeps all.
    """

    roles: tuple[str, ...]
    rows: tuple[int, ...] = ()
    cuts: tuple[int | None, ...] = ()


def cut_of(tokens: Tokenizations, length: int) -> int | None:
    """Positions up to the first end of the longest tokenization; None where they do not name the `length` keys."""
    ends = [t.first_end for t in tokens.values() if len(t.ids) == length and t.first_end is not None]
    return max(ends) + 1 if len(ends) == len(tokens) else None


def plan_layers(modules: dict[str, Any], record: Record) -> dict[str, LayerPlan]:
    """Which of the denoiser's attention layers the Record asks for, by dotted name, and how each is read."""
    dtype, plans = _DTYPES[record.dtype], {}
    head_mean = record.cross_attention != "heads"
    names = [wanted for wanted in record.self_attention if isinstance(wanted, str)]
    grids = tuple(wanted for wanted in record.self_attention if not isinstance(wanted, str))
    for name, module in modules.items():
        if module.is_cross_attention:
            if record.cross_attention and (record.layers is None or lies_in(name, *record.layers)):
                plans[name] = LayerPlan("cross_attention", head_mean, dtype, queries=record.queries)
        elif lies_in(name, *names):
            plans[name] = LayerPlan("self_attention", head_mean, dtype)
        elif grids:
            plans[name] = LayerPlan("self_attention", head_mean, dtype, grids)
    return plans
