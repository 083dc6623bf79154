"""Measures a miniature: `python -m sdexplore.mini.evaluation.measure`.

MODEL_CARD.md quotes the output for the shipped weights: float32, on a CPU, on scenes that no training drew. But their
backgrounds are among the variants that the trainings used.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sdexplore.base.display import Block, Line, Shown, Table, count
from sdexplore.base.errors import SdexploreError
from sdexplore.mini import PIPELINE
from sdexplore.mini.training.dataset import HELD_OUT_SEED, VARIANTS, Draw, draw_table
from sdexplore.mini.training.encoding import EncodedScenes, encode
from sdexplore.mini.training.networks import Networks, load, parameters
from sdexplore.mini.training.pointing import TIMESTEPS, Pointing, pointing
from sdexplore.mini.training.rendering import Renderer

ERROR_TIMESTEPS = (50, 250, 500, 750, 950)
_BATCH = 20


@dataclass(frozen=True, repr=False)
class Measurement(Shown):
    """The measured numbers of one miniature.

    Attributes:
        scenes: Number of scenes.
        seed: Seed of the scenes.
        parameters: Component → number of parameters.
        psnr: Peak signal-to-noise ratio of encoded and decoded pictures, in dB; mean over pictures.
        latent_std: Standard deviation of each channel of the scaled latents.
        scores: Noise error and pointing at each timestep.
    """

    scenes: int
    seed: int
    parameters: dict[str, int]
    psnr: float
    latent_std: tuple[float, ...]
    scores: tuple[Pointing, ...]

    def blocks(self) -> Sequence[Block]:
        """Parameters, the numbers of the VAE, and one row for each timestep."""
        headers = ("timestep", "noise error", "pointing", "IoU")
        rows = [(str(s.timestep), f"{s.noise_error:.4f}", f"{s.pointing:.2f}", f"{s.iou:.2f}") for s in self.scores]
        sizes = ", ".join(f"{name} {count(number)}" for name, number in self.parameters.items())
        first = self.scores[0]  # all scores are of the same words
        return (
            Line(f"Miniature, {self.scenes} scenes of seed {self.seed}", strong=True),
            Line(f"parameters: {sizes}"),
            Line(f"VAE: PSNR {self.psnr:.2f} dB"),
            Line(f"scaled latents: std {', '.join(f'{std:.2f}' for std in self.latent_std)}"),
            Line(f"pointing: {first.words} words, by chance {first.chance:.2f}, at the centre {first.center:.2f}"),
            Table(headers, rows, frozenset(headers)),
        )


@torch.no_grad()
def measure(
    folder: Path = PIPELINE,
    *,
    scenes: int = 120,
    seed: int = HELD_OUT_SEED,
    variants: int = VARIANTS,
) -> Measurement:
    """Measures a miniature on random scenes, in float32 on the CPU.

    Args:
        folder: Folder of the pipeline.
        scenes: Number of scenes.
        seed: Seed of the scenes; the trainings use 1000 and above.
        variants: Renderings of each background.

    Raises:
        SdexploreError: There are no scenes to measure on.
        LoadError: The folder holds no pipeline.
    """
    if scenes < 1:
        raise SdexploreError(f"cannot measure on {scenes} scenes; give 1 or more")
    networks = load(folder)
    table = draw_table(Draw(seed, scenes, variants=variants))
    renderer = Renderer(table)
    encoded = encode(
        networks.vae,
        table,
        renderer,
        scaling_factor=networks.scaling_factor,
        batch=_BATCH,
        precision=torch.float32,
    )
    scores = [
        score
        for timesteps in (ERROR_TIMESTEPS, TIMESTEPS)
        for score in pointing(networks, encoded, timesteps, precision=torch.float32)
    ]
    deviations = encoded.scaled(torch.arange(scenes)).std((0, 2, 3))
    return Measurement(
        scenes=scenes,
        seed=seed,
        parameters=parameters(networks),
        psnr=_psnr(networks, encoded, renderer).mean().item(),
        latent_std=tuple(deviations.tolist()),
        scores=tuple(sorted(scores, key=lambda score: score.timestep)),
    )


def _psnr(networks: Networks, scenes: EncodedScenes, renderer: Renderer) -> Float[Tensor, " scene"]:
    """PSNR of each picture after the VAE has encoded it (posterior mean) and decoded it."""
    ratios = []
    for rows in torch.split(torch.arange(len(scenes)), _BATCH):
        images = renderer.images(rows)
        drawn = networks.vae.decode(scenes.latents[rows]).sample.clamp(-1, 1)
        error = ((images - drawn) / 2).square().mean((1, 2, 3))
        ratios.append(-10 * error.log10())
    return torch.cat(ratios)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.measure", description="Measures a miniature."
    )
    parser.add_argument("--pipeline", type=Path, default=PIPELINE, help="folder of the pipeline")
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    chosen = parser.parse_args(arguments)
    try:
        found = measure(chosen.pipeline, scenes=chosen.scenes, seed=chosen.seed)
    except SdexploreError as error:
        parser.error(str(error))
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
