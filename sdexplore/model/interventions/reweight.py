"""`Reweight`, carried out: the values that heads read of a word, times a number.

In layers that are heard at the kernel, the picture's queries alone read the word so: what they read of it, times the
number less one, is added to what the kernel gave. Where words attend too, they read each other as before.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Float

from ...base.errors import TokenError
from ...changes.change import several
from ...changes.reweight import Reweight
from ..families.attention_modules import Layer
from ..families.change_at_kernel import KernelCall, change_kernel
from ..families.ways_in import Removable
from ..families.ways_to_change import change_projections
from .edit import Edit, Now, Standing

Positions = Callable[[str, int], tuple[int, ...]]
"""(role, image) -> the keys of the word in the text of that role."""


class ReweightEdit(Edit):
    """One Reweight of a run: a factor for each row, key and head, by which `to_v`'s output is multiplied.

    Attributes:
        given: The change.
        positions: Finds the word's keys; TokenError where a text has no such word.
        standing: Where picture and words stand in layers that are changed at the kernel; None changes projections.
    """

    def __init__(
        self, change: Reweight, layers: Sequence[Layer], positions: Positions, standing: Standing | None = None
    ) -> None:
        super().__init__(change)
        self.standing = standing
        self.given = change
        self._heads = None if change.heads is None else list(several(change.heads))
        self.positions, self._layers = positions, layers
        self._factors: dict[tuple[object, ...], torch.Tensor] = {}

    def hooks(self) -> Iterator[Removable]:
        """On the values of each of its layers, or on what their kernel gives."""
        for layer in self._layers:
            if self.standing is None:
                work = self.at(layer.name, _Scaled(self, layer.heads))
                yield from change_projections(layer.module, {"value": work})
            else:
                yield from change_kernel(layer.module, self.at_kernel(layer.name, partial(self._read, layer)))

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

    def _read(self, layer: Layer, call: KernelCall) -> torch.Tensor:
        """What the kernel gave, and what the picture's queries read of the word, times the scale less one."""
        now, standing = self.now, self.standing
        assert now is not None and standing is not None  # noqa: S101, PT018  (a call is under way)
        made = call.out.clone()
        for row in self.rows if self.given.scale != 1 else ():
            places = standing(layer, now.inputs, row)
            picture = slice(*places.picture.indices(made.shape[2]))
            words = range(*places.words.indices(call.value.shape[2]))
            keys = [words[place] for place in self._places_in(now, row, len(words))]
            more = call.read_of(row, picture, keys, self._heads)
            heads = slice(None) if self._heads is None else self._heads
            made[row, heads, picture] += (self.given.scale - 1) * more
        return made

    def _places_in(self, now: Now, row: int, keys: int) -> tuple[int, ...]:
        """The word's places among the keys of a row's text."""
        role = now.roles[row]
        places = self.positions(now.prompt_role if role == "cond" else role, row % now.images)
        if beyond := [one for one in places if not 0 <= one < keys]:
            raise TokenError(f"run: {self.change!r}: there is no position {beyond[0]}; the prompt has {keys}, from 0")
        return places

    def _factor(self, now: Now, values: torch.Tensor, heads: int) -> torch.Tensor:
        """(row, key, 1), or (row, key, head) where some heads are named; 1 where nothing is changed."""
        rows, keys = values.shape[:2]
        factor = values.new_ones(rows, keys, 1 if self._heads is None else heads)
        for row in self.rows:
            for place in self._places_in(now, row, keys):
                factor[row, place, ... if self._heads is None else self._heads] = self.given.scale
        return factor


class _Scaled:
    def __init__(self, edit: ReweightEdit, heads: int) -> None:
        self._edit, self._count = edit, heads

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return self._edit.scaled(self._count, values)
