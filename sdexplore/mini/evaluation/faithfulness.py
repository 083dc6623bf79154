"""Does a drawn picture show the things that its prompt names? `python -m sdexplore.mini.evaluation.faithfulness`.

The classifier looks for them. A thing counts as drawn where it is found, so the errors of the classifier count too
(MODEL_CARD.md says how many it makes).
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from jaxtyping import UInt8
from transformers import CLIPTokenizerFast

from sdexplore.base.display import Block, Line, Shown, Table
from sdexplore.base.errors import SdexploreError
from sdexplore.mini import PIPELINE
from sdexplore.mini.evaluation.classifier import THINGS, THRESHOLD, presence
from sdexplore.mini.training.networks import load
from sdexplore.mini.world.vocabulary import COLORS, PLACES, SHAPES, article

_Z = 1.96


@dataclass(frozen=True)
class Found:
    """Results for prompts that name the same number of things.

    Attributes:
        prompts: Number of prompts, one picture each.
        whole: Number of pictures in which every named thing was found.
        things: Number of named things that were found, of prompts × number.
        strangers: Number of things found in a picture that its prompt does not name; mean over pictures.
    """

    prompts: int
    whole: int
    things: int
    strangers: float


@dataclass(frozen=True, repr=False)
class Faithfulness(Shown):
    """How often pictures show the things that their prompts name.

    Attributes:
        by_number: Number of named things → results.
        steps, guidance_scale: The settings of the runs.
    """

    by_number: Mapping[int, Found]
    steps: int
    guidance_scale: float

    def blocks(self) -> Sequence[Block]:
        """One row for each number of things."""
        headers = ("things", "pictures", "all found", "95 %", "things found", "not named, per picture")
        rows = [
            (
                *(str(number), str(found.prompts), f"{found.whole / found.prompts:.2f}"),
                "{:.2f}–{:.2f}".format(*wilson(found.whole, found.prompts)),
                *(f"{found.things / (number * found.prompts):.2f}", f"{found.strangers:.2f}"),
            )
            for number, found in self.by_number.items()
        ]
        how = f"{self.steps} steps, guidance {self.guidance_scale:g}, threshold {THRESHOLD}"
        return (Line(f"Named things that are in the picture: {how}", strong=True), Table(headers, rows))


def prompts_of(number: int, prompts: int, seed: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields prompts that name `number` different things, about half of them with a place; and the names in THINGS."""
    rng = random.Random(f"faithfulness {seed} {number}")  # noqa: S311  (prompts, not secrets)
    for _ in range(prompts):
        things = tuple(rng.sample(THINGS, number))
        nouns = [article(f"{rng.choice(list(COLORS))} {thing}" if thing in SHAPES else thing) for thing in things]
        listed = " and ".join(filter(None, (", ".join(nouns[:-1]), nouns[-1])))
        place = f" {PLACES[rng.choice(list(PLACES))][0]}" if rng.random() < 0.5 else ""  # noqa: PLR2004  (half)
        yield f"a photo of {listed}{place}", things


def judge(pictures: UInt8[np.ndarray, "picture Y X 3"], named: Sequence[tuple[str, ...]]) -> Found:
    """Returns what the classifier finds in pictures whose prompts name the same number of things."""
    there = presence(pictures) >= THRESHOLD
    asked = np.array([[thing in things for thing in THINGS] for things in named])
    return Found(
        prompts=len(named),
        whole=int((there | ~asked).all(1).sum()),
        things=int((there & asked).sum()),
        strangers=float((there & ~asked).sum(1).mean()),
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share (Wilson 1927)."""
    share, spread = hits / of, _Z**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * (share * (1 - share) / of + spread / (4 * of)) ** 0.5 / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


@torch.no_grad()
def measure_faithfulness(
    folder: Path = PIPELINE,
    *,
    prompts: int = 30,
    numbers: Sequence[int] = (1, 2, 3),
    steps: int = 25,
    guidance_scale: float = 5.0,
    seed: int = 0,
) -> Faithfulness:
    """Draws a picture for each prompt, on the CPU, and counts the named things that the classifier finds.

    Raises:
        SdexploreError: There is no prompt to draw, or a prompt without things.
    """
    if prompts < 1 or not numbers or min(numbers) < 1:
        raise SdexploreError(f"cannot draw {prompts} prompts of {tuple(numbers)} things; give at least one of each")
    pipe = DiffusionPipeline.from_pretrained(folder, **vars(load(folder)), tokenizer=None)
    # older versions of diffusers do not load this tokenizer with the pipeline
    pipe.register_modules(tokenizer=CLIPTokenizerFast.from_pretrained(folder / "tokenizer"))
    pipe.set_progress_bar_config(disable=True)
    found = {}
    for number in numbers:
        asked = list(prompts_of(number, prompts, seed))
        drawn = []
        for place, (prompt, _) in enumerate(asked):
            generator = torch.Generator().manual_seed(seed + place)
            output = pipe(prompt, num_inference_steps=steps, guidance_scale=guidance_scale, generator=generator)
            drawn.append(np.asarray(output.images[0]))
        found[number] = judge(np.stack(drawn), [things for _, things in asked])
    return Faithfulness(found, steps, guidance_scale)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.faithfulness",
        description="Measures how often the things that a prompt names are drawn.",
    )
    parser.add_argument("--pipeline", type=Path, default=PIPELINE, help="folder of the pipeline")
    parser.add_argument(
        "--prompts", type=int, default=30, help="number of prompts with one thing, with two, and with three"
    )
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    try:
        found = measure_faithfulness(chosen.pipeline, prompts=chosen.prompts, seed=chosen.seed)
    except SdexploreError as error:
        parser.error(str(error))
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
