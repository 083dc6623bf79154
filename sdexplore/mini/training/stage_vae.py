"""Stage 1: the VAE learns from crops of scenes."""

import logging
import random
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from diffusers import AutoencoderKL
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdexplore.mini.training.optimization import AveragedWeights, Budget, set_rates
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.world.backgrounds import SIZE

_CROP = SIZE // 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class VaeStage:
    """Settings of the training of the VAE.

    Attributes:
        budget: Time and steps.
        batch: Crops of 128 x 128 in one step.
        rate: Highest learning rate.
        decay: Decay of the averaged weights.
        compile: Whether to compile the step.
        log_every: Steps between two lines of the log.
    """

    budget: Budget = field(default_factory=lambda: Budget(300.0))
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.998
    compile: bool = True
    log_every: int = 200


class Reconstruction(nn.Module):
    """The loss of the VAE: pixels, edges and coarse pixels, and a small weight on the divergence from the prior."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Returns the loss of encoding and decoding these pictures (RGB in -1..1), and the absolute error."""
        posterior = self.vae.encode(images).latent_dist
        spread = torch.exp(0.5 * posterior.logvar)
        latents = posterior.mean + spread * torch.randn_like(posterior.mean)
        drawn = self.vae.decode(latents).sample
        absolute = (drawn - images).abs().mean()
        edges = _absolute(drawn.diff(dim=-1), images.diff(dim=-1))
        edges = edges + _absolute(drawn.diff(dim=-2), images.diff(dim=-2))
        coarse = _absolute(F.avg_pool2d(drawn, 4), F.avg_pool2d(images, 4))
        squared = (drawn - images).square().mean()
        variance = posterior.logvar.exp()
        divergence = 0.5 * (posterior.mean**2 + variance - 1 - posterior.logvar).mean()
        loss = absolute + 1.5 * edges + 0.5 * coarse + squared + 3e-5 * divergence
        return loss, absolute


def fit_vae(vae: AutoencoderKL, renderer: Renderer, scenes: int, stage: VaeStage, rng: random.Random) -> None:
    """Trains the VAE in place, on its device. At the end it has its averaged weights.

    Args:
        vae: In float32.
        renderer: Draws the scenes.
        scenes: Number of scenes.
        stage: The settings.
        rng: Draws the places of the crops; all other random numbers come from torch's generator.
    """
    device = vae.device
    objective: nn.Module = Reconstruction(vae)
    compiled = torch.compile(objective) if stage.compile else objective
    optimizer = torch.optim.AdamW(
        [{"params": list(vae.parameters()), "peak": stage.rate}],
        betas=(0.9, 0.99),
        weight_decay=1e-4,
        fused=device.type == "cuda",
    )
    average = AveragedWeights([vae], stage.decay)
    step = 0
    for step, used in enumerate(stage.budget, start=1):
        set_rates(optimizer, used, least=0.003)
        rows = torch.randint(scenes, (stage.batch,), device=device)
        crops = _crops(renderer, rows, rng)
        with torch.autocast(device.type, torch.bfloat16):
            loss, absolute = compiled(crops)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update()
        if step % stage.log_every == 0:
            _log.info("vae %d: loss %.4f, absolute %.4f", step, loss.item(), absolute.item())
    average.store()
    _log.info("vae: %d steps", step)


def _crops(renderer: Renderer, rows: Int[Tensor, " batch"], rng: random.Random) -> Float[Tensor, "batch 3 y x"]:
    """The same crop of all these pictures."""
    top, left = (rng.randrange(0, SIZE - _CROP + 1, 8) for _ in range(2))
    crops = renderer.images(rows)[:, :, top : top + _CROP, left : left + _CROP]
    return crops.contiguous(memory_format=torch.channels_last)


def _absolute(left: Float[Tensor, "*shape"], right: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    return (left - right).abs().mean()
