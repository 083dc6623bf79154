"""Scores on scenes with known masks whether the attention of a word points at the thing that it names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from jaxtyping import Float, Int
from torch import Tensor

from sdexplore.mini.training.alignment import CrossAttention
from sdexplore.mini.training.dataset import SPRITES
from sdexplore.mini.training.encoding import EncodedScenes
from sdexplore.mini.training.networks import Networks
from sdexplore.mini.training.noise import noised

TIMESTEPS = (200, 400, 600)
_SHOWN = 0.3  # from this share on, a latent pixel belongs to a mask
_HIGH = 0.4  # from this share of its range on, a map is high
_BATCH = 20


@dataclass(frozen=True)
class Pointing:
    """How well attention localises at one timestep.

    Attributes:
        timestep: 0 to 999.
        words: Number of sprites' words that were scored.
        pointing: Share of the words whose map has its maximum inside their mask.
        iou: Intersection over union of the mask and of the pixels where the map is above 0.4 of its range; mean over
            words.
        chance: `pointing` of a maximum at a random place: the mean share of the picture that a mask covers.
        center: `pointing` of a maximum in the centre of the picture.
        noise_error: Mean squared error of the predicted noise, over all scenes.
    """

    timestep: int
    words: int
    pointing: float
    iou: float
    chance: float
    center: float
    noise_error: float


@torch.no_grad()
def pointing(
    networks: Networks,
    scenes: EncodedScenes,
    timesteps: Sequence[int] = TIMESTEPS,
    *,
    seed: int = 5,
    precision: torch.dtype = torch.bfloat16,
) -> list[Pointing]:
    """Scores the maps of one UNet call for each scene: means over heads and layers, for its first caption.

    Args:
        networks: On the CPU.
        scenes: On the CPU, encoded by the VAE of these networks.
        timesteps: Timesteps of the noise; each gives one score.
        seed: Seed of the noise.
        precision: With bfloat16, autocast is on; with float32, it is off.

    Returns:
        One score for each timestep. Where there is no word to score, all but the noise error is NaN.
    """
    generator = torch.Generator().manual_seed(seed)
    everything = torch.arange(len(scenes))
    latents, masks = scenes.scaled(everything), scenes.masks(everything)
    words = networks.text_encoder(scenes.input_ids[:, 0])[0]
    scores = []
    for timestep in timesteps:
        noise = torch.randn(latents.shape, generator=generator)
        maps, errors = [], []
        with CrossAttention(networks.unet) as attention:
            for rows in torch.split(everything, _BATCH):
                steps = torch.full((len(rows),), timestep)
                noisy = noised(latents[rows], noise[rows], steps)
                with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
                    predicted = networks.unet(noisy, steps, words[rows]).sample
                errors.append((predicted.float() - noise[rows]).square().mean((1, 2, 3)))
                maps.append(_mean_map(attention, masks.shape[-1]))
        scored = score_words(torch.cat(maps), scenes.token_groups[:, 0], masks)
        hit, iou, chance, center = np.mean(scored, axis=0) if scored else np.full(4, math.nan)
        scores.append(
            Pointing(
                timestep=timestep,
                words=len(scored),
                pointing=float(hit),
                iou=float(iou),
                chance=float(chance),
                center=float(center),
                noise_error=torch.cat(errors).mean().item(),
            )
        )
    return scores


def _mean_map(attention: CrossAttention, size: int) -> Float[Tensor, "batch token y x"]:
    """The maps of the last call, resized to one size; mean over layers."""
    layers = []
    for probs in attention.probs():
        side = math.isqrt(probs.shape[1])
        layer = probs.transpose(1, 2).reshape(len(probs), -1, side, side)
        layers.append(F.interpolate(layer, size=size, mode="bilinear"))
    return torch.stack(layers).mean(0)


def score_words(
    maps: Float[Tensor, "scene token y x"],
    token_groups: Int[Tensor, "scene token"],
    masks: Float[Tensor, "scene 5 y x"],
) -> list[tuple[float, float, float, float]]:
    """For each visible word: whether its maximum lies in its mask (0 or 1), overlap, chance, centre (0 or 1)."""
    scored = []
    middle = masks.shape[-1] // 2
    for row, group in np.ndindex(len(maps), SPRITES):
        named = token_groups[row] == group
        true = masks[row, group] > _SHOWN
        if not named.any() or true.sum() < 4:  # noqa: PLR2004  (nearly hidden)
            continue
        seen = maps[row, named].mean(0)
        high = (seen - seen.min()) / (seen.max() - seen.min()) > _HIGH
        scored.append(
            (
                float(true.flatten()[seen.argmax()]),
                float((high & true).sum() / (high | true).sum()),
                float(true.float().mean()),
                float(true[middle, middle]),
            )
        )
    return scored
