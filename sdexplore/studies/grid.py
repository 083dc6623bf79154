"""`grid`: every combination of the values of some arguments, made one at a time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, overload

from ..base.display import Block, Line, Shown, Table, clip, count
from ..base.errors import RunError


class Grid(Sequence[dict[str, Any]], Shown):
    """The runs of a grid, as dictionaries: the last axis is the fastest. No list of them is ever made.

    Attributes:
        axes: Argument -> its values.
    """

    def __init__(self, axes: Mapping[str, Sequence[Any]]) -> None:
        self.axes = dict(axes)

    def __len__(self) -> int:
        return prod(map(len, self.axes.values()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for values in product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """The run at `index`, or a list of those in a slice."""
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        chosen = []
        for values in reversed(self.axes.values()):
            place, own = divmod(place, len(values))
            chosen.append(values[own])
        return dict(zip(self.axes, reversed(chosen), strict=True))

    def blocks(self) -> list[Block]:
        """What the repr shows: how many runs, and a row an axis."""
        rows = [
            (name, count(len(values)), clip(", ".join(str(one) for one in values[:4]) + ", …" * (len(values) > 4), 100))  # noqa: PLR2004
            for name, values in self.axes.items()
        ]
        head = Line(f"Grid of {count(len(self))} runs, the last argument fastest", strong=True)
        return [head, Table(("argument", "values", "the first"), rows, frozenset({"values"}))]


def grid(**axes: Any) -> Grid:  # noqa: ANN401  (values of any argument)
    """Every combination of these arguments' values, as a sequence of dictionaries for `Study(runs=…)`.

    Args:
        axes: Argument -> its values: a list, a range, an array … One text or one number is one value. An argument is
            one of the pipeline's call, "seed", "scheduler" (a name as in `load(scheduler=…)`), "change", "prompt_at",
            or "about": what is known of a run and no argument of it, as in about=[{"second": "rocket"}].

    Raises:
        RunError: An argument has no value.
    """
    found = {name: _values(values) for name, values in axes.items()}
    if empty := [name for name, values in found.items() if not len(values)]:
        raise RunError(f"grid({empty[0]}={axes[empty[0]]!r}): it has no value, so the grid has no run")
    if not found:
        raise RunError("grid(): name at least one argument and its values, as in grid(prompt=['a cat'], seed=range(8))")
    return Grid(found)


def _values(given: Any) -> Sequence[Any]:  # noqa: ANN401  (as above)
    if isinstance(given, range):  # a million seeds take no memory
        return given
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        return (given,)
    return tuple(given)
