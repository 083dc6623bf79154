"""Stage 2: UNet and text encoder learn together to predict the noise in a scene from its caption."""

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
    """Settings of the training of UNet and text encoder.

    Attributes:
        budget: Time and steps.
        batch: Scenes in one step.
        rate: Highest learning rate.
        decay: Decay of the averaged weights.
        alignment: Weight of the alignment loss; 0 trains without it.
        alignment_rows: Scenes of a batch that the alignment loss reads.
        compile: Whether to compile the step.
        log_every: Steps between two lines of the log.
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
        """Returns the noise loss and the alignment loss without its weight (0 where it is not trained)."""
        words = self.text_encoder(batch.input_ids)[0]
        predicted = self.unet(batch.noisy, batch.timesteps, words).sample
        error = noise_loss(predicted, batch.noise, batch.timesteps)
        if self.attention is None:
            return error, error.new_zeros(())
        probs = self.attention.probs(len(batch.selectors))
        return error, alignment_loss(probs, batch.selectors, batch.masks, batch.weights)


def fit_unet(networks: Networks, scenes: EncodedScenes, known: frozenset[int], stage: UnetStage) -> None:
    """Trains UNet and text encoder in place. At the end they have their averaged weights.

    Args:
        networks: In float32, on the scenes' device.
        scenes: The scenes to train on.
        known: Tokens that captions of the world can hold. The embeddings of all others become zero and stay zero.
        stage: The settings; random numbers come from torch's generator.
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
