"""The last stages of the shipped weights, on a CPU: cross-attention is aligned with masks.

The network that was trained without alignment draws well, and its words look at the padding, since no loss asks a word
to look at the thing that it names. Three stages change that. *Local*: only `to_q` and `to_k` of each layer learn, each
from the input of its own layer. *Joint*: everything learns, from the noise loss and the alignment loss together. Small
batches cost drawing quality, so the weights are then averaged with those from before. *Polish*: the same at a lower
rate, and averaged once more.
"""

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from sdexplore.base.errors import SdexploreError
from sdexplore.mini.training.alignment import CrossAttention, alignment_loss
from sdexplore.mini.training.batches import draw_batch
from sdexplore.mini.training.dataset import FIRST_SEED, HELD_OUT_SEED, VARIANTS, Draw, draw_table
from sdexplore.mini.training.encoding import EncodedScenes, encode
from sdexplore.mini.training.networks import Networks, claim, load, save
from sdexplore.mini.training.noise import noise_loss
from sdexplore.mini.training.optimization import AveragedWeights, Budget, set_rates
from sdexplore.mini.training.pointing import Pointing, pointing
from sdexplore.mini.training.rendering import Renderer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AlignmentStage:
    """Settings of one stage.

    Attributes:
        budget: Time and steps.
        rate: Highest learning rate of `to_q` and `to_k`.
        joint: Whether all other weights learn too, from the noise loss and the alignment loss.
        alignment: Weight of the alignment loss, where that of the noise loss is 1.
        decay: Decay of the averaged weights.
    """

    budget: Budget
    rate: float
    joint: bool = True
    alignment: float = 0.04
    decay: float = 0.995


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """Settings of a fine-tuning.

    Attributes:
        scenes: Number of scenes to learn from.
        held_out: Number of scenes to score before and after.
        batch: Scenes in one step.
        variants: Renderings of each background.
        local: First stage. None skips a stage.
        joint: Second stage.
        joint_share: Share of its weights in the average with those from before the first stage.
        polish: Last stage.
        polish_share: Share of its weights in the average with those from before this stage.
        seed: Seed of torch's generator; scenes have their own seeds.
        workers: Processes that paint backgrounds; 0 paints them in this process.
    """

    scenes: int = 6000
    held_out: int = 60
    batch: int = 16
    variants: int = VARIANTS
    local: AlignmentStage | None = field(
        default_factory=lambda: AlignmentStage(budget=Budget(400.0, warmup=0), rate=2e-3, joint=False)
    )
    joint: AlignmentStage | None = field(
        default_factory=lambda: AlignmentStage(budget=Budget(5400.0, warmup=0), rate=1e-3)
    )
    joint_share: float = 0.7
    polish: AlignmentStage | None = field(
        default_factory=lambda: AlignmentStage(budget=Budget(930.0, warmup=0), rate=2e-4, alignment=0.02, decay=0.985)
    )
    polish_share: float = 0.5
    seed: int = 0
    workers: int = 0

    @classmethod
    def smoke(cls) -> "Finetuning":
        """Returns settings for one step of every stage: seconds on a CPU."""
        whole = cls()
        budget = Budget(60.0, steps=1, warmup=0)
        shortened = {
            name: replace(stage, budget=budget)
            for name in ("local", "joint", "polish")
            if (stage := getattr(whole, name)) is not None
        }
        return replace(whole, scenes=4, held_out=1, batch=2, variants=2, **shortened)


def finetune(finetuning: Finetuning, folder: Path, out: Path) -> tuple[list[Pointing], ...]:
    """Aligns a trained miniature on the CPU and writes it to `out`.

    Args:
        finetuning: The settings.
        folder: Folder of the trained pipeline.
        out: The folder to write to. It is made if it does not exist, and its files are overwritten.

    Returns:
        Scores on held-out scenes, before and after.

    Raises:
        SdexploreError: There are no scenes to learn from or to score, or `out` cannot be made.
        LoadError: The folder holds no pipeline.
    """
    if min(finetuning.scenes, finetuning.held_out) < 1:
        raise SdexploreError(
            f"cannot learn from {finetuning.scenes} scenes and score {finetuning.held_out}; give 1 or more of each"
        )
    networks = load(folder)
    claim(out)
    with torch.random.fork_rng():
        torch.manual_seed(finetuning.seed)
        held_out = _encode(networks, HELD_OUT_SEED, finetuning.held_out, finetuning)
        before = pointing(networks, held_out)
        _log.info("before: %s", before)
        scenes = _encode(networks, FIRST_SEED, finetuning.scenes, finetuning)
        first = _weights(networks)
        if finetuning.local is not None:
            fit(networks, scenes, finetuning.local, finetuning.batch)
        if finetuning.joint is not None:
            fit(networks, scenes, finetuning.joint, finetuning.batch)
            _average(networks, first, finetuning.joint_share)
        if finetuning.polish is not None:
            second = _weights(networks)
            fit(networks, scenes, finetuning.polish, finetuning.batch)
            _average(networks, second, finetuning.polish_share)
        after = pointing(networks, held_out)
        _log.info("after: %s", after)
    save(networks, out)
    return before, after


