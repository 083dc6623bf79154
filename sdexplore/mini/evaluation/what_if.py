"""What attribution and kept attention are worth: `python -m sdexplore.mini.evaluation.what_if --json measured.json`.

**Attribution.** Scenes are drawn whose masks are known (`calibration.scenes`), each is noised to one timestep and
looked at once, and one of its things is taken by lot. Each method of `sdx.attribution` scores the caption's words for
the region of the thing's mask. The thing's own word should come first. Chance is one by the number of words. Articles
and prepositions are not asked about, which raises chance. Where a scene has several things, the
thing's word is also compared with those of the other things alone: a method that prefers nouns everywhere gains nothing
there.

**Keep.** A prompt names two things, the next one has another thing in the place of the first. Both begin with the same
noise, and the second is drawn as it is, with the attention of the first (`sdx.Keep`), and blended too. The classifier
of the emoji world says where it sees things, in 16 × 16 cells. Overlap is Σ min / Σ max of the shares of two pictures.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from sdexplore import mini
from sdexplore.analysis.bootstrap import clustered_mean
from sdexplore.base.display import Block, Line, Shown, Table
from sdexplore.base.errors import SdexploreError
from sdexplore.calibration.scenes import CalibrationScene, draw_scenes
from sdexplore.calibration.scoring import mask_on
from sdexplore.changes.change import Change
from sdexplore.changes.keep import Keep
from sdexplore.mini.evaluation.classifier import CELLS, THINGS, THRESHOLD, load_classifier, presence, shrunk
from sdexplore.mini.world.vocabulary import PLACES, SHAPES, article
from sdexplore.model.experiments.attribution import attribution
from sdexplore.model.experiments.look_and_invert import look
from sdexplore.model.loading.load_pipeline import load
from sdexplore.model.runs.run_pipeline import run
from sdexplore.records.attribution import METHODS
from sdexplore.trace.collections import Traces
from sdexplore.trace.record import Record

TIMESTEP = 400
SMALL_WORDS = frozenset({"a", "an", "the", "of", "on", "in", "at", "with", "and", "to"})
"""Words of captions that are not asked about."""
MOST = 6
"""Captions with more words to ask about are passed over, which keeps each method to one batch."""
STEPS, GUIDANCE = 8, 5.0
WAYS = ("plain", "keep", "blend")

_BARE = Record(cross_attention=False, noise_pred=False, latents=False, decode=0)
_SEEN = 0.1  # from this share on, a cell belongs to a thing that changes


@dataclass(frozen=True)
class Scored:
    """What the methods said about the region of one thing.

    Attributes:
        scene: Its number.
        words: That were asked about.
        thing: Place of the thing's own word among them.
        things: Places of all words that name things.
        scores: Method → one a word.
    """

    scene: int
    caption: str
    words: tuple[str, ...]
    thing: int
    things: tuple[int, ...]
    scores: Mapping[str, tuple[float, ...]]

    def first(self, method: str, among: Sequence[int] | None = None) -> bool:
        """Whether the thing's word has the highest score, of all words or `among` some."""
        scores = self.scores[method]
        return max(range(len(scores)) if among is None else among, key=scores.__getitem__) == self.thing


@dataclass(frozen=True)
class Kept:
    """What the second picture of a pair has of the first.

    Attributes:
        other: Overlap of the thing that both prompts name; None where the first picture does not show it.
        place: Overlap of the new thing with the one it replaces; None where the first picture does not show that.
        apart: Root mean square of the pixels' difference, of 1, outside the cells of both; None where nothing is.
        drawn: Whether the new thing is found.
    """

    other: float | None
    place: float | None
    apart: float | None
    drawn: bool


@dataclass(frozen=True)
class Pair:
    """Two prompts and what each of WAYS kept."""

    source: str
    prompt: str
    seed: int
    kept: Mapping[str, Kept]


