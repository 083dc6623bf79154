"""Encodes a table of scenes for the UNet: latents and masks; and whitens the latents."""

import logging
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sdexplore.mini.training.dataset import GROUPS, SceneTable
from sdexplore.mini.training.rendering import LATENT_SIZE, Renderer

SCALING_FACTOR = 0.18215
"""The factor of Stable Diffusion 1.5. Whitened latents have the standard deviation 1 / SCALING_FACTOR."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedScenes:
    """A table of scenes, encoded.

    Attributes:
        input_ids: Captions as tokens.
        token_groups: The group that each token names; -1 for none.
        latents: Means of the VAE's posterior, not scaled.
        pixel_masks: Where each group is visible, 0 to 255.
        scaling_factor: The factor between these latents and those of the UNet.
    """

    input_ids: Int[Tensor, "scene caption 77"]
    token_groups: Int[Tensor, "scene caption 77"]
    latents: Float[Tensor, "scene 4 32 32"]
    pixel_masks: UInt8[Tensor, "scene 5 32 32"]
    scaling_factor: float

    def __len__(self) -> int:
        return len(self.latents)

    def scaled(self, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch 4 32 32"]:
        """Returns the latents of these rows in float32, scaled for the UNet."""
        return self.latents[rows].float() * self.scaling_factor

    def masks(self, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch 5 32 32"]:
        """Returns the masks of these rows, 0 to 1."""
        return self.pixel_masks[rows].float() / 255


@torch.no_grad()
def encode(
    vae: AutoencoderKL,
    table: SceneTable,
    renderer: Renderer,
    *,
    scaling_factor: float,
    batch: int = 32,
    precision: torch.dtype = torch.bfloat16,
) -> EncodedScenes:
    """Renders and encodes every scene of a table, on the VAE's device.

    Args:
        vae: The encoder, in float32.
        table: The scenes.
        renderer: Made for this table.
        scaling_factor: Stored in the result; the latents are stored unscaled.
        batch: Number of scenes at a time.
        precision: With bfloat16, autocast is on and the latents are stored in it; with float32, neither.
    """
    device = vae.device
    latents = torch.empty(len(table), 4, LATENT_SIZE, LATENT_SIZE, dtype=precision, device=device)
    masks = torch.empty(len(table), GROUPS, LATENT_SIZE, LATENT_SIZE, dtype=torch.uint8, device=device)
    for rows in torch.split(torch.arange(len(table), device=device), batch):
        images, shares = renderer.images_and_masks(rows)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
            latents[rows] = vae.encode(images).latent_dist.mean.to(precision)
        masks[rows] = (shares * 255).round().to(torch.uint8)
    return EncodedScenes(
        input_ids=torch.from_numpy(table.input_ids).long().to(device),
        token_groups=torch.from_numpy(table.token_groups).long().to(device),
        latents=latents,
        pixel_masks=masks,
        scaling_factor=scaling_factor,
    )


@torch.no_grad()
def whiten(vae: AutoencoderKL, scenes: EncodedScenes) -> None:
    """Folds a linear map into the VAE, so that scaled latents have mean 0 and covariance 1.

    The map follows the mean half of `quant_conv`, and its inverse precedes `post_quant_conv`. So the VAE still gives
    the same picture for a picture. The latents of the scenes are mapped too, and the VAE's config gets the scaling
    factor.

    Args:
        vae: Changed in place.
        scenes: Encoded by this VAE; changed in place.
    """
    sampled = scenes.latents[:50_000].float().permute(0, 2, 3, 1).reshape(-1, 4)
    mean = sampled.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov((sampled - mean).T))
    whitening = (axes * variances.rsqrt()) @ axes.T / scenes.scaling_factor
    before, after = vae.quant_conv, vae.post_quant_conv  # channels of `before`: means, then log variances
    before.weight[:4] = torch.einsum("ij,jkab->ikab", whitening, before.weight[:4])
    before.bias[:4] = whitening @ (before.bias[:4] - mean)
    before.bias[4:] += 2 * whitening.diagonal().abs().log()  # the noise of a channel grows with its scale
    after.bias += torch.einsum("ijab,j->i", after.weight, mean)
    after.weight.copy_(torch.einsum("ijab,jk->ikab", after.weight, torch.linalg.inv(whitening)))
    for part in torch.split(scenes.latents, 20_000):
        centred = part.float() - mean.view(1, 4, 1, 1)
        part.copy_(torch.einsum("ij,bjyx->biyx", whitening, centred))
    vae.register_to_config(scaling_factor=scenes.scaling_factor)
    deviation = scenes.latents[:20_000].float().std((0, 2, 3)) * scenes.scaling_factor
    _log.info("whitened: standard deviations %s", [round(value, 3) for value in deviation.tolist()])
