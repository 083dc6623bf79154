"""The role of each row of a denoiser call (cond, uncond, perturbed), from the embeddings that the call got."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch

from ...base.errors import RunError

_ORDER = ("uncond", "cond", "perturbed")  # of diffusers' batches


@dataclass
class Roles:
    """Remembers what the pipeline encoded, and recognises it in a denoiser call.

    A row with the prompt's embeddings is "cond", one with the negative prompt's is "uncond". A second row of the same
    batch with the prompt's is "perturbed" (perturbed-attention guidance runs the prompt twice). If the embeddings tell
    nothing (there are none, or a callback replaced them during the run), the order of diffusers' batches tells the
    role. A role that an earlier call of the same step had is not given again: such rows are "extra_0" and so on. So are
    the rows of a call aside, which predicts no noise for the scheduler (Attend-and-Excite's, for a gradient).

    Attributes:
        images: How many images the call makes.
        encoded: Role -> embeddings as the pipeline's `encode_prompt` returned them.
        order: Of the roles in the pipeline's full batch, if the embeddings do not tell them: InstructPix2Pix has a row
            that sees the picture and no prompt ("image"), and one that sees neither, with the same embeddings.
        alike: Role "extra_0" and so on -> the role whose embeddings such rows had.
    """

    images: int
    encoded: dict[str, torch.Tensor] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    alike: dict[str, str] = field(default_factory=dict)
    _seen: list[tuple[torch.Tensor, frozenset[str], tuple[str, ...]]] = field(default_factory=list)

    def encode(self, cond: torch.Tensor, uncond: torch.Tensor | None) -> None:
        """Takes the embeddings that `encode_prompt` returned."""
        self.images = cond.shape[0]
        self.encoded = {"cond": cond} if uncond is None else {"uncond": uncond, "cond": cond}
        self._seen.clear()

    def take(self, found: Mapping[str, torch.Tensor | None]) -> None:
        """Takes embeddings by role; without "cond" they are added to those of an earlier call."""
        if (cond := found.get("cond")) is not None:
            self.encode(cond, found.get("uncond"))
        else:
            self.encoded |= {role: one for role, one in found.items() if one is not None}

    @property
    def zeroed(self) -> tuple[str, ...]:
        """Roles whose embeddings are all zeros, as SDXL's are for an absent negative prompt."""
        return tuple(role for role, embeds in self.encoded.items() if not bool(embeds.any()))

    def of_call(
        self, rows: int, embeds: torch.Tensor | None, taken: Collection[str] = (), *, aside: bool = False
    ) -> tuple[str, ...]:
        """The role of each of the call's `rows`; row r belongs to image r % images.

        Args:
            taken: Roles of earlier calls of the same step.
            aside: Whether the call predicts no noise for the scheduler.

        Raises:
            RunError: The batch is not a multiple of the images.
        """
        if rows % self.images:
            raise RunError(
                f"run: the denoiser was called with a batch of {rows} for {self.images} images; "
                "roles can be told only in a whole multiple of the images"
            )
        if not aside:  # pipelines pass the same tensor at every step: one comparison is enough
            for known, before, roles in self._seen:
                if known is embeds and before == frozenset(taken) and len(roles) == rows:
                    return roles
        chunks = rows // self.images
        if aside:
            names = _extras(chunks, taken)[:chunks]
        else:
            names = self._by_content(chunks, embeds, taken) or self._by_order(chunks, taken)
        roles = tuple(name for name in names for _ in range(self.images))
        self._note_extras(names, embeds)
        if embeds is not None and not aside:
            self._seen.append((embeds, frozenset(taken), roles))
        return roles

    def _note_extras(self, names: list[str], embeds: torch.Tensor | None) -> None:
        """Remembers whose embeddings the rows of no known role have."""
        if embeds is None or len(embeds) != len(names) * self.images:
            return
        for name, part in zip(names, embeds.chunk(len(names)), strict=True):
            if name.startswith("extra_") and name not in self.alike:
                same = [role for role, known in self.encoded.items() if _equal(known, part)]
                if same:
                    self.alike[name] = min(same, key="cond".__ne__)

    def _by_order(self, chunks: int, taken: Collection[str]) -> list[str]:
        usual = self.order if len(self.order) == chunks else ("cond",) if chunks == 1 else _ORDER
        return [name for name in (*usual, *_extras(chunks, taken)) if name not in taken][:chunks]

    def _by_content(self, chunks: int, embeds: torch.Tensor | None, taken: Collection[str]) -> list[str] | None:
        """The roles that the embeddings tell; None if they tell nothing."""
        if embeds is None or len(embeds) != chunks * self.images or len(self.order) == chunks:
            return None
        extras = iter(_extras(chunks, taken))
        found: list[str | None] = []
        for part in embeds.chunk(chunks):
            same = [role for role, known in self.encoded.items() if _equal(known, part)]
            same.sort(key="cond".__ne__ if chunks == 1 else _ORDER.index)  # a single row is the prompt's
            fresh = [role for role in same if role not in (*found, *taken)]
            if "cond" in found and "cond" in same:
                fresh.append("perturbed")
            fresh = [role for role in fresh if role not in found]
            found.append(fresh[0] if fresh else next(extras) if same else None)
        if not any(found):
            return None
        free = (role for role in ("cond", "uncond", "perturbed", *extras) if role not in (*found, *taken))
        return [name or next(free) for name in found]


def _extras(chunks: int, taken: Collection[str]) -> list[str]:
    """Enough names for the rows that have no known role."""
    return [name for i in range(chunks + len(taken)) if (name := f"extra_{i}") not in taken]


def _equal(known: torch.Tensor, part: torch.Tensor) -> bool:
    return known.shape == part.shape and torch.equal(known.to(part.device, part.dtype), part)
