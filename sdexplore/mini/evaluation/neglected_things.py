"""Does moving latents towards neglected words help? `python -m sdexplore.mini.evaluation.neglected_things`.

A prompt that names four things is often drawn with two or three. After Attend-and-Excite (Chefer et al. 2023,
2301.13826), a guide moves the latents, in the first half of the steps, so that neglected words are looked at more. We
differ: the guide changes the noise prediction and not the latents, once a step; it lifts the logarithm of the mean of
the highest pixels of a word's map and not one pixel; its gradient is brought to one size; and it lifts the words alone
whose things are missing in the picture that was drawn without it.

Each prompt is drawn with the same seed without a guide, with it, and with a gradient of the same size in a direction by
lot, since of neglected things some come back by any change. The classifier of the emoji world looks for the named
things. All prompts count; where nothing is missing, all three pictures are the first.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from sdexplore.base.display import Block, Line, Shown, Table
from sdexplore.base.errors import SdexploreError
from sdexplore.mini.evaluation.classifier import THINGS, THRESHOLD, presence
from sdexplore.mini.evaluation.faithfulness import prompts_of, wilson
from sdexplore.model.loading.load_pipeline import load
from sdexplore.model.runs.classifier_guidance import GuideFunction, GuideStep
from sdexplore.model.runs.run_pipeline import run
from sdexplore.trace.record import Record

SCALE = 0.25
"""`guide_scale`: how much the noise prediction is changed, as a share of noise itself."""
HIGHEST = 12
"""Pixels of a map, of 1024, whose mean is lifted."""
_BARE = Record(cross_attention=False, noise_pred=False, latents=False, decode=0)
_DRAWS = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Neglect(Shown):
    """Which named things were found in the pictures of the same prompts and seeds.

    Attributes:
        before, after: Whether each thing that a prompt names was found without the guide, and with it.
        by_lot: The same with a direction by lot in place of the guide's.
        steps, guidance_scale, scale: The settings of the runs; `scale` is `guide_scale`.
    """

    before: Bool[np.ndarray, "prompt thing"]
    after: Bool[np.ndarray, "prompt thing"]
    by_lot: Bool[np.ndarray, "prompt thing"]
    steps: int
    guidance_scale: float
    scale: float

    def difference(self, other: Bool[np.ndarray, "prompt thing"]) -> tuple[float, float, float]:
        """How much more of the named things is found with the guide; and its 95 % interval, by drawing prompts anew."""
        each = self.after.mean(axis=1) - other.mean(axis=1)
        drawn = np.random.default_rng(0).integers(0, len(each), (_DRAWS, len(each)))
        low, high = np.quantile(each[drawn].mean(axis=1), (0.025, 0.975))
        return float(each.mean()), float(low), float(high)

    def _came(self, found: Bool[np.ndarray, "prompt thing"]) -> str:
        came, of = int((found & ~self.before).sum()), int((~self.before).sum())
        return "none of none" if not of else "{:.2f} ({:.2f} to {:.2f})".format(came / of, *wilson(came, of))

    def blocks(self) -> Sequence[Block]:
        """What was found, what came and what went."""
        ways = (("without", self.before), ("by lot", self.by_lot), ("with the guide", self.after))
        rows = [
            (
                name,
                *(f"{found.mean():.2f}", f"{found.all(axis=1).mean():.2f}"),
                *(str(int((found & ~self.before).sum())), str(int((self.before & ~found).sum()))),
            )
            for name, found in ways
        ]
        headers = ("", "things found", "pictures with all", "neglected ones that came", "found ones that went")
        return (
            Line(
                f"Named things found in pictures of {len(self.before)} prompts: {self.steps} steps, guidance "
                f"{self.guidance_scale:g}, guide_scale {self.scale:g}, threshold {THRESHOLD}",
                strong=True,
            ),
            Table(headers, rows, frozenset(headers[1:])),
            Line(
                f"of {self.before.size} things {int((~self.before).sum())} were neglected; with the guide came "
                f"{self._came(self.after)} of them, by lot {self._came(self.by_lot)} (95 %)"
            ),
            Line(
                "of all things the guide finds "
                f"{_shown(self.difference(self.before))} more than none, and "
                f"{_shown(self.difference(self.by_lot))} more than the lot"
            ),
        )


def _shown(difference: tuple[float, float, float]) -> str:
    middle, low, high = difference
    return f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"


def lift(words: Sequence[str], until: int) -> GuideFunction:
    """A guide that has words looked at more up to step `until`: a gradient whose root mean square is 1."""

    def guide(step: GuideStep) -> torch.Tensor | None:
        if step.step >= until or not words:
            return None
        maps = [step.attention(word).flatten(1) for word in words]
        highest = [one.topk(min(HIGHEST, one.shape[1])).values.mean(dim=1).log() for one in maps]
        (gradient,) = torch.autograd.grad(torch.stack(highest).sum(), step.latents)
        return _of_one_size(gradient)

    return guide


def by_lot(seed: int, until: int) -> GuideFunction:
    """A guide of the same size that leads nowhere."""

    def guide(step: GuideStep) -> torch.Tensor | None:
        if step.step >= until:
            return None
        generator = torch.Generator().manual_seed(1000 * seed + step.step)
        return _of_one_size(torch.randn(step.latents.shape, generator=generator))

    return guide


def _of_one_size(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / gradient.square().mean().sqrt()


def measure_neglect(
    *,
    prompts: int = 32,
    number: int = 4,
    steps: int = 8,
    guidance_scale: float = 5.0,
    scale: float = SCALE,
    seed: int = 0,
    first: int = 0,
) -> Neglect:
    """Draws each prompt up to three times with the embedded model.

    Args:
        first: Number of the prompt to begin with, so that several processes can share them.

    Raises:
        SdexploreError: There is nothing to draw.
    """
    if prompts < 1 or number < 1 or steps < 1:
        raise SdexploreError(f"cannot draw {prompts} prompts of {number} things in {steps} steps; give at least one")
    pipe = load()
    pipe.set_progress_bar_config(disable=True)
    found: list[list[np.ndarray]] = [[], [], []]
    for place, (prompt, things) in list(enumerate(prompts_of(number, first + prompts, seed)))[first:]:
        there = [_found(pipe, prompt, things, None, seed + place, steps, guidance_scale, 0.0)]
        if there[0].all():
            there *= 3
        else:
            until = (steps + 1) // 2
            missing = [thing for thing, drawn in zip(things, there[0], strict=True) if not drawn]
            for guide in (lift(missing, until), by_lot(seed + place, until)):
                there.append(_found(pipe, prompt, things, guide, seed + place, steps, guidance_scale, scale))
        for several, one in zip(found, there, strict=True):
            several.append(one)
    before, after, lot = (np.stack(one) for one in found)
    return Neglect(before, after, lot, steps, guidance_scale, scale)


def _found(
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    prompt: str,
    things: Sequence[str],
    guide: GuideFunction | None,
    seed: int,
    steps: int,
    guidance_scale: float,
    scale: float,
) -> Bool[np.ndarray, " thing"]:
    """Which of the things the classifier finds in one picture."""
    trace = run(
        pipe,
        prompt,
        seed=seed,
        record=_BARE,
        guide=guide,
        guide_scale=scale,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )
    scores = presence(np.asarray(trace.image)[None])[0]
    return np.array([scores[THINGS.index(thing)] >= THRESHOLD for thing in things])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.neglected_things",
        description="Measures whether a guide that looks at attention brings neglected things back.",
    )
    parser.add_argument("--prompts", type=int, default=32, help="each is drawn up to three times")
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
