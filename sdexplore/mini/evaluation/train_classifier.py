"""Teaches the classifier, and measures it: `python -m sdexplore.mini.evaluation.train_classifier --out FILE`.

The shipped weights saw 900 steps of 32 pictures, and then 2,660 more (`--start`), 31 minutes in all on one busy CPU
core. Scenes are drawn with seeds that no training of the pipeline used; half of them are the world's own, half are
crowded at random, so that each picture shows more things.
"""

import argparse
import logging
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdexplore.base.display import Block, Line, Shown
from sdexplore.mini.evaluation.classifier import CELLS, SIDE, THINGS, THRESHOLD, WEIGHTS, Classifier, shrunk
from sdexplore.mini.training.dataset import SPRITES, VARIANTS, Draw, SceneTable, draw_table
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.world.atlas import load_atlas
from sdexplore.mini.world.backgrounds import SIZE, background
from sdexplore.mini.world.vocabulary import BACKGROUNDS, COLORS, NAMES, STYLES
from sdexplore.mini.world.world import MONO, SEPIA

TRAINING_SEED, HELD_OUT_SEED = 31_000, 32_000
_BATCH = 32
_SHRUNK = SIZE // SIDE
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Accuracy(Shown):
    """How well a classifier tells what is in scenes that it never saw.

    Attributes:
        scenes: How many of the world's scenes, of every style.
        things: How many things stood in them, counted once a scene.
        average_precision: Area under precision over recall, all things of all scenes ranked together.
        recall: Share of the things that were found at the threshold.
        precision: Share of what was found that was there.
        whole: Share of the scenes in which all were found.
        recall_by_number: Things in the scene → `whole` of such scenes.
    """

    scenes: int
    things: int
    average_precision: float
    recall: float
    precision: float
    whole: float
    recall_by_number: dict[int, float]

    def blocks(self) -> Sequence[Block]:
        """All figures in two lines."""
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
    """A classifier that learnt from renderings on the CPU, for `seconds` or `max_steps` steps of 32 pictures.

    Args:
        seconds: From the first step on.
        scenes: How many to choose from.
        max_steps: No more than these.
        start: Weights to go on from; None starts from nothing.
        seed: Of the order of the scenes; below 1000.
    """
    torch.manual_seed(seed)
    table = SceneTable.joined(
        [draw_table(Draw(TRAINING_SEED, scenes // 2, captions=0)), crowded(TRAINING_SEED, scenes - scenes // 2)]
    )
    network = Classifier().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    if start:
        network.load_state_dict(load_file(start))
    drawer = _Drawer(table)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    generator = torch.Generator().manual_seed(seed)
    started, step, done = time.perf_counter(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, step / 100 + 0.02) * (0.5 + 0.5 * float(np.cos(np.pi * done))) + 2e-5
        rows = torch.randint(len(table), (_BATCH,), generator=generator)
        images, shares = drawer.batch(rows.tolist())
        disturbed = _disturbed(images, generator).contiguous(memory_format=torch.channels_last)
        by_cell = network(disturbed).movedim(1, -1).contiguous()  # torch is slow where classes are not last
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
    """The figures of a classifier on the world's scenes of another seed."""
    table = draw_table(Draw(seed, scenes, captions=0))
    renderer = Renderer(table)
    batches = torch.split(torch.arange(scenes), _BATCH)
    scores = torch.cat([network.presence(shrunk(renderer.images(rows))) for rows in batches]).numpy()
    return accuracy(scores, labels(table))


def accuracy(scores: Float32[np.ndarray, "scene thing"], truth: Bool[np.ndarray, "scene thing"]) -> Accuracy:
    """What these scores are worth."""
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


def labels(table: SceneTable) -> Bool[np.ndarray, "scene thing"]:
    """Which of THINGS stand in each scene."""
    truth = np.zeros((len(table), len(THINGS)), bool)
    row, place = np.nonzero(table.sprites[..., 8])
    truth[row, table.sprites[row, place, 0].astype(int)] = True
    return truth


def crowded(seed: int, scenes: int) -> SceneTable:
    """Scenes of two to four random things in random places, which may cover one another."""
    rng = np.random.default_rng(seed)
    table = SceneTable.empty(scenes, 0)
    tiles = rng.integers(len(THINGS), size=(scenes, SPRITES))
    sizes = rng.uniform(48, 150, (scenes, SPRITES))
    colors = np.array(list(COLORS.values()))[rng.integers(len(COLORS), size=(scenes, SPRITES))]
    table.sprites[..., 0] = tiles
    table.sprites[..., 1:3] = sizes[..., None] / 2 + rng.random((scenes, SPRITES, 2)) * (SIZE - sizes[..., None])
    table.sprites[..., 3] = sizes
    table.sprites[..., 4] = rng.random((scenes, SPRITES)) < 0.3  # noqa: PLR2004  (as the world flips)
    table.sprites[..., 5:8] = np.where(tiles[..., None] >= len(NAMES), colors, 255)
    table.sprites[..., 8] = np.arange(SPRITES) < rng.integers(2, SPRITES + 1, size=(scenes, 1))
    table.sprite_groups[:] = np.arange(SPRITES)
    table.backgrounds[:, 0] = rng.integers(len(BACKGROUNDS), size=scenes)
    table.backgrounds[:, 1] = rng.integers(VARIANTS, size=scenes)
    odd = rng.random(scenes) > 0.8  # noqa: PLR2004  (about as often as in the world)
    table.styles[:] = np.where(odd, rng.integers(1, len(STYLES), size=scenes), 0)
    return table


class _Drawer:
    """Draws scenes in the classifier's size, a batch in a few hundredths of a second; `Renderer` takes a second."""

    def __init__(self, table: SceneTable) -> None:
        self._table = table
        self._tiles = [Image.fromarray(tile) for tile in load_atlas()]
        kinds, self._which = np.unique(table.backgrounds, axis=0, return_inverse=True)
        painted = (background(BACKGROUNDS[k], random.Random(int(k) * 1000 + int(v))) for k, v in kinds)  # noqa: S311
        self._grounds = [Image.fromarray(one).reduce(_SHRUNK).convert("RGBA") for one in painted]

    def batch(self, rows: Sequence[int]) -> tuple[Float[Tensor, "batch 3 128 128"], Float[Tensor, "batch class 16 16"]]:
        """Pictures, RGB in −1..1, and which share of each cell shows what."""
        drawn = [self._draw(row) for row in rows]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2)
        return pictures.float() / 127.5 - 1, torch.from_numpy(np.stack([shares for _, shares in drawn]))

    def _draw(self, row: int) -> tuple[UInt8[np.ndarray, "128 128 3"], Float32[np.ndarray, "class 16 16"]]:
        picture = self._grounds[self._which.reshape(-1)[row]].copy()
        shares = np.zeros((len(THINGS) + 1, CELLS, CELLS), np.float32)
        shares[-1] = 1
        for tile, x, y, size, flipped, *tint, present in self._table.sprites[row]:
            if not present:
                continue
            side = max(1, round(size / _SHRUNK))
            sprite = self._tiles[int(tile)].resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
            sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else sprite
            pixels = np.array(sprite)
            pixels[..., :3] = pixels[..., :3] * (np.array(tint) / 255)
            layer = Image.new("RGBA", (SIDE, SIDE))
            layer.paste(Image.fromarray(pixels), (round((x - size / 2) / _SHRUNK), round((y - size / 2) / _SHRUNK)))
            picture.alpha_composite(layer)
            alpha = np.asarray(layer)[..., 3].reshape(CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).mean((1, 3)) / 255
            shares *= 1 - alpha.astype(np.float32)
            shares[int(tile)] += alpha
        return _styled(picture.convert("RGB"), tuple(STYLES)[self._table.styles[row]]), shares


def _styled(picture: Image.Image, style: str) -> UInt8[np.ndarray, "128 128 3"]:
    match style:
        case "pixel":
            picture = picture.reduce(4).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        case "blur":
            picture = picture.filter(ImageFilter.GaussianBlur(3))
        case "mono" | "sepia":
            gray = np.asarray(picture.convert("L"))[..., None] / 255
            return np.asarray(gray * np.array(MONO if style == "mono" else SEPIA), np.uint8)
    return np.asarray(picture)


def _disturbed(images: Float[Tensor, "batch 3 y x"], generator: torch.Generator) -> Float[Tensor, "batch 3 y x"]:
    """Pictures less perfect than renderings: other contrast and light, some noise, some softness."""
    gain, light, noise, soft = torch.rand(4, len(images), 1, 1, 1, generator=generator)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    mixed = torch.lerp(images, blurred, soft)
    grain = torch.randn(images.shape, generator=generator) * noise * 0.1
    lit: Tensor = (mixed + grain) * (0.8 + 0.4 * gain) + (light - 0.5) * 0.3
    return lit.clamp(-1, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.train_classifier",
        description="Trains and measures the glyph classifier.",
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write the weights to")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--scenes", type=int, default=24_000)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the scenes")
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
