"""What a Trace is made of: the layout of its arrays, and one layer's attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Float

from ..base.display import Block, Line, Shown, clip, counted
from ..base.errors import TraceError

Column: TypeAlias = tuple[int, ...]

# Type and axes of every array; an axis has one length wherever it is named.
Layout: TypeAlias = tuple[str, str]
ARRAYS: Final[Mapping[str, Layout]] = {
    "timesteps": ("float64", "step"),
    "sigmas": ("float64", "step"),
    "latents": ("float32", "step+1 channel y x"),
    "noise_pred": ("float32", "step channel y x"),
    "noise_pred_before_guide": ("float32", "step channel y x"),
    "pred_original_sample": ("float32", "step channel y x"),
    "latent_rgb": ("float32", "channel+1 3"),
    "image": ("uint8", "Y X 3"),
}
MAPPINGS: Final[Mapping[str, Layout]] = {
    "noise_preds": ("float32", "step channel y x"),
    "decoded": ("uint8", "decoded_Y decoded_X 3"),
    "decoded_x0": ("uint8", "decoded_Y decoded_X 3"),
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attention(Shown):
    """Attention probabilities of one layer and one role; one row per denoiser call.

    Attributes:
        probs: Softmax of the layer's scaled queries times keys, computed in float32. They sum to 1 over all
            columns; y and x are the layer's own grid. With the mean over heads there is one "head".
        steps: The step of each call.
        columns: The positions of the prompt summed in each column; for self-attention column i is the
            pixel (i // x, i % x) and columns is empty.
        tokenizer: The tokenizer whose tokens name the positions; None where there is none.
        head_mean: Whether the one head is the mean over all.
    """

    probs: Float[np.ndarray, "call head y x column"]
    steps: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    tokenizer: str | None = None
    head_mean: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "probs", read_only(self.probs))
        if self.probs.ndim != 5 or self.probs.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, column)
            raise TraceError(f"attention is {_described(self.probs)}; it must be floats (call, head, y, x, column)")
        if len(self.steps) != self.probs.shape[0]:
            raise TraceError(f"attention of {self.probs.shape[0]} calls names {len(self.steps)} steps")
        if self.columns and len(self.columns) != self.probs.shape[-1]:
            raise TraceError(f"attention of {self.probs.shape[-1]} columns names {len(self.columns)}")
        if not all(isinstance(position, int) for column in self.columns for position in column):
            raise TraceError(f"attention names positions that are no whole numbers: {clip(repr(self.columns))}")
        if not isinstance(self.tokenizer, str | None):
            raise TraceError(f"attention names {clip(repr(self.tokenizer))} as its tokenizer; it must be a name")

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
class Queries(Shown):
    """Queries of one cross-attention layer and one role, for `open_word_map`; one row per denoiser call.

    Attributes:
        values: Each head's queries times the layer's scale: softmax(values · keys) is the attention.
        steps: The step of each call.
    """

    values: Float[np.ndarray, "call head y x width"]
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values))
        if self.values.ndim != 5 or self.values.dtype.kind != "f":  # noqa: PLR2004  (call, head, y, x, width)
            raise TraceError(f"queries are {_described(self.values)}; they must be floats (call, head, y, x, width)")
        if len(self.steps) != self.values.shape[0]:
            raise TraceError(f"queries of {self.values.shape[0]} calls name {len(self.steps)} steps")

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


def fit(name: str, array: np.ndarray, layout: Layout, sizes: dict[str, int]) -> None:
    """Checks `array` against its layout and the axes' lengths known from others; adds its own to `sizes`."""
    dtype, axes = layout
    names = [axis.removesuffix("+1") for axis in axes.split()]
    lengths = [length - axis.endswith("+1") for length, axis in zip(array.shape, axes.split(), strict=False)]
    own = dict(zip(names, lengths, strict=False))
    if array.dtype != dtype or array.ndim != len(names) or any(sizes.get(axis, own[axis]) != own[axis] for axis in own):
        known = ", ".join(f"{axis} = {sizes[axis]}" for axis in names if axis in sizes and axis != "3")
        raise TraceError(
            f"{name} is {_described(array)}; it must be {dtype} ({axes}){f', here {known}' if known else ''}"
        )
    sizes |= own


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
