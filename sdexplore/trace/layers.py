"""One layer's attention, and its queries: arrays with one row a denoiser call."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
from jaxtyping import Float

from ..base.display import Block, Line, Shown, clip, counted
from ..base.errors import TraceError
from .lazy import Part, StoredArray, array_of, held, made, on_touch

Column: TypeAlias = tuple[int, ...]
_CACHE_LINE = 64  # bytes


class LayerRows(Shown, ABC):
    """What a trace holds of one layer and one role: an array with one row a denoiser call, and the step of each.

    Attributes:
        SECTION: Where the header of a trace's file describes such arrays.
        FIELD: The name of the field that holds the array.
    """

    SECTION: ClassVar[str]
    FIELD: ClassVar[str]
    steps: tuple[int, ...]

    @property
    def part(self) -> Part:
        """The one array, or its place in the trace's file; nothing is read. Its first axis is the call."""
        return cast("Part", held(self, self.FIELD))

    @property
    def array(self) -> np.ndarray:
        """The one array; its first axis is the call."""
        return np.asarray(array_of(self.part))

    def rows(self, calls: Sequence[int] | slice) -> np.ndarray:
        """The array at some calls; from a file they are read without the others.

        Args:
            calls: Indexes of the first axis.
        """
        part = self.part
        if not isinstance(part, StoredArray) or calls == slice(None) or part.better_whole():
            return np.asarray(self.array[calls])
        return part.rows(_numbers(calls, self.shape[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's lengths; nothing is read."""
        return self.part.shape

    @property
    def grid(self) -> tuple[int, int]:
        """The layer's own grid (y, x)."""
        return self.shape[2], self.shape[3]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's type; nothing is read."""
        return self.part.dtype

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels with its array."""
        return made, (type(self), {one.name: getattr(self, one.name) for one in fields(self)})  # type: ignore[arg-type]

    @classmethod
    def named_axes(cls) -> tuple[str, tuple[str, ...]]:
        """The name of the field that holds the array, and the array's axes as its annotation names them."""
        one = next(one for one in fields(cls) if one.name == cls.FIELD)  # type: ignore[arg-type]
        return one.name, tuple(one.type.dim_str.split())  # type: ignore[union-attr]

    @abstractmethod
    def to_json(self) -> Any:  # noqa: ANN401  (JSON)
        """Everything but the array, as JSON."""

    @classmethod
    @abstractmethod
    def from_json(cls, array: Part, said: Any) -> "LayerRows":  # noqa: ANN401  (JSON)
        """The rows in `array` that `to_json` described."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attention(LayerRows):
    """Attention probabilities of one layer and one role; one row per denoiser call.

    Attributes:
        probs: Softmax of the layer's scaled queries times keys, computed in float32. They sum to 1 over all
            columns; y and x are the layer's own grid. With the mean over heads there is one "head". In a trace's
            `word_attention` a column is a query and the pixels are keys: each column sums to what the token gives the
            picture, at most 1.
        steps: The step of each call.
        columns: The positions of the prompt (keys of the layer) summed in each column; for self-attention column i is
            the pixel (i // x, i % x) and columns is empty.
        tokenizer: The tokenizer whose tokens name the positions; None where there is none, or where several do.
        tokenizers: Where several share the keys, or one's first token has another key than 0: the name of each, and
            the key that its first token has. Then the columns hold keys. Else empty.
        head_mean: Whether the one head is the mean over all.
    """

    SECTION: ClassVar[str] = "attention"
    FIELD: ClassVar[str] = "probs"
    probs: Float[np.ndarray, "call head y x column"]
    steps: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    tokenizer: str | None = None
    head_mean: bool = True
    tokenizers: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "probs", _kept(self.part))
        if len(self.shape) != 5 or self.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, column)
            raise TraceError(f"attention is {described(self.part)}; it must be floats (call, head, y, x, column)")
        if 0 in self.shape:
            raise TraceError(f"attention is {described(self.part)}: it holds no number")
        if len(self.steps) != self.shape[0]:
            raise TraceError(f"attention of {self.shape[0]} calls names {len(self.steps)} steps")
        if self.columns and len(self.columns) != self.shape[-1]:
            raise TraceError(f"attention of {self.shape[-1]} columns names {len(self.columns)}")
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
    def from_json(cls, array: Part, said: Mapping[str, Any]) -> "Attention":
        """The attention with these probabilities that `to_json` described."""
        values = {
            "probs": array,
            "steps": tuple(said["steps"]),
            "columns": tuple(tuple(column) for column in said["columns"]),
            "tokenizer": said["tokenizer"],
            "head_mean": said["head_mean"],
            "tokenizers": tuple((name, first) for name, first in said.get("tokenizers", ())),
        }
        return made(cls, values)

    def planes(
        self, columns: Sequence[int], calls: Sequence[int] | slice, heads: Sequence[int] | slice
    ) -> list[np.ndarray]:
        """Some columns at some calls and heads, each (call, head, y, x); from a file they are read without the others.

        Args:
            columns, calls, heads: Indexes of the axes.
        """
        part, (y, x) = self.part, self.grid
        if isinstance(part, StoredArray) and not part.better_whole():
            kept_calls, kept_heads = _numbers(calls, self.shape[0]), _numbers(heads, self.shape[1])
            found = part.planes(columns, list(_runs(kept_calls, kept_heads, self.shape[1], y * x)))
            return list(found.reshape(len(columns), len(kept_calls), len(kept_heads), y, x))
        probs = self.probs[calls][:, heads]
        if probs.strides[-2] > _CACHE_LINE:  # one number would be used of each cache line
            return list(np.moveaxis(probs, -1, 0)[list(columns)])
        return [probs[..., column] for column in columns]

    def taken(
        self, columns: Sequence[int], calls: Sequence[int] | slice, heads: Sequence[int] | slice
    ) -> Float[np.ndarray, "call head y x taken"]:
        """The `planes` as one array."""
        if not columns:
            return np.asarray(self.rows(calls)[:, heads][..., []])
        return np.moveaxis(np.stack(self.planes(columns, calls, heads)), 0, -1)

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
        calls, heads, y, x, columns = self.shape
        per_head = "mean over heads" if self.head_mean else counted(heads, "head")
        return [
            Line(
                f"Attention: {counted(calls, 'call')}, {per_head}, {y} × {x} grid, "
                f"{counted(columns, 'column')}, {self.dtype}"
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
    FIELD: ClassVar[str] = "values"
    values: Float[np.ndarray, "call head y x width"]
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _kept(self.part))
        if len(self.shape) != 5 or self.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, width)
            raise TraceError(f"queries are {described(self.part)}; they must be floats (call, head, y, x, width)")
        if 0 in self.shape:
            raise TraceError(f"queries are {described(self.part)}: they hold no number")
        if len(self.steps) != self.shape[0]:
            raise TraceError(f"queries of {self.shape[0]} calls name {len(self.steps)} steps")

    def to_json(self) -> list[int]:
        """The steps, as JSON."""
        return list(self.steps)

    @classmethod
    def from_json(cls, array: Part, said: Iterable[int]) -> "Queries":
        """The queries in `array` at the steps that `to_json` named."""
        return made(cls, {"values": array, "steps": tuple(said)})

    def blocks(self) -> list[Block]:
        """What the repr shows: one line."""
        calls, heads, y, x, width = self.shape
        return [
            Line(
                f"Queries: {counted(calls, 'call')}, {counted(heads, 'head')}, {y} × {x} grid, "
                f"width {width}, {self.dtype}"
            )
        ]


on_touch(Attention, Attention.FIELD)
on_touch(Queries, Queries.FIELD)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of `array` that cannot be written through; the array itself stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def _numbers(which: Sequence[int] | slice, of: int) -> list[int]:
    """The indexes of an axis of length `of` as whole numbers from 0."""
    every = range(of)
    return list(every[which]) if isinstance(which, slice) else [every[one] for one in which]


def _runs(calls: Sequence[int], heads: Sequence[int], of: int, pixels: int) -> Iterator[tuple[int, int]]:
    """The first row and the number of rows (call, head, pixel) of each stretch, as long as possible."""
    if list(heads) == list(range(of)):  # calls as a whole
        starts, length = [call * of * pixels for call in calls], of * pixels
    else:
        starts, length = [(call * of + head) * pixels for call in calls for head in heads], pixels
    begin = 0
    for place in range(1, len(starts) + 1):
        if place == len(starts) or starts[place] != starts[place - 1] + length:
            yield starts[begin], (place - begin) * length
            begin = place


def _kept(part: Part) -> Part:
    return part if isinstance(part, StoredArray) else read_only(part)


def described(array: Part) -> str:
    """An array as errors name it."""
    return f"{array.dtype} of shape {array.shape}"
