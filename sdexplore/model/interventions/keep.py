"""`Keep`, carried out: prompt-to-prompt by query, key and value of rows that ride along, with the model's own kernel.

Where every column is the source's, A_source M V is the source's query and key with M V for values. Where a prompt keeps
some of its own columns, α ⊙ (A_source M) V + (1 − α) ⊙ A V is a sum of two products: the second goes through the
model's kernel with (1 − α) V for values, and the first is added to what the heads give.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch.nn import functional

from ...base.errors import RunError
from ...changes.keep import Keep
from ...text.alignment import Alignment
from ...trace.provenance import ChangedFacts
from ..families.attention_modules import Layer
from ..families.family import Family
from ..families.ways_in import Attended, Removable
from ..families.ways_to_change import Part, change_heads, change_projections
from .blend import Blend
from .edit import Edit, Now, OfRow, from_riders

LARGEST = 32 * 32  # pixels of a layer whose self-attention is kept, as in the published code


class KeepEdit(Edit):
    """One Keep of a run.

    Attributes:
        alignment: Image -> what of the source's attention its prompt takes over.
        cross_layers, self_layers: By name, those in which the picture attends to words, and to itself.
        rider: Number of the source among those that ride along.
        blend: The local blend; None without one.
    """

    def __init__(
        self,
        change: Keep,
        family: Family,
        layers: Sequence[Layer],
        alignment: Callable[[int], Alignment],
        rider: int,
        blend: Blend | None,
    ) -> None:
        super().__init__(change)
        self.alignment, self._given, self._family, self.blend = alignment, change, family, blend
        self.cross_layers = {layer.name: layer for layer in layers if layer.to_words}
        self.self_layers = {layer.name: layer for layer in layers if not layer.to_words}
        self.rider = rider
        self._seen: dict[str, dict[Part, torch.Tensor]] = {}
        self._made: dict[tuple[int, torch.device, torch.dtype], tuple[torch.Tensor, torch.Tensor]] = {}

    def check(self, image: int) -> None:
        """Looks the image's words up; TokenError or RunError where they are not there."""
        self.alignment(image)
        if self.blend:
            self.blend.words(image)

    def hooks(self) -> Iterator[Removable]:
        """On query, key and value of layers, and on what the heads of cross-attention give."""
        for name, layer in self.self_layers.items():
            works = {part: self.at(place(part, name), partial(self._of_picture)) for part in _PARTS[:2]}
            yield from change_projections(layer.module, works)
        for name, layer in self.cross_layers.items():
            works = {part: self.at(place(part, name), partial(self._of_words, name, part)) for part in _PARTS}
            yield from change_projections(layer.module, works)
            yield from change_heads(layer.module, self.at(place("heads", name), partial(self._added, layer)))

    def rows_of(self, now: Now) -> tuple[int, ...]:
        """The prompt's; all through the run where the picture is blended."""
        kept = now.step in self._given.cross_steps(now.total) or now.step in self._given.self_steps(now.total)
        rows = (row for row, role in enumerate(now.roles) if role == "cond" and row % now.images < now.shown)
        return tuple(rows) if kept or self.blend else ()

    def expected(self) -> set[str]:
        """Cross-attention, self-attention, or both, as the step has them."""
        names = [
            *(self.cross_layers if self.cross_on or self.blend else ()),
            *(self.self_layers if self.self_on else ()),
        ]
        return {place for place in super().expected() if place.rpartition(" of ")[2] in names}

    def end(self) -> None:
        """A call of the denoiser is over; the blend has seen its attention."""
        now = self.now
        super().end()
        if now is not None and self.blend:
            self.blend.call_done(now.images)
        self._seen.clear()

    def stepped(self, latents: torch.Tensor) -> torch.Tensor:
        """Blended, where it is asked for."""
        return self.blend.blended(latents) if self.blend else latents

    def facts(self) -> ChangedFacts:
        """And how the prompts are aligned."""
        return {**super().facts(), "alignment": self.alignment(0).kind}

    @property
    def cross_on(self) -> bool:
        """Whether attention to words is kept in the call under way."""
        return self.now is not None and self.now.step in self._given.cross_steps(self.now.total)

    @property
    def self_on(self) -> bool:
        """Whether attention to the picture is."""
        return self.now is not None and self.now.step in self._given.self_steps(self.now.total)

    def _of_picture(self, x: torch.Tensor) -> torch.Tensor:
        """Query or key of self-attention."""
        if self.now is None or not self.self_on or x.shape[1] > LARGEST:
            return x
        return from_riders(x, self.rows, self.now, self.rider)

    def _of_words(self, name: str, part: Part, x: torch.Tensor) -> torch.Tensor:
        """Query, key or value of cross-attention."""
        now = self.now
        if now is None:
            return x
        self._seen.setdefault(name, {})[part] = x
        if not self.cross_on:
            return x
        whole = [row for row in self.rows if all(self.aligned(row).taken)]
        if part != "value":
            return from_riders(x, whole, now, self.rider) if whole else x
        moved = [row for row in self.rows if not self.aligned(row).one_to_one]
        if not moved:
            return x
        made = x.clone()
        for row in moved:
            if x.shape[1] != self.aligned(row).length:
                raise RunError(
                    f"run: {self.change!r}: {name!r} has {x.shape[1]} keys, and the prompt {self.aligned(row).length} "
                    "positions"
                )
            if row in whole:
                made[row] = self.matrix(row, x) @ x[row]
            else:
                made[row] = (1 - self.alpha(row, x))[:, None] * x[row]
        return made

    def _added(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """What the heads of cross-attention give, and what they read by the source's attention beside it."""
        seen, now = self._seen.pop(layer.name, {}), self.now
        if now is None:
            return x
        if self.blend and self.blend.reads(layer.name, x.shape[1]):
            self._look(layer, seen, now)
        mixed = [row for row in self.rows if not all(self.aligned(row).taken)] if self.cross_on else []
        if not mixed:
            return x
        riders, heads = [now.rider(row, self.rider) for row in mixed], layer.heads
        source = self._family.computed(layer, Attended(seen["query"][riders], seen["key"][riders]))
        values = torch.stack([self.matrix(row, x) @ seen["value"][row] for row in mixed])
        apart: torch.Tensor = values.unflatten(-1, (heads, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
        more = functional.scaled_dot_product_attention(source.query, source.key, apart, scale=source.scale)
        made = x.clone()
        made[mixed] += more.transpose(1, 2).flatten(2)
        return made

    def mixed(self, layer: str, row: int, probs: torch.Tensor, of_row: OfRow) -> torch.Tensor:
        """Â where query and key alone do not tell it; head means too, since it is linear in A."""
        if not self.cross_on or layer not in self.cross_layers or row not in self.rows or self.aligned(row).one_to_one:
            return probs
        if all(self.aligned(row).taken):
            return probs @ self.matrix(row, probs)
        return self.mixture(row, probs, of_row(self.now.rider(row, self.rider)) if self.now else probs)

    def mixture(self, row: int, own: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """α ⊙ (A_source M) + (1 − α) ⊙ A."""
        return source @ self.matrix(row, own) + (1 - self.alpha(row, own)) * own

    def _look(self, layer: Layer, seen: dict[Part, torch.Tensor], now: Now) -> None:
        """Shows the blend how the rows and their sources attend in a layer."""
        for row in self.rows:
            rider = now.rider(row, self.rider)
            attended = self._family.computed(layer, Attended(seen["query"][[row, rider]], seen["key"][[row, rider]]))
            exact = torch.promote_types(attended.query.dtype, torch.float32)
            scores = attended.query.to(exact) @ attended.key.to(exact).mT * attended.scale
            own, source = scores.softmax(-1)
            if self.cross_on:
                own = self.mixture(row, own, source)
            if self.blend:
                self.blend.look(layer.name, row % now.images, own, source)

    def aligned(self, row: int) -> Alignment:
        """What of the source's attention the prompt of a row takes over."""
        return self.alignment(row % self.now.images if self.now else row)

    def alpha(self, row: int, like: torch.Tensor) -> torch.Tensor:
        """α: 1 at positions whose attention is the source's."""
        return self._tensors(row, like)[0]

    def matrix(self, row: int, like: torch.Tensor) -> torch.Tensor:
        """M, (position in the source, position in the prompt); columns of the prompt's own attention are 0."""
        return self._tensors(row, like)[1]

    def _tensors(self, row: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        key = (row % self.now.images if self.now else row, like.device, like.dtype)
        if key not in self._made:
            alignment = self.aligned(row)
            matrix = torch.zeros(alignment.length, alignment.length, dtype=torch.float64)
            for one, other, share in alignment.pairs:
                matrix[one, other] = share
            self._made[key] = torch.tensor(alignment.taken).to(like.device, like.dtype), matrix.to(like)
        return self._made[key]


_PARTS: tuple[Part, ...] = ("query", "key", "value")


def place(what: str, name: str) -> str:
    """A place in a layer, as `Edit.at` takes it."""
    return f"{what} of {name}"
