"""Trains the miniature from nothing: scenes, VAE, whitened latents, then UNet and text encoder."""

import logging
import random
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sdexplore.base.errors import SdexploreError
from sdexplore.mini.training.dataset import FIRST_SEED, VARIANTS, Draw, SceneTable, draw_table, known_tokens, spread
from sdexplore.mini.training.encoding import SCALING_FACTOR, encode, whiten
from sdexplore.mini.training.networks import Architecture, Networks, build, claim, load, parameters, save
from sdexplore.mini.training.optimization import Budget
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.training.stage_unet import UnetStage, fit_unet
from sdexplore.mini.training.stage_vae import VaeStage, fit_vae

_PARTS = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of a training.

    Attributes:
        scenes: Number of scenes to train on. They are drawn in 64 equal parts; a remainder is dropped.
        vocabulary_scenes: Number of scenes whose captions say which tokens the world can hold.
        variants: Renderings of each background.
        architecture: Sizes of the networks.
        vae: Stage 1.
        unet: Stage 2.
        encode_batch: Scenes encoded at a time.
        precision: bfloat16 or float32, for the encoded latents.
        seed: Seed of torch's generator and of the crops; scenes have their own seeds.
        workers: Processes that draw scenes; 0 draws them in this process.
        vae_from: Folder of a pipeline whose VAE replaces stage 1.
        init_from: Folder of a pipeline; stage 2 starts from its UNet and text encoder.
    """

    scenes: int = 400_000
    vocabulary_scenes: int = 40_000
    variants: int = VARIANTS
    architecture: Architecture = field(default_factory=Architecture)
    vae: VaeStage = field(default_factory=VaeStage)
    unet: UnetStage = field(default_factory=UnetStage)
    encode_batch: int = 128
    precision: torch.dtype = torch.bfloat16
    seed: int = 0
    workers: int = 0
    vae_from: Path | None = None
    init_from: Path | None = None

    @classmethod
    def smoke(cls) -> "Training":
        """Returns settings for every stage with tiny networks: seconds on a CPU, too few steps to draw anything."""
        return cls(
            scenes=8,
            vocabulary_scenes=200,
            variants=2,
            architecture=Architecture(
                vae_channels=(16, 16, 32, 32),
                unet_channels=(32, 32, 32, 32),
                hidden_size=32,
                text_layers=1,
            ),
            vae=VaeStage(budget=Budget(60.0, steps=4), batch=2, compile=False, log_every=2),
            unet=UnetStage(budget=Budget(60.0, steps=4), batch=2, alignment_rows=1, compile=False, log_every=2),
            encode_batch=8,
        )


def train(training: Training, out: Path, device: torch.device | None = None) -> None:
    """Trains a miniature and writes it to `out`, a folder that diffusers can load.

    The folder is written after stage 1 too, with the trained VAE and the other networks untrained.

    Args:
        training: The settings.
        out: The folder to write to. It is made if it does not exist, and its files are overwritten.
        device: The device to train on; None takes the CPU.

    Raises:
        SdexploreError: There are no scenes to train on, or `out` cannot be made.
        LoadError: The folder `vae_from` or `init_from` holds no pipeline.
    """
    if training.scenes < 1:
        raise SdexploreError(f"cannot train on {training.scenes} scenes; give 1 or more")
    claim(out)
    device = device or torch.device("cpu")
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        known = known_tokens(training.vocabulary_scenes)
        table = _draw_scenes(training, known)
        _log.info("%d scenes, %d tokens", len(table), len(known))
        renderer = Renderer(table, device, workers=training.workers)
        networks = _start(training)
        networks.to(device)
        if training.vae_from is None:
            rng = random.Random(training.seed)  # noqa: S311  (crops, not secrets)
            fit_vae(networks.vae, renderer, len(table), training.vae, rng)
        networks.vae.eval().requires_grad_(requires_grad=False)
        scenes = encode(
            networks.vae,
            table,
            renderer,
            scaling_factor=SCALING_FACTOR,
            batch=training.encode_batch,
            precision=training.precision,
        )
        whiten(networks.vae, scenes)
        save(networks, out)
        fit_unet(networks, scenes, known, training.unet)
        networks.eval()
        save(networks, out)
    _log.info("written to %s", out)


def _draw_scenes(training: Training, known: frozenset[int]) -> SceneTable:
    part = max(1, training.scenes // _PARTS)
    draws = [
        Draw(FIRST_SEED + number, part, variants=training.variants, known=known)
        for number in range(training.scenes // part)
    ]
    return SceneTable.joined(spread(draw_table, draws, training.workers))


def _start(training: Training) -> Networks:
    """Untrained networks; those of earlier trainings where the settings name them."""
    networks = build(training.architecture)
    if training.vae_from is not None:
        networks.vae.load_state_dict(load(training.vae_from).vae.state_dict())
    if training.init_from is not None:
        earlier = load(training.init_from)
        networks.unet.load_state_dict(earlier.unet.state_dict())
        networks.text_encoder.load_state_dict(earlier.text_encoder.state_dict())
    _log.info("parameters: %s", parameters(networks))
    return networks
