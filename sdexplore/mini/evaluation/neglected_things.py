"""Does moving latents towards neglected words help? `python -m sdexplore.mini.evaluation.neglected_things`.

A prompt that names four things is often drawn with three. Attend-and-Excite (Chefer et al. 2023, 2301.13826) moves the
latents, during the first half of the steps, so that the word that is looked at least is looked at somewhere. Here a
guide does so: it changes the noise prediction by the gradient, where they change the latents between two calls, and it
makes no further iterations.

Each prompt is drawn twice with the same seed, without and with the guide, and the classifier of the emoji world looks
for the named things. All prompts count, and not those alone of which something was missing: of such, some things would
come back by any change.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool

from sdexplore.base.display import Block, Line, Shown, Table
from sdexplore.base.errors import SdexploreError
from sdexplore.mini.evaluation.classifier import THINGS, THRESHOLD, presence
from sdexplore.mini.evaluation.faithfulness import prompts_of
from sdexplore.model.loading.load_pipeline import load
from sdexplore.model.runs.classifier_guidance import GuideFunction, GuideStep
from sdexplore.model.runs.run_pipeline import run
from sdexplore.trace.record import Record

SIDE = 16
"""The guide looks at layers of this side, as Chefer et al. do."""
SCALE = 50.0
_BARE = Record(cross_attention=False, noise_pred=False, latents=False, decode=0)
_DRAWS = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Neglect(Shown):
    """Which named things were found in the pictures of the same prompts and seeds, without and with the guide.

    Attributes:
        before, after: Whether each thing that a prompt names was found.
        steps, guidance_scale, scale: The settings of the runs; `scale` is `guide_scale`.
    """

    before: Bool[np.ndarray, "prompt thing"]
    after: Bool[np.ndarray, "prompt thing"]
    steps: int
    guidance_scale: float
    scale: float

    @property
    def difference(self) -> tuple[float, float, float]:
        """How much more of the named things is found with the guide; and its 95 % interval, by drawing prompts anew."""
        each = self.after.mean(axis=1) - self.before.mean(axis=1)
        drawn = np.random.default_rng(0).integers(0, len(each), (_DRAWS, len(each)))
        low, high = np.quantile(each[drawn].mean(axis=1), (0.025, 0.975))
        return float(each.mean()), float(low), float(high)

    def blocks(self) -> Sequence[Block]:
        """What was found, what came and what went."""
        rows = [
            (name, f"{found.mean():.2f}", f"{found.all(axis=1).mean():.2f}")
            for name, found in (("without", self.before), ("with the guide", self.after))
        ]
        came, went = int((self.after & ~self.before).sum()), int((self.before & ~self.after).sum())
        return (
            Line(
                f"Named things found in {len(self.before)} pairs of pictures: {self.steps} steps, guidance "
                f"{self.guidance_scale:g}, guide_scale {self.scale:g}, threshold {THRESHOLD}",
                strong=True,
            ),
            Table(("", "share of things found", "share of pictures with all"), rows),
            Line(
                f"of {int((~self.before).sum())} neglected things {came} were found with the guide; of "
                f"{int(self.before.sum())} found ones {went} were not"
            ),
            Line("difference of the shares {:+.3f}, 95 % interval {:+.3f} to {:+.3f}".format(*self.difference)),
        )


def excite(words: Sequence[str], until: int, side: int = SIDE) -> GuideFunction:
    """A guide that lifts, up to step `until`, the highest attention to the word that has the lowest (their Eq. 1)."""

    def guide(step: GuideStep) -> torch.Tensor | None:
        if step.step >= until:
            return None
        highest = [step.attention(word, layers=side).amax(dim=(1, 2)) for word in words]
        return torch.stack(highest).amin(dim=0) - 1

    return guide


def measure_neglect(
    *,
    prompts: int = 40,
    number: int = 4,
    steps: int = 8,
    guidance_scale: float = 5.0,
    scale: float = SCALE,
    seed: int = 0,
) -> Neglect:
    """Draws each prompt twice with the embedded model.

    Raises:
        SdexploreError: There is nothing to draw.
    """
    if prompts < 1 or number < 1 or steps < 1:
        raise SdexploreError(f"cannot draw {prompts} prompts of {number} things in {steps} steps; give at least one")
    pipe = load()
    pipe.set_progress_bar_config(disable=True)
    found: list[list[np.ndarray]] = [[], []]
    for place, (prompt, things) in enumerate(prompts_of(number, prompts, seed)):
        for number_of, guide in enumerate((None, excite(things, (steps + 1) // 2))):
            trace = run(
                pipe,
                prompt,
                seed=seed + place,
                record=_BARE,
                guide=guide,
                guide_scale=scale,
                num_inference_steps=steps,
                guidance_scale=guidance_scale,
            )
            scores = presence(np.asarray(trace.image)[None])[0]
            found[number_of].append(np.array([scores[THINGS.index(thing)] >= THRESHOLD for thing in things]))
    before, after = (np.stack(one) for one in found)
    return Neglect(before, after, steps, guidance_scale, scale)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.neglected_things",
        description="Measures whether a guide that looks at attention brings neglected things back.",
    )
    parser.add_argument("--prompts", type=int, default=40, help="each is drawn twice")
    parser.add_argument("--things", type=int, default=4, help="that a prompt names")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--scale", type=float, default=SCALE, help="guide_scale")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    try:
        found = measure_neglect(
            prompts=chosen.prompts, number=chosen.things, steps=chosen.steps, scale=chosen.scale, seed=chosen.seed
        )
    except SdexploreError as error:
        parser.error(str(error))
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
