"""The data of one training step: noisy scenes, their captions, and the masks of their words."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sdexplore.mini.training.alignment import named_and_seen, select_groups
from sdexplore.mini.training.dataset import END, GROUND_GROUP, GROUPS, START, TOKENS
from sdexplore.mini.training.encoding import EncodedScenes
from sdexplore.mini.training.noise import draw_noise, draw_timesteps, noised


@dataclass(frozen=True)
class Batch:
    """The data of one step.

    Attributes:
        noisy: Latents with noise, each at its timestep.
        noise: The noise that was added.
        timesteps: 0 to 999.
        input_ids: Captions as tokens; some are empty.
        selectors: Which tokens name a group.
        masks: Where each group is visible.
        weights: Weight of each group in the alignment loss.
    """

    noisy: Float[Tensor, "batch 4 32 32"]
    noise: Float[Tensor, "batch 4 32 32"]
    timesteps: Int[Tensor, " batch"]
    input_ids: Int[Tensor, "batch 77"]
    selectors: Float[Tensor, "aligned 5 77"]
    masks: Float[Tensor, "aligned 5 32 32"]
    weights: Float[Tensor, "aligned 5"]


def draw_batch(
    scenes: EncodedScenes,
    size: int,
    *,
    aligned: int | None = None,
    evenly: bool = False,
    ground: float = 1.0,
) -> Batch:
    """Draws scenes at random, each at a random timestep, one in ten without its caption.

    The more noise a scene has, the less its alignment counts. From timestep 900 on, and without a caption, it does not
    count at all.

    Args:
        scenes: The scenes to draw from, with torch's generator.
        size: Number of scenes.
        aligned: Number of scenes with words and masks, from the first; None gives them for all.
        evenly: Whether the timesteps are spread evenly, one in each of `size` equal parts.
        ground: Weight of the background's alignment, where that of a sprite is 1.
    """
    device = scenes.latents.device
    rows = torch.randint(len(scenes), (size,), device=device)
    captions = torch.randint(scenes.input_ids.shape[1], (size,), device=device)
    silent = torch.rand(size, device=device) < 0.1  # noqa: PLR2004  (one in ten)
    timesteps = draw_timesteps(size, device, evenly=evenly)
    latents = scenes.scaled(rows)
    noise = draw_noise(size, latents.shape[-1], device)
    selectors = select_groups(scenes.token_groups[rows, captions][:aligned])
    masks = scenes.masks(rows[:aligned])
    early = (1 - timesteps[:aligned] / 900).clamp(min=0) * ~silent[:aligned]
    counts = torch.ones(GROUPS, device=device)
    counts[GROUND_GROUP] = ground
    return Batch(
        noisy=noised(latents, noise, timesteps),
        noise=noise,
        timesteps=timesteps,
        input_ids=_silenced(scenes.input_ids[rows, captions], silent),
        selectors=selectors,
        masks=masks,
        weights=named_and_seen(selectors, masks) * early[:, None] * counts,
    )


def _silenced(input_ids: Int[Tensor, "batch 77"], silent: Bool[Tensor, " batch"]) -> Int[Tensor, "batch 77"]:
    """Replaces the silent captions by the empty one, so that guidance can be used later."""
    empty = torch.full((TOKENS,), END, device=input_ids.device)
    empty[0] = START
    return torch.where(silent[:, None], empty, input_ids)
