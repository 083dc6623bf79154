"""Whose each row of a denoiser call is: cond, uncond, perturbed; told by the embeddings that the call got."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..errors import RunError

_ORDER = ("uncond", "cond", "perturbed")  # of diffusers' batches


@dataclass
class Roles:
    """Remembers what the pipeline encoded, and recognises it in a denoiser call.

    A row that got the prompt's embeddings is "cond", the negative prompt's "uncond"; a second row with the
    prompt's is "perturbed" (perturbed-attention guidance runs the prompt twice). Where embeddings tell nothing
    (none, or exchanged in mid-run by a callback), the order of diffusers' batches does.

    Attributes:
        images: How many images the call makes.
        encoded: Role -> embeddings as the pipeline's `encode_prompt` returned them.
    """

    images: int
    encoded: dict[str, torch.Tensor] = field(default_factory=dict)
    _seen: list[tuple[torch.Tensor, tuple[str, ...]]] = field(default_factory=list)

    def encode(self, cond: torch.Tensor, uncond: torch.Tensor | None) -> None:
        """Takes what `encode_prompt` returned."""
        self.images = cond.shape[0]
        self.encoded = {"cond": cond} if uncond is None else {"uncond": uncond, "cond": cond}
        self._seen.clear()

    @property
    def zeroed(self) -> tuple[str, ...]:
        """Roles whose embeddings are all zeros, as SDXL's are for an absent negative prompt."""
        return tuple(role for role, embeds in self.encoded.items() if not bool(embeds.any()))

    def of_call(self, rows: int, embeds: torch.Tensor | None) -> tuple[str, ...]:
        """The role of each of the call's `rows`; row r belongs to image r % images.

        Raises:
            RunError: The batch is no multiple of the images.
        """
        if rows % self.images:
            raise RunError(
                f"the denoiser was called with a batch of {rows} for {self.images} images; "
                "only whole multiples can be told apart into roles"
            )
        if embeds is None:
            return self._by_order(rows)
        for known, roles in self._seen:  # pipelines pass one tensor at every step: comparing it once is enough
            if known is embeds:
                return roles
        roles = self._by_content(rows, embeds)
        self._seen.append((embeds, roles))
        return roles

    def _by_order(self, rows: int) -> tuple[str, ...]:
        chunks = rows // self.images
        names: Sequence[str] = ("cond",) if chunks == 1 else _ORDER[:chunks]
        if len(names) < chunks:
            names = (*names, *(f"extra_{i}" for i in range(chunks - len(names))))
        return tuple(name for name in names for _ in range(self.images))

    def _by_content(self, rows: int, embeds: torch.Tensor) -> tuple[str, ...]:
        chunks = rows // self.images
        if embeds.shape[0] != rows:
            return self._by_order(rows)
        found: list[str | None] = []
        for part in embeds.chunk(chunks):
            same = [role for role, known in self.encoded.items() if _equal(known, part)]
            if chunks == 1 and "cond" in same:
                found.append("cond")
                continue
            fresh = [role for role in same if role not in found]
            if fresh:
                found.append(fresh[0])
            else:
                found.append("perturbed" if "cond" in same and "perturbed" not in found else None)
        if not any(found):
            return self._by_order(rows)
        free = [role for role in ("cond", "uncond", "perturbed") if role not in found]
        free += [f"extra_{i}" for i in range(chunks)]
        names = [name or free.pop(0) for name in found]
        return tuple(name for name in names for _ in range(self.images))


def _equal(known: torch.Tensor, part: torch.Tensor) -> bool:
    return known.shape == part.shape and torch.equal(known.to(part.device, part.dtype), part)
