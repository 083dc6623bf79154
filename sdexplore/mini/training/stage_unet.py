"""Stage 2: UNet and text encoder learn, together, to tell noise from what a caption describes."""

import contextlib
import functools
import logging
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdexplore.mini.training.alignment import CrossAttention, alignment_loss
from sdexplore.mini.training.batches import Batch, draw_batch
from sdexplore.mini.training.dataset import VOCABULARY_SIZE
from sdexplore.mini.training.encoding import EncodedScenes
from sdexplore.mini.training.networks import Networks
from sdexplore.mini.training.noise import noise_loss
from sdexplore.mini.training.optimization import AveragedWeights, Budget, set_rates

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class UnetStage:
    """How UNet and text encoder are trained.

    Attributes:
        budget: How long.
        batch: Scenes a step.
        rate: Peak of the learning rate.
        decay: Of the averaged weights.
        alignment: Weight of the alignment loss; 0: cross-attention is left to itself.
        alignment_rows: Scenes of a batch that the alignment loss looks at.
        compile: Whether to compile the step.
        log_every: Steps between two lines in the log.
    """

    budget: Budget = field(default_factory=lambda: Budget(1080.0))
    batch: int = 384
    rate: float = 6e-4
    decay: float = 0.9995
    alignment: float = 0.03
    alignment_rows: int = 96
    compile: bool = True
    log_every: int = 200


class NoisePrediction(nn.Module):
    """The loss of UNet and text encoder."""

    def __init__(self, networks: Networks, attention: CrossAttention | None) -> None:
        super().__init__()
        self.unet, self.text_encoder = networks.unet, networks.text_encoder
        self.attention = attention

    def forward(self, batch: Batch) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Noise loss and, unweighted, alignment loss (0 where attention is left to itself)."""
        words = self.text_encoder(batch.input_ids)[0]
        predicted = self.unet(batch.noisy, batch.timesteps, words).sample
        error = noise_loss(predicted, batch.noise, batch.timesteps)
        if self.attention is None:
            return error, error.new_zeros(())
        probs = self.attention.probs(len(batch.selectors))
        return error, alignment_loss(probs, batch.selectors, batch.masks, batch.weights)


def fit_unet(networks: Networks, scenes: EncodedScenes, known: frozenset[int], stage: UnetStage) -> None:
    """Trains UNet and text encoder in place; they end with their averaged weights.

    Args:
        networks: In float32, on the scenes' device.
        scenes: What to train on.
        known: Tokens that the world can hold; the others' embeddings become zero and stay so.
        stage: How to train; what is random comes from torch's generator.
    """
    device = scenes.latents.device
    embedding = networks.text_encoder.get_input_embeddings().weight
    keep = torch.zeros(VOCABULARY_SIZE, 1, device=device)
    keep[sorted(known)] = 1
    embedding.data.mul_(keep)
    handle = embedding.register_hook(functools.partial(torch.mul, keep))
    learning = (networks.unet, networks.text_encoder)
    weights = [w for network in learning for w in network.parameters() if w is not embedding]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": 0.01, "peak": stage.rate},
            {"params": [embedding], "weight_decay": 0.0, "peak": stage.rate},
        ],
        betas=(0.9, 0.98),
        fused=device.type == "cuda",
    )
    average = AveragedWeights(learning, stage.decay)
    step = 0
    with contextlib.ExitStack() as stack:
        attention = CrossAttention(networks.unet) if stage.alignment else None
        if attention is not None:
            stack.enter_context(attention)
        objective: nn.Module = NoisePrediction(networks, attention)
        compiled = torch.compile(objective) if stage.compile else objective
        for step, used in enumerate(stage.budget, start=1):
            set_rates(optimizer, used, least=0.001)
            batch = draw_batch(scenes, stage.batch, aligned=stage.alignment_rows)
            with torch.autocast(device.type, torch.bfloat16):
                error, alignment = compiled(batch)
            (error + stage.alignment * alignment).backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            average.update()
            if step % stage.log_every == 0:
                _log.info("unet %d: error %.4f, alignment %.3f", step, error.item(), alignment.item())
    handle.remove()
    average.store()
    _log.info("unet: %d steps", step)
