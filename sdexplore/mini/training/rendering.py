"""Draws a batch of scenes at once, on any device. `mini.render` is the reference.

Two differences make it fast: sprites are sampled bilinearly at fractions of a pixel, and backgrounds come from a fixed
set of variants.
"""

import random

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sdexplore.mini.training.dataset import GROUND_GROUP, GROUPS, SPRITES, SceneTable, spread
from sdexplore.mini.world.atlas import TILE, load_atlas
from sdexplore.mini.world.backgrounds import SIZE, background
from sdexplore.mini.world.vocabulary import BACKGROUNDS, STYLES
from sdexplore.mini.world.world import SEPIA

LATENT_SIZE = SIZE // 8
_COARSE_BELOW = 90  # smaller sprites are drawn from a smoothed tile, against aliasing
_BLUR_RADIUS, _BLUR_SIGMA = 15, 6.0


class Renderer:
    """Draws the scenes of a table.

    Args:
        table: The scenes.
        device: The device that draws and holds the pictures; None takes the CPU.
        workers: Processes that paint the backgrounds; 0 paints them in this process.
    """

    def __init__(self, table: SceneTable, device: torch.device | None = None, *, workers: int = 0) -> None:
        device = device or torch.device("cpu")
        self._tiles = _load_tiles(device)
        kinds, which = np.unique(table.backgrounds, axis=0, return_inverse=True)
        painted = spread(_paint, [(int(kind), int(variant)) for kind, variant in kinds], workers)
        bank = torch.from_numpy(np.stack(painted)).permute(0, 3, 1, 2)
        self._bank = bank.contiguous().to(device)
        self._which = torch.from_numpy(which.reshape(-1)).to(device)
        self._sprites = torch.from_numpy(table.sprites).to(device)
        self._groups = torch.from_numpy(table.sprite_groups).long().to(device)
        self._styles = torch.from_numpy(table.styles).long().to(device)

    def images(self, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch 3 256 256"]:
        """Returns the pictures of these rows of the table, RGB in -1..1."""
        return self._draw(rows, None)

    def images_and_masks(
        self, rows: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch 3 256 256"], Float[Tensor, "batch 5 32 32"]]:
        """Returns pictures, and masks: for each group the share of the 8 x 8 pixels of a latent that shows it."""
        shape = (len(rows), GROUPS, SIZE, SIZE)
        masks = torch.zeros(shape, device=self._bank.device)
        masks[:, GROUND_GROUP] = 1
        images = self._draw(rows, masks)
        return images, F.avg_pool2d(masks, SIZE // LATENT_SIZE)

    @torch.no_grad()
    def _draw(
        self, rows: Int[Tensor, " batch"], masks: Float[Tensor, "batch 5 256 256"] | None
    ) -> Float[Tensor, "batch 3 256 256"]:
        """Draws the pictures, and the masks into `masks` if it is given."""
        images = self._bank[self._which[rows]].float() / 255
        for place in range(SPRITES):
            present = self._sprites[rows, place, 8].nonzero()[:, 0]
            if not len(present):
                continue
            sprites = self._sprites[rows[present], place]
            tile = self._placed(sprites)
            tint, alpha = sprites[:, 5:8, None, None] / 255, tile[:, 3:]
            images[present] = images[present] * (1 - alpha) + tile[:, :3] * tint
            if masks is not None:
                masks[present] = masks[present] * (1 - alpha)
                masks[present, self._groups[rows[present], place]] += alpha[:, 0]
        return _stylized(images, self._styles[rows]) * 2 - 1

    def _placed(self, sprites: Float[Tensor, "sprite 9"]) -> Float[Tensor, "sprite 4 256 256"]:
        """Each sprite alone on a transparent canvas: premultiplied, without its tint."""
        tile, x, y, size, flipped = sprites[:, :5].T
        scale, sign = SIZE / size, 1 - 2 * flipped
        zero = torch.zeros_like(scale)
        theta = torch.stack(
            (
                torch.stack((scale * sign, zero, (SIZE / 2 - x) * 2 / size * sign), -1),
                torch.stack((zero, scale, (SIZE / 2 - y) * 2 / size), -1),
            ),
            1,
        )
        grid = F.affine_grid(theta, [len(sprites), 4, SIZE, SIZE], align_corners=False)
        coarse = len(self._tiles) // 2 * (size < _COARSE_BELOW)
        return F.grid_sample(self._tiles[tile.long() + coarse], grid, align_corners=False)


def _paint(job: tuple[int, int]) -> UInt8[np.ndarray, "256 256 3"]:
    kind, variant = job
    seed = kind * 1000 + variant
    return background(BACKGROUNDS[kind], random.Random(seed))  # noqa: S311  (no secret)


def _load_tiles(device: torch.device) -> Float[Tensor, "tile 4 128 128"]:
    """The premultiplied atlas in 0..1, followed by the same tiles smoothed to half the resolution."""
    atlas = torch.from_numpy(load_atlas().copy()).to(device).permute(0, 3, 1, 2).float() / 255
    tiles = torch.cat([atlas[:, :3] * atlas[:, 3:], atlas[:, 3:]], 1)
    half = F.interpolate(tiles, size=TILE // 2, mode="bilinear", antialias=True)
    return torch.cat([tiles, F.interpolate(half, size=TILE, mode="bilinear")])


def _stylized(
    images: Float[Tensor, "batch 3 256 256"], styles: Int[Tensor, " batch"]
) -> Float[Tensor, "batch 3 256 256"]:
    alter = {"pixel": _pixelated, "mono": _gray, "sepia": _sepia, "blur": _blurred}
    for number, style in enumerate(STYLES):
        rows = (styles == number).nonzero()[:, 0]
        if style in alter and len(rows):
            images[rows] = alter[style](images[rows])
    return images


def _pixelated(images: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 y x"]:
    return F.interpolate(F.avg_pool2d(images, 8), scale_factor=8.0, mode="nearest")


def _gray(images: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 y x"]:
    luma = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)
    return (images * luma).sum(1, keepdim=True).expand_as(images)


def _sepia(images: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 y x"]:
    return _gray(images) * torch.tensor(SEPIA, device=images.device).view(1, 3, 1, 1) / 255


def _blurred(images: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 y x"]:
    offset = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device).float()
    weights = torch.exp(-(offset**2) / (2 * _BLUR_SIGMA**2))
    kernel = (weights / weights.sum()).repeat(3, 1, 1, 1)
    padded = F.pad(images, (_BLUR_RADIUS,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel, groups=3)
    return F.conv2d(across, kernel.transpose(2, 3), groups=3)