def fit(networks: Networks, scenes: EncodedScenes, stage: AlignmentStage, batch: int) -> None:
    """Runs one stage in place. At the end, UNet and text encoder have their averaged weights.

    Args:
        networks: In float32, on the CPU.
        scenes: The scenes to learn from, on the CPU.
        stage: The settings; random numbers come from torch's generator.
        batch: Scenes in one step.
    """
    unet, text_encoder = networks.unet, networks.text_encoder
    embedding = text_encoder.get_input_embeddings().weight
    known = (embedding.detach().abs().sum(1, keepdim=True) > 0).float()  # all others stay zero
    average, step = AveragedWeights((unet, text_encoder), stage.decay), 0
    with CrossAttention(unet, local=not stage.joint) as attention:
        optimizer = _optimizer(networks, attention, stage)
        learning = [weight for group in optimizer.param_groups for weight in group["params"]]
        handle = embedding.register_hook(partial(torch.mul, known)) if stage.joint else None
        for step, used in enumerate(stage.budget, start=1):
            set_rates(optimizer, used, least=0.002)
            drawn = draw_batch(scenes, batch, evenly=True, ground=0.3)
            with torch.set_grad_enabled(stage.joint), torch.autocast("cpu", torch.bfloat16):
                words = text_encoder(drawn.input_ids)[0]
                predicted = unet(drawn.noisy, drawn.timesteps, words).sample
            alignment = alignment_loss(attention.probs(), drawn.selectors, drawn.masks, drawn.weights)
            loss = alignment
            if stage.joint:
                error = noise_loss(predicted, drawn.noise, drawn.timesteps)
                loss = error + stage.alignment * alignment
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            average.update()
            if step % 50 == 0:
                _log.info("joint=%s %d: alignment %.3f", stage.joint, step, alignment.item())
        if handle is not None:
            handle.remove()
    average.store()
    _log.info("joint=%s: %d steps", stage.joint, step)


def _optimizer(networks: Networks, attention: CrossAttention, stage: AlignmentStage) -> torch.optim.Optimizer:
    """An optimizer of the weights that the stage trains; all others get no gradient."""
    projections = attention.projections
    networks.unet.requires_grad_(stage.joint)
    networks.text_encoder.requires_grad_(stage.joint)
    for weight in projections:
        weight.requires_grad_()
    groups = [{"params": projections, "peak": stage.rate}]
    if stage.joint:
        counted = set(map(id, projections))
        others = [weight for weight in networks.unet.parameters() if id(weight) not in counted]
        groups.append({"params": others, "peak": 1.5e-4})
        groups.append({"params": list(networks.text_encoder.parameters()), "peak": 2e-4})
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0)


def _encode(networks: Networks, seed: int, scenes: int, finetuning: Finetuning) -> EncodedScenes:
    table = draw_table(Draw(seed, scenes, variants=finetuning.variants))
    renderer = Renderer(table, workers=finetuning.workers)
    return encode(networks.vae, table, renderer, scaling_factor=networks.scaling_factor)


def _weights(networks: Networks) -> list[Tensor]:
    """Copies of the weights of UNet and text encoder."""
    return [weight.detach().clone() for weight in _aligned(networks)]


@torch.no_grad()
def _average(networks: Networks, earlier: list[Tensor], share: float) -> None:
    """Replaces the weights by (1 − share) × the earlier ones + share × the present ones."""
    for weight, before in zip(_aligned(networks), earlier, strict=True):
        weight.copy_(torch.lerp(before, weight, share))


def _aligned(networks: Networks) -> list[Tensor]:
    return [*networks.unet.parameters(), *networks.text_encoder.parameters()]
