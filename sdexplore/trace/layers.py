"""One layer's attention, and its queries: arrays with one row a denoiser call."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from jaxtyping import Float

from ..base.display import Block, Line, Shown, clip, counted
from ..base.errors import TraceError

Column: TypeAlias = tuple[int, ...]


class LayerRows(Shown, ABC):
    """What a trace holds of one layer and one role: an array with one row a denoiser call, and the step of each.

    Attributes:
        SECTION: Where the header of a trace's file describes such arrays.
    """

    SECTION: ClassVar[str]
    steps: tuple[int, ...]

    @property
    @abstractmethod
    def array(self) -> np.ndarray:
        """The one array; its first axis is the call."""

    @classmethod
    def named_axes(cls) -> tuple[str, tuple[str, ...]]:
        """The name of the field that holds the array, and the array's axes as its annotation names them."""
        one = next(one for one in fields(cls) if hasattr(one.type, "dim_str"))  # type: ignore[arg-type]
        return one.name, tuple(one.type.dim_str.split())  # type: ignore[union-attr]

    @abstractmethod
    def to_json(self) -> Any:  # noqa: ANN401  (JSON)
        """Everything but the array, as JSON."""

    @classmethod
    @abstractmethod
    def from_json(cls, array: np.ndarray, said: Any) -> "LayerRows":  # noqa: ANN401  (JSON)
        """The rows in `array` that `to_json` described."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attention(LayerRows):
    """Attention probabilities of one layer and one role; one row per denoiser call.

    Attributes:
        probs: Softmax of the layer's scaled queries times keys, computed in float32. They sum to 1 over all
            columns; y and x are the layer's own grid. With the mean over heads there is one "head".
        steps: The step of each call.
        columns: The positions of the prompt (keys of the layer) summed in each column; for self-attention column i is
            the pixel (i // x, i % x) and columns is empty.
        tokenizer: The tokenizer whose tokens name the positions; None where there is none, or where several do.
        tokenizers: Where several share the keys, or one's first token has another key than 0: the name of each, and
            the key that its first token has. Then the columns hold keys. Else empty.
        head_mean: Whether the one head is the mean over all.
    """

    SECTION: ClassVar[str] = "attention"
    probs: Float[np.ndarray, "call head y x column"]
    steps: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    tokenizer: str | None = None
    head_mean: bool = True
    tokenizers: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "probs", read_only(self.probs))
        if self.probs.ndim != 5 or self.probs.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, column)
            raise TraceError(f"attention is {described(self.probs)}; it must be floats (call, head, y, x, column)")
        if len(self.steps) != self.probs.shape[0]:
            raise TraceError(f"attention of {self.probs.shape[0]} calls names {len(self.steps)} steps")
        if self.columns and len(self.columns) != self.probs.shape[-1]:
            raise TraceError(f"attention of {self.probs.shape[-1]} columns names {len(self.columns)}")
        if not all(isinstance(position, int) for column in self.columns for position in column):
            raise TraceError(f"attention names positions that are no whole numbers: {clip(repr(self.columns))}")
        if not isinstance(self.tokenizer, str | None):
            raise TraceError(f"attention names {clip(repr(self.tokenizer))} as its tokenizer; it must be a name")
        for named in self.tokenizers:
            match named:
                case (str(), int(first)) if first >= 0:
                    pass
                case _:
                    raise TraceError(f"attention names {clip(repr(named))}; a tokenizer is (name, first key)")

    @property
    def read_by(self) -> tuple[tuple[str, int], ...]:
        """Every tokenizer whose tokens stand in the columns, with the key that its first token has."""
        return self.tokenizers or (() if self.tokenizer is None else ((self.tokenizer, 0),))

    @property
    def array(self) -> np.ndarray:
        """The probabilities (call, head, y, x, column)."""
        return self.probs

    def to_json(self) -> dict[str, Any]:
        """Everything but the probabilities, as JSON."""
        return {
            "steps": list(self.steps),
            "columns": [list(column) for column in self.columns],
            "tokenizer": self.tokenizer,
            "head_mean": self.head_mean,
            **({"tokenizers": [list(one) for one in self.tokenizers]} if self.tokenizers else {}),
        }

    @classmethod
    def from_json(cls, array: np.ndarray, said: Mapping[str, Any]) -> "Attention":
        """The attention with these probabilities that `to_json` described."""
        return cls(
            probs=array,
            steps=tuple(said["steps"]),
            columns=tuple(tuple(column) for column in said["columns"]),
            tokenizer=said["tokenizer"],
            head_mean=said["head_mean"],
            tokenizers=tuple((name, first) for name, first in said.get("tokenizers", ())),
        )

    def column(self, position: int) -> int:
        """The column that holds `position` of the padded prompt, and nothing else.

        Raises:
            TraceError: No column does: the position is summed with others, or the layer never saw it.
        """
        if (position,) in self.columns:
            return self.columns.index((position,))
        if any(position in summed for summed in self.columns):
            raise TraceError(
                f"position {position} was not recorded by itself: columns='prompt' sums the padding; "
                "record with Record(columns='all') to have it apart"
            )
        last = max((max(column) for column in self.columns if column), default=None)
        known = "it names no positions" if last is None else f"its columns hold 0 to {last}"
        raise TraceError(f"there is no position {position} in this attention: {known}")

    def blocks(self) -> list[Block]:
        """What the repr shows: one line."""
        calls, heads, y, x, columns = self.probs.shape
        per_head = "mean over heads" if self.head_mean else counted(heads, "head")
        return [
            Line(
                f"Attention: {counted(calls, 'call')}, {per_head}, {y} × {x} grid, "
                f"{counted(columns, 'column')}, {self.probs.dtype}"
            )
        ]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Queries(LayerRows):
    """Queries of one cross-attention layer and one role, for `open_word_map`; one row per denoiser call.

    Attributes:
        values: Each head's queries times the layer's scale: softmax(values · keys) is the attention.
        steps: The step of each call.
    """

    SECTION: ClassVar[str] = "queries"
    values: Float[np.ndarray, "call head y x width"]
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values))
        if self.values.ndim != 5 or self.values.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, width)
            raise TraceError(f"queries are {described(self.values)}; they must be floats (call, head, y, x, width)")
        if len(self.steps) != self.values.shape[0]:
            raise TraceError(f"queries of {self.values.shape[0]} calls name {len(self.steps)} steps")

    @property
    def array(self) -> np.ndarray:
        """The queries (call, head, y, x, width)."""
        return self.values

    def to_json(self) -> list[int]:
        """The steps, as JSON."""
        return list(self.steps)

    @classmethod
    def from_json(cls, array: np.ndarray, said: Iterable[int]) -> "Queries":
        """The queries in `array` at the steps that `to_json` named."""
        return cls(values=array, steps=tuple(said))

    def blocks(self) -> list[Block]:
        """What the repr shows: one line."""
        calls, heads, y, x, width = self.values.shape
        return [
            Line(
                f"Queries: {counted(calls, 'call')}, {counted(heads, 'head')}, {y} × {x} grid, "
                f"width {width}, {self.values.dtype}"
            )
        ]


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of `array` that cannot be written through; the array itself stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def described(array: np.ndarray) -> str:
    """An array as errors name it."""
    return f"{array.dtype} of shape {array.shape}"
