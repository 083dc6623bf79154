"""Local blend of prompt-to-prompt: outside the regions of some words, the picture stays the source's.

Source: Hertz et al. 2022 (2208.01626), Algorithm 1, and `LocalBlend` of its code: maps of words, mean over steps, heads
and layers of 16²; maximum over 3 × 3; nearest neighbour to the latents; divided by the largest; above 0.3. Where no
layer has 16², those of the next larger side are taken, or else of the largest.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch.nn import functional

_SIDE = 16
_THRESHOLD = 0.3


class Blend:
    """The maps of one run so far, and the latents blended by them.

    Attributes:
        words: Image -> (positions of the words in its prompt, in the source's).
    """

    def __init__(self, words: Callable[[int], tuple[Sequence[int], Sequence[int]]], rider: int) -> None:
        self.words, self._rider = words, rider
        self._pixels: int | None = None  # of the layers that are read; None until the first call is over
        self._now: dict[int, dict[int, list[torch.Tensor]]] = {}  # pixels -> image -> maps of this call
        self._sums: dict[int, torch.Tensor] = {}
        self._images = 0

    def reads(self, _: str, pixels: int) -> bool:
        """Whether a layer of so many pixels is read; in the first call, all are."""
        return self._pixels in (None, pixels)

    def look(self, _: str, image: int, own: Float[torch.Tensor, "head pixel key"], source: torch.Tensor) -> None:
        """Takes how an image and its source attend in one layer."""
        mine, theirs = (
            probs[..., list(keys)].sum(-1).mean(0) for probs, keys in zip((own, source), self.words(image), strict=True)
        )
        self._now.setdefault(own.shape[-2], {}).setdefault(image, []).append(torch.stack([mine, theirs]))

    def call_done(self, images: int) -> None:
        """Adds the maps of a call to those before."""
        if not self._now:
            return
        self._images = images
        if self._pixels is None:
            large = [pixels for pixels in self._now if pixels >= _SIDE * _SIDE]
            self._pixels = min(large) if large else max(self._now)
        for image, maps in self._now[self._pixels].items():
            mean = torch.stack(maps).mean(0)
            self._sums[image] = self._sums[image] + mean if image in self._sums else mean
        self._now.clear()

    def blended(self, latents: Float[torch.Tensor, "image channel y x"]) -> Float[torch.Tensor, "image channel y x"]:
        """The latents, which are the source's outside the mask."""
        made, shown = latents.clone(), len(self._sums)
        for image, maps in self._sums.items():
            rider = image + shown * (1 + self._rider)
            mask = self._mask(maps, latents.shape[-2:]).to(latents)
            made[image] = latents[rider] + mask * (latents[image] - latents[rider])
        return made

    def _mask(self, maps: Float[torch.Tensor, "2 pixel"], size: torch.Size) -> torch.Tensor:
        """(y, x): where a word of either picture is looked at."""
        large = maps.unflatten(1, _grid(maps.shape[1], size))[:, None]  # type: ignore[no-untyped-call]
        large = functional.interpolate(functional.max_pool2d(large, 3, 1, 1), size=size)[:, 0]
        return (large / large.amax((1, 2), keepdim=True) > _THRESHOLD).any(0)


def _grid(pixels: int, size: torch.Size) -> tuple[int, int]:
    """(y, x) of a layer of so many pixels: the latents' size, halved as often as it takes."""
    y, x = size
    while y * x > pixels:
        y, x = -(-y // 2), -(-x // 2)
    if y * x != pixels:
        raise ValueError(f"no layer of latents {tuple(size)} has {pixels} pixels")
    return y, x
