"""The noise that Stable Diffusion 1.5 is trained on: schedule, drawing, loss."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def alphas_cumprod(device: torch.device) -> Float[Tensor, " timestep"]:
    """Returns the share of the signal's variance at each of the 1000 timesteps of Stable Diffusion 1.5."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, device=device) ** 2
    return torch.cumprod(1 - betas, 0)


def noised(
    latents: Float[Tensor, "batch 4 y x"],
    noise: Float[Tensor, "batch 4 y x"],
    timesteps: Int[Tensor, " batch"],
) -> Float[Tensor, "batch 4 y x"]:
    """Adds noise to the latents, at these timesteps. Source: DDPM (Ho et al. 2020), Eq. 4."""
    share = alphas_cumprod(latents.device)[timesteps].view(-1, 1, 1, 1)
    mixed = share.sqrt() * latents + (1 - share).sqrt() * noise
    return mixed.contiguous(memory_format=torch.channels_last)


def noise_loss(
    predicted: Float[Tensor, "batch 4 y x"],
    noise: Float[Tensor, "batch 4 y x"],
    timesteps: Int[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Returns the squared error of the predicted noise; each timestep has the weight min(SNR, 5) / SNR.

    Source: Min-SNR weighting (Hang et al. 2023), Section 3.4, for epsilon prediction.
    """
    share = alphas_cumprod(noise.device)[timesteps]
    ratio = share / (1 - share)
    errors = (predicted.float() - noise).square().mean((1, 2, 3))
    return (errors * ratio.clamp(max=5.0) / ratio).mean()


def draw_timesteps(batch: int, device: torch.device, *, evenly: bool = False) -> Int[Tensor, " batch"]:
    """Draws timesteps, 0 to 999.

    Args:
        batch: Number of timesteps.
        device: Device of the result.
        evenly: Whether to draw one from each of `batch` equal parts, in order.
    """
    if not evenly:
        return torch.randint(1000, (batch,), device=device)
    parts = torch.arange(batch, device=device) + torch.rand(batch, device=device)
    return (parts / batch * 1000).long().clamp(max=999)  # in float32, 15 + 0.9999999 is 16


def draw_noise(batch: int, size: int, device: torch.device) -> Float[Tensor, "batch 4 y x"]:
    """Draws Gaussian noise; a small part of it is the same in a whole channel, so that the model learns brightness.

    Source: offset noise (N. Guttenberg, "Diffusion with Offset Noise", 2023), strength 0.05.
    """
    noise = torch.randn(batch, 4, size, size, device=device)
    return noise + 0.05 * torch.randn(batch, 4, 1, 1, device=device)
