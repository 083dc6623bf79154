"""`Reweight`, carried out: the values that heads read of a word, times a number."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch.utils.hooks import RemovableHandle

from ...base.errors import TokenError
from ...changes.change import several
from ...changes.reweight import Reweight
from ..families.attention_modules import Layer
from ..families.ways_to_change import change_projections
from .edit import Edit, Now

Positions = Callable[[str, int], tuple[int, ...]]
"""(role, image) -> the keys of the word in the text of that role."""


class ReweightEdit(Edit):
    """One Reweight of a run: a factor for each row, key and head, by which `to_v`'s output is multiplied.

    Attributes:
        given: The change.
        positions: Finds the word's keys; TokenError where a text has no such word.
    """

    def __init__(self, change: Reweight, layers: Sequence[Layer], positions: Positions) -> None:
        super().__init__(change)
        self.given = change
        self._heads = None if change.heads is None else list(several(change.heads))
        self.positions, self._layers = positions, layers
        self._factors: dict[tuple[object, ...], torch.Tensor] = {}

    def hooks(self) -> Iterator[RemovableHandle]:
        """On the values of each of its layers."""
        for layer in self._layers:
            work = self.at(layer.name, _Scaled(self, layer.heads))
            yield from change_projections(layer.module, {"value": work})

    def rows_of(self, now: Now) -> tuple[int, ...]:
        """Those of its roles."""
        return now.rows(self.given)

    def scaled(self, heads: int, values: Float[torch.Tensor, "row key inner"]) -> Float[torch.Tensor, "row key inner"]:
        """The values with those of the word scaled."""
        now = self.now
        assert now is not None  # noqa: S101  (a call is under way)
        key = (now.roles, now.prompt_role, values.shape[:2], heads, values.device, values.dtype)
        if (factor := self._factors.get(key)) is None:
            factor = self._factors[key] = self._factor(now, values, heads)
        if self._heads is None:
            return values * factor
        apart: torch.Tensor = values.unflatten(-1, (heads, -1))  # type: ignore[no-untyped-call]
        return (apart * factor[..., None]).flatten(-2)

    def _factor(self, now: Now, values: torch.Tensor, heads: int) -> torch.Tensor:
        """(row, key, 1), or (row, key, head) where some heads are named; 1 where nothing is changed."""
        rows, keys = values.shape[:2]
        factor = values.new_ones(rows, keys, 1 if self._heads is None else heads)
        for row in self.rows:
            role = now.roles[row]
            places = self.positions(now.prompt_role if role == "cond" else role, row % now.images)
            if beyond := [one for one in places if not 0 <= one < keys]:
                raise TokenError(
                    f"run: {self.change!r}: there is no position {beyond[0]}; the prompt has {keys}, from 0"
                )
            for place in places:
                factor[row, place, ... if self._heads is None else self._heads] = self.given.scale
        return factor


class _Scaled:
    def __init__(self, edit: ReweightEdit, heads: int) -> None:
        self._edit, self._count = edit, heads

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return self._edit.scaled(self._count, values)
