"""Thousands of scenes as arrays, with their captions as CLIP's tokens. This module does not import torch.

The words and the background of a scene are its *groups*. Groups 0 to 3 are the words of the sprites, in the order of
the sprites; group 4 is the background. A group links tokens to the mask of the thing that they name.
"""

import functools
import random
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int8, Int16, Int32
from tokenizers import Tokenizer

from sdexplore.mini.world.vocabulary import BACKGROUNDS, FILLERS, STYLES
from sdexplore.mini.world.world import GROUND, Scene, sample, spans

TOKENIZER = Path(__file__).parents[1] / "pipeline" / "tokenizer" / "tokenizer.json"
START, END = 49406, 49407
TOKENS = 77
VOCABULARY_SIZE = 49408
SPRITES = 4
GROUPS = SPRITES + 1
GROUND_GROUP = SPRITES
VARIANTS = 48
"""Number of renderings of each background."""

FIRST_SEED, HELD_OUT_SEED = 1000, 777
"""Scenes to train on have seeds from the first one upwards. The second is for measurements only."""

_STYLE_IDS = {style: number for number, style in enumerate(STYLES)}
_LINKS = ("and", "next to", "with", "a", "an", ",", "on", "background", "in", "the", "at")

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SceneTable:
    """Scenes as arrays, one row for each scene.

    Attributes:
        sprites: Back to front: tile, x, y, size (pixels), flipped (0, 1), tint (RGB, 0 to 255),
            present (0, 1).
        sprite_groups: The group of each sprite.
        backgrounds: Index into BACKGROUNDS, and the number of the variant.
        styles: Index into STYLES.
        input_ids: Captions as tokens: START, words, then END in all other places.
        token_groups: The group that a token names; -1 for none.
    """

    sprites: Float32[np.ndarray, "scene 4 9"]
    sprite_groups: Int8[np.ndarray, "scene 4"]
    backgrounds: Int16[np.ndarray, "scene 2"]
    styles: Int8[np.ndarray, " scene"]
    input_ids: Int32[np.ndarray, "scene caption 77"]
    token_groups: Int8[np.ndarray, "scene caption 77"]

    def __len__(self) -> int:
        return len(self.sprites)

    @classmethod
    def empty(cls, scenes: int, captions: int) -> "SceneTable":
        """Returns rows to fill in: no sprites, empty captions."""
        input_ids = np.full((scenes, captions, TOKENS), END, np.int32)
        input_ids[..., 0] = START
        return cls(
            sprites=np.zeros((scenes, SPRITES, 9), np.float32),
            sprite_groups=np.zeros((scenes, SPRITES), np.int8),
            backgrounds=np.zeros((scenes, 2), np.int16),
            styles=np.zeros(scenes, np.int8),
            input_ids=input_ids,
            token_groups=np.full((scenes, captions, TOKENS), -1, np.int8),
        )

    @classmethod
    def joined(cls, tables: Sequence["SceneTable"]) -> "SceneTable":
        """Returns one table with the rows of all."""
        columns = (np.concatenate([getattr(table, column.name) for table in tables]) for column in fields(cls))
        return cls(*columns)


@dataclass(frozen=True)
class Draw:
    """Settings from which a table is drawn.

    Attributes:
        seed: Seed of the generator. Trainings use FIRST_SEED and above, never HELD_OUT_SEED.
        scenes: Number of rows.
        captions: Number of captions for each scene.
        variants: Number of renderings of each background to choose from.
        known: Tokens that captions of the world can hold. If they are given, one caption in ten gets up to four other
            tokens, so that the model learns to ignore them.
    """

    seed: int
    scenes: int
    captions: int = 2
    variants: int = VARIANTS
    known: Collection[int] | None = None


def draw_table(draw: Draw) -> SceneTable:
    """Draws random scenes. Equal settings give equal tables."""
    rng = random.Random(draw.seed)  # noqa: S311  (scenes, not secrets)
    table = SceneTable.empty(draw.scenes, draw.captions)
    for row in range(draw.scenes):
        scene = sample(rng, draw.captions)
        words = list(scene.spelled)
        table.backgrounds[row] = (
            BACKGROUNDS.index(scene.background),
            rng.randrange(draw.variants),
        )
        table.styles[row] = _STYLE_IDS[scene.style]
        for place, sprite in enumerate(scene.sprites[:SPRITES]):
            tint = sprite.thing.tint or (255, 255, 255)
            table.sprites[row, place] = (
                *(sprite.thing.tile, sprite.x, sprite.y, sprite.size, sprite.flipped),
                *(*tint, 1),
            )
            table.sprite_groups[row, place] = words.index(sprite.thing.word)
        for number, caption in enumerate(scene.captions):
            tokens, groups = _tokens(scene, caption, words)
            if draw.known is not None and rng.random() < 0.1:  # noqa: PLR2004  (one in ten)
                _mix_in(tokens, groups, draw.known, rng)
            end = 1 + min(len(tokens), TOKENS - 2)
            table.input_ids[row, number, 1:end] = tokens[: end - 1]
            table.token_groups[row, number, 1:end] = groups[: end - 1]
    return table


def known_tokens(scenes: int = 40_000) -> frozenset[int]:
    """Returns the tokens of the captions of many random scenes."""
    rng = random.Random(1)  # noqa: S311  (scenes, not secrets)
    texts = {*FILLERS, *_LINKS}
    for _ in range(scenes):
        texts.update(sample(rng, 2).captions)
    encoded = _tokenizer().encode_batch(sorted(texts), add_special_tokens=False)
    return frozenset((START, END)).union(*(text.ids for text in encoded))


def spread(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int = 0) -> list[Result]:
    """Returns the function's result for each job, in order. `workers` processes compute it; 0 computes it here."""
    if not workers:
        return [function(job) for job in jobs]
    chunk = max(1, len(jobs) // (8 * workers))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, jobs, chunksize=chunk))


@functools.cache
def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _tokens(scene: Scene, caption: str, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """The tokens of a caption, and the group that each of them names."""
    encoded = _tokenizer().encode(caption, add_special_tokens=False)
    groups = [-1] * len(encoded.ids)
    for word, (start, end) in spans(scene, caption).items():
        for position, (first, last) in enumerate(encoded.offsets):
            if first < end and last > start:
                groups[position] = GROUND_GROUP if word == GROUND else words.index(word)
    return list(encoded.ids), groups


def _mix_in(tokens: list[int], groups: list[int], known: Collection[int], rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        token = rng.randrange(300, 49_000)
        if token not in known:
            position = rng.randint(0, len(tokens))
            tokens.insert(position, token)
            groups.insert(position, -1)
