"""Trains the classifier and measures it: `python -m sdexplore.mini.evaluation.train_classifier --out FILE`.

The shipped weights come from 900 steps of 32 pictures and 2,660 further steps (`--start`): 31 minutes in all on one
busy CPU core. The seeds of the scenes are used by no training of the pipeline. Half of the scenes are the world's own.
The other half are crowded at random, so that each picture shows more things.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from jaxtyping import Bool, Float, Float32
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdexplore.base.display import Block, Line, Shown
from sdexplore.mini.evaluation.classifier import THRESHOLD, WEIGHTS, Classifier, shrunk
from sdexplore.mini.evaluation.classifier_scenes import SmallScenes, crowded, labels
from sdexplore.mini.training.dataset import Draw, SceneTable, draw_table
from sdexplore.mini.training.rendering import Renderer

TRAINING_SEED, HELD_OUT_SEED = 31_000, 32_000
_BATCH = 32
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Accuracy(Shown):
    """How accurate a classifier is on scenes that it never saw.

    Attributes:
        scenes: Number of the world's scenes, of every style.
        things: Number of things in them; a thing counts once in a scene.
        average_precision: Area under the curve of precision over recall; all things of all scenes are ranked together.
        recall: Share of the things that are found at the threshold.
        precision: Share of the found things that are in the scene.
        whole: Share of the scenes in which every thing is found.
        recall_by_number: Number of things in a scene → `whole` of these scenes.
    """

    scenes: int
    things: int
    average_precision: float
    recall: float
    precision: float
    whole: float
    recall_by_number: dict[int, float]

    def blocks(self) -> Sequence[Block]:
        """All numbers in three lines."""
        whole = ", ".join(f"{number}: {share:.3f}" for number, share in self.recall_by_number.items())
        return (
            Line(f"Classifier on {self.scenes} scenes with {self.things} things, threshold {THRESHOLD}", strong=True),
            Line(
                f"average precision {self.average_precision:.3f}, recall {self.recall:.3f}, "
                f"precision {self.precision:.3f}"
            ),
            Line(f"all things found in {self.whole:.3f} of the scenes; by number of things {whole}"),
        )


def train_classifier(
    seconds: float = 300.0,
    *,
    scenes: int = 24_000,
    max_steps: int | None = None,
    start: Path | None = None,
    seed: int = 0,
) -> Classifier:
    """Trains a classifier on renderings on the CPU, for `seconds` or for `max_steps` steps of 32 pictures.

    Args:
        seconds: Time from the first step on.
        scenes: Number of scenes to choose from.
        max_steps: Largest number of steps; None for as many as the time allows.
        start: Weights to start from; None starts from random ones.
        seed: Seed of the order of the scenes; below 1000.
    """
    torch.manual_seed(seed)
    table = SceneTable.joined(
        [draw_table(Draw(TRAINING_SEED, scenes // 2, captions=0)), crowded(TRAINING_SEED, scenes - scenes // 2)]
    )
    network = Classifier().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    if start:
        network.load_state_dict(load_file(start))
    drawer = SmallScenes(table)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    generator = torch.Generator().manual_seed(seed)
    started, step, done = time.perf_counter(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, step / 100 + 0.02) * (0.5 + 0.5 * float(np.cos(np.pi * done))) + 2e-5
        rows = torch.randint(len(table), (_BATCH,), generator=generator)
        images, shares = drawer.batch(rows.tolist())
        disturbed = _disturbed(images, generator).contiguous(memory_format=torch.channels_last)
        by_cell = network(disturbed).movedim(1, -1).contiguous()  # torch is slow if the classes are not the last axis
        loss = -(by_cell.log_softmax(-1) * shares.movedim(1, -1)).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        done = (time.perf_counter() - started) / seconds
        done = max(done, step / max_steps) if max_steps else done
        if step % 100 == 0:
            _LOG.info("step %d, %.0f %% of the time, loss %.4f", step, 100 * done, loss.item())
    network.eval()
    trained: Classifier = network
    return trained


@torch.no_grad()
def measure_classifier(network: Classifier, scenes: int = 500, seed: int = HELD_OUT_SEED) -> Accuracy:
    """Measures a classifier on the world's scenes of another seed."""
    table = draw_table(Draw(seed, scenes, captions=0))
    renderer = Renderer(table)
    batches = torch.split(torch.arange(scenes), _BATCH)
    scores = torch.cat([network.presence(shrunk(renderer.images(rows))) for rows in batches]).numpy()
    return accuracy(scores, labels(table))


def accuracy(scores: Float32[np.ndarray, "scene thing"], truth: Bool[np.ndarray, "scene thing"]) -> Accuracy:
    """Returns how accurate these scores are."""
    order = np.argsort(-scores, axis=None, kind="stable")
    right = truth.reshape(-1)[order]
    precision = np.cumsum(right) / np.arange(1, right.size + 1)
    found = scores >= THRESHOLD
    numbers, whole = truth.sum(1), (found | ~truth).all(1)
    return Accuracy(
        scenes=len(truth),
        things=int(truth.sum()),
        average_precision=float(precision[right].mean()),
        recall=float(found[truth].mean()),
        precision=float(truth[found].mean()) if found.any() else 0.0,
        whole=float(whole.mean()),
        recall_by_number={int(n): float(whole[numbers == n].mean()) for n in np.unique(numbers)},
    )


def _disturbed(images: Float[Tensor, "batch 3 y x"], generator: torch.Generator) -> Float[Tensor, "batch 3 y x"]:
    """Changes contrast and brightness and adds noise and blur; a drawn picture is less perfect than a rendering."""
    gain, light, noise, soft = torch.rand(4, len(images), 1, 1, 1, generator=generator)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    mixed = torch.lerp(images, blurred, soft)
    grain = torch.randn(images.shape, generator=generator) * noise * 0.1
    lit: Tensor = (mixed + grain) * (0.8 + 0.4 * gain) + (light - 0.5) * 0.3
    return lit.clamp(-1, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.train_classifier",
        description="Trains and measures the glyph classifier.",
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write the weights to")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--scenes", type=int, default=24_000)
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order of the scenes")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="[%(relativeCreated)7.0f ms] %(message)s")
    network = train_classifier(
        chosen.seconds, scenes=chosen.scenes, max_steps=chosen.max_steps, start=chosen.start, seed=chosen.seed
    )
    state = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    save_file({name: value.contiguous() for name, value in state.items()}, chosen.out)
    sys.stdout.write(f"{measure_classifier(network)}\n")


if __name__ == "__main__":
    main()
