"""The scenes that the classifier learns from: crowded ones, drawn fast in its size, with the share of each cell."""

import random
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image, ImageFilter
from torch import Tensor

from sdexplore.mini.evaluation.classifier import CELLS, SIDE, THINGS
from sdexplore.mini.training.dataset import SPRITES, VARIANTS, SceneTable
from sdexplore.mini.world.atlas import load_atlas
from sdexplore.mini.world.backgrounds import SIZE, background
from sdexplore.mini.world.vocabulary import BACKGROUNDS, COLORS, NAMES, STYLES
from sdexplore.mini.world.world import MONO, SEPIA

_SHRUNK = SIZE // SIDE


def labels(table: SceneTable) -> Bool[np.ndarray, "scene thing"]:
    """Returns which of THINGS stand in each scene."""
    truth = np.zeros((len(table), len(THINGS)), bool)
    row, place = np.nonzero(table.sprites[..., 8])
    truth[row, table.sprites[row, place, 0].astype(int)] = True
    return truth


def crowded(seed: int, scenes: int) -> SceneTable:
    """Draws scenes of two to four random things at random places. The things may cover one another."""
    rng = np.random.default_rng(seed)
    table = SceneTable.empty(scenes, 0)
    tiles = rng.integers(len(THINGS), size=(scenes, SPRITES))
    sizes = rng.uniform(48, 150, (scenes, SPRITES))
    colors = np.array(list(COLORS.values()))[rng.integers(len(COLORS), size=(scenes, SPRITES))]
    table.sprites[..., 0] = tiles
    table.sprites[..., 1:3] = sizes[..., None] / 2 + rng.random((scenes, SPRITES, 2)) * (SIZE - sizes[..., None])
    table.sprites[..., 3] = sizes
    table.sprites[..., 4] = rng.random((scenes, SPRITES)) < 0.3  # noqa: PLR2004  (as the world flips)
    table.sprites[..., 5:8] = np.where(tiles[..., None] >= len(NAMES), colors, 255)
    table.sprites[..., 8] = np.arange(SPRITES) < rng.integers(2, SPRITES + 1, size=(scenes, 1))
    table.sprite_groups[:] = np.arange(SPRITES)
    table.backgrounds[:, 0] = rng.integers(len(BACKGROUNDS), size=scenes)
    table.backgrounds[:, 1] = rng.integers(VARIANTS, size=scenes)
    odd = rng.random(scenes) > 0.8  # noqa: PLR2004  (about as often as in the world)
    table.styles[:] = np.where(odd, rng.integers(1, len(STYLES), size=scenes), 0)
    return table


class SmallScenes:
    """Draws scenes in the classifier's size. A batch takes a few hundredths of a second, with `Renderer` a second."""

    def __init__(self, table: SceneTable) -> None:
        self._table = table
        self._tiles = [Image.fromarray(tile) for tile in load_atlas()]
        kinds, self._which = np.unique(table.backgrounds, axis=0, return_inverse=True)
        painted = (background(BACKGROUNDS[k], random.Random(int(k) * 1000 + int(v))) for k, v in kinds)  # noqa: S311
        self._grounds = [Image.fromarray(one).reduce(_SHRUNK).convert("RGBA") for one in painted]

    def batch(self, rows: Sequence[int]) -> tuple[Float[Tensor, "batch 3 128 128"], Float[Tensor, "batch class 16 16"]]:
        """Returns pictures, RGB in −1..1, and for each cell the share that shows each thing."""
        drawn = [self._draw(row) for row in rows]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2)
        return pictures.float() / 127.5 - 1, torch.from_numpy(np.stack([shares for _, shares in drawn]))

    def _draw(self, row: int) -> tuple[UInt8[np.ndarray, "128 128 3"], Float32[np.ndarray, "class 16 16"]]:
        picture = self._grounds[self._which.reshape(-1)[row]].copy()
        shares = np.zeros((len(THINGS) + 1, CELLS, CELLS), np.float32)
        shares[-1] = 1
        for tile, x, y, size, flipped, *tint, present in self._table.sprites[row]:
            if not present:
                continue
            side = max(1, round(size / _SHRUNK))
            sprite = self._tiles[int(tile)].resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
            sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else sprite
            pixels = np.array(sprite)
            pixels[..., :3] = pixels[..., :3] * (np.array(tint) / 255)
            layer = Image.new("RGBA", (SIDE, SIDE))
            layer.paste(Image.fromarray(pixels), (round((x - size / 2) / _SHRUNK), round((y - size / 2) / _SHRUNK)))
            picture.alpha_composite(layer)
            alpha = np.asarray(layer)[..., 3].reshape(CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).mean((1, 3)) / 255
            shares *= 1 - alpha.astype(np.float32)
            shares[int(tile)] += alpha
        return _styled(picture.convert("RGB"), tuple(STYLES)[self._table.styles[row]]), shares


def _styled(picture: Image.Image, style: str) -> UInt8[np.ndarray, "128 128 3"]:
    match style:
        case "pixel":
            picture = picture.reduce(4).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        case "blur":
            picture = picture.filter(ImageFilter.GaussianBlur(3))
        case "mono" | "sepia":
            gray = np.asarray(picture.convert("L"))[..., None] / 255
            return np.asarray(gray * np.array(MONO if style == "mono" else SEPIA), np.uint8)
    return np.asarray(picture)