@dataclass(frozen=True, repr=False)
class WhatIf(Shown):
    """All that was measured; the tables are made from it."""

    scored: tuple[Scored, ...]
    pairs: tuple[Pair, ...]

    def blocks(self) -> Sequence[Block]:
        """A table of methods, what knock-out says beside occlusion, and a table of ways to draw the second prompt."""
        found: list[Block] = []
        if self.scored:
            found += self._of_methods()
        if self.pairs:
            found += self._of_pairs()
        return found

    def _of_methods(self) -> list[Block]:
        several = [one for one in self.scored if len(one.things) > 1]
        rows: list[tuple[str, str, str]] = []
        for method in METHODS:
            every = clustered_mean(
                [float(one.first(method)) for one in self.scored], [one.scene for one in self.scored]
            )
            among = "–"
            if several:
                right = [float(one.first(method, one.things)) for one in several]
                among = str(clustered_mean(right, [one.scene for one in several]))
            rows.append((method, str(every), among))
        chance = np.mean([1 / len(one.words) for one in self.scored])
        among = f"{np.mean([1 / len(one.things) for one in several]):.2f}" if several else "–"
        rows.append(("chance", f"{chance:.2f}", among))
        headers = ("", f"first of all words ({len(self.scored)} scenes)", f"first of the things ({len(several)})")
        table: list[Block] = [
            Line(f"Whether the word of a known thing comes first for the thing's region, t = {TIMESTEP}", strong=True),
            Table(headers, rows, frozenset(headers[1:])),
        ]
        pairs = [tuple(one.scores[method][one.thing] for method in ("knock-out", "occlusion")) for one in self.scored]
        ratios = [gone / left_out for gone, left_out in pairs if left_out]
        if not ratios:
            return table
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        return [
            *table,
            Line(
                f"without its columns, the thing's word changes {middle:.2f} of what the prompt without it changes "
                f"(median; half of the scenes lie between {low:.2f} and {high:.2f})"
            ),
        ]

    def _of_pairs(self) -> list[Block]:
        rows = [(way, *(self._mean(way, name) for name in ("other", "place", "apart", "drawn"))) for way in WAYS]
        headers = ("", "other thing: overlap", "new on old thing: overlap", "difference elsewhere", "new thing found")
        return [
            Line(
                f"What the second picture keeps of the first: {len(self.pairs)} pairs, {STEPS} steps, guidance "
                f"{GUIDANCE:g}, 95 % intervals over pairs",
                strong=True,
            ),
            Table(headers, rows, frozenset(headers[1:])),
        ]

    def _mean(self, way: str, name: str) -> str:
        values = [(pair.seed, getattr(pair.kept[way], name)) for pair in self.pairs]
        known = [(seed, float(value)) for seed, value in values if value is not None]
        if not known:
            return "–"
        return f"{clustered_mean([value for _, value in known], [seed for seed, _ in known])}"

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self), indent=None)

    @classmethod
    def from_json(cls, text: str) -> "WhatIf":
        """What `to_json` wrote."""
        read = json.loads(text)
        scored = [Scored(**_with_tuples({**one, "scores": _with_tuples(one["scores"])})) for one in read["scored"]]
        pairs = [
            Pair(**{**one, "kept": {way: Kept(**kept) for way, kept in one["kept"].items()}}) for one in read["pairs"]
        ]
        return cls(tuple(scored), tuple(pairs))


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def score_scenes(pipe: Any, scenes: int, seed: int = 777) -> Iterator[Scored]:  # noqa: ANN401  (any pipeline)
    """Asks every method about one thing of each of so many scenes; scenes that do not qualify are passed over."""
    passed = 0
    for scene in draw_scenes(10 * scenes, seed):
        words = _words(scene)
        seen = [name for name in words.values() if name and mask_on(scene.masks[name], (32, 32)) is not None]
        if not seen or not 1 < len(words) <= MOST:
            continue
        passed += 1
        yield _scored(pipe, scene, words, random.Random(f"thing {seed} {scene.number}").choice(seen), seed)  # noqa: S311
        if passed == scenes:
            return


def _words(scene: CalibrationScene) -> dict[str, str]:
    """Word or phrase of the caption → the thing that it names, or "" if it names none."""
    things = {scene.caption[slice(*span)]: name for name, span in scene.spans.items() if name != mini.GROUND}
    rest = scene.caption
    for name, (start, stop) in scene.spans.items():
        if name != mini.GROUND:
            rest = rest[:start] + " " * (stop - start) + rest[stop:]
    others = [word.strip(",.") for word in rest.split()]
    found = dict.fromkeys((word for word in others if word and word.lower() not in SMALL_WORDS), "")
    return {**found, **things}


def _scored(
    pipe: Any,  # noqa: ANN401  (any pipeline)
    scene: CalibrationScene,
    words: Mapping[str, str],
    thing: str,
    seed: int,
) -> Scored:
    trace = look(pipe, scene.picture, scene.caption, t=TIMESTEP, seed=seed + scene.number, record=Record(decode=0))
    if isinstance(trace, Traces):
        raise SdexploreError("look gave several traces for one timestep")
    region, names = scene.masks[thing] > 0.5, list(words)  # noqa: PLR2004  (a pixel that shows more of it than not)
    scores: dict[str, tuple[float, ...]] = {
        method: tuple(
            float(one) for one in attribution(pipe, trace, names, region=region, step=0, method=method).scores
        )
        for method in METHODS
    }
    things = tuple(place for place, name in enumerate(words.values()) if name)
    return Scored(scene.number, scene.caption, tuple(names), list(words.values()).index(thing), things, scores)


def draw_pairs(pipe: Any, pairs: int, seed: int = 0) -> Iterator[Pair]:  # noqa: ANN401  (any pipeline)
    """Draws each pair of prompts: the first one, and the second in each of WAYS."""
    rng = random.Random(f"what if {seed}")  # noqa: S311  (prompts, not secrets)
    singles = [thing for thing in THINGS if " " not in thing and thing not in SHAPES]
    for number in range(pairs):
        old, new, other = rng.sample(singles, 3)
        place = PLACES[rng.choice(list(PLACES))][0]
        source, prompt = (f"a photo of {article(one)} and {article(other)} {place}" for one in (old, new))
        changes: dict[str, Change | None] = {
            "plain": None,
            "keep": Keep(source),
            "blend": Keep(source, blend=(old, new)),
        }
        before = _picture(pipe, source, seed + number, None)
        kept = {
            way: compared(before, _picture(pipe, prompt, seed + number, change), old, new, other)
            for way, change in changes.items()
        }
        yield Pair(source, prompt, seed + number, kept)


def _picture(pipe: Any, prompt: str, seed: int, change: Change | None) -> UInt8[np.ndarray, "Y X 3"]:  # noqa: ANN401
    trace = run(
        pipe,
        prompt,
        seed=seed,
        record=_BARE,
        change=change,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
    )
    return np.asarray(trace.image)


def compared(
    before: UInt8[np.ndarray, "Y X 3"], after: UInt8[np.ndarray, "Y X 3"], old: str, new: str, other: str
) -> Kept:
    """What the second of two pictures has of the first; `new` is named in the place of `old`, `other` in both."""
    cells, found = _cells(np.stack([before, after])), presence(np.stack([before, after]))
    first, second = ({name: one[THINGS.index(name)] for name in (old, new, other)} for one in cells)
    there = {name: found[0, THINGS.index(name)] >= THRESHOLD for name in (old, other)}
    changed = np.kron(np.maximum(first[old], second[new]) > _SEEN, np.ones((before.shape[0] // CELLS,) * 2)) > 0
    difference = np.square(before.astype(np.float64) - after).mean(axis=2)[~changed]
    return Kept(
        other=_overlap(first[other], second[other]) if there[other] else None,
        place=_overlap(first[old], second[new]) if there[old] else None,
        apart=float(np.sqrt(difference.mean())) / 255 if difference.size else None,
        drawn=bool(found[1, THINGS.index(new)] >= THRESHOLD),
    )


@torch.no_grad()
def _cells(pictures: UInt8[np.ndarray, "picture Y X 3"]) -> Float[np.ndarray, "picture thing row column"]:
    """The share of each cell that shows each thing."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    shares: np.ndarray = load_classifier()(shrunk(pixels)).softmax(1)[:, :-1].numpy()
    return shares


def _overlap(one: Float[np.ndarray, "row column"], two: Float[np.ndarray, "row column"]) -> float:
    return float(np.minimum(one, two).sum() / np.maximum(one, two).sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.evaluation.what_if",
        description="Measures attribution on scenes whose masks are known, and what Keep keeps.",
    )
    parser.add_argument("--scenes", type=int, default=100, help="for attribution; some 4 s each")
    parser.add_argument("--pairs", type=int, default=17, help="of prompts for Keep; some 14 s each")
    parser.add_argument("--json", type=Path, help="where all that was measured goes, which WhatIf.from_json reads")
    chosen = parser.parse_args(arguments)
    if min(chosen.scenes, chosen.pairs) < 0 or not chosen.scenes + chosen.pairs:
        parser.error(f"cannot measure --scenes {chosen.scenes} and --pairs {chosen.pairs}; give at least one")
    pipe = load()
    pipe.set_progress_bar_config(disable=True)
    scored: list[Scored] = []
    pairs: list[Pair] = []
    try:
        for one in score_scenes(pipe, chosen.scenes) if chosen.scenes else ():
            scored.append(one)
            _save(scored, pairs, chosen.json)
        for pair in draw_pairs(pipe, chosen.pairs):
            pairs.append(pair)
            _save(scored, pairs, chosen.json)
    except SdexploreError as error:
        parser.error(str(error))
    sys.stdout.write(f"{WhatIf(tuple(scored), tuple(pairs))}\n")


def _save(scored: Sequence[Scored], pairs: Sequence[Pair], to: Path | None) -> None:
    """After each of them, so that a run that is stopped leaves what it has."""
    if to is not None:
        to.write_text(WhatIf(tuple(scored), tuple(pairs)).to_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
