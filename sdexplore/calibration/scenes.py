"""The scenes that a calibration measures with; no training used one of them."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from .. import mini
from ..text.tokenization import Tokenization
from ..text.words import Span


@dataclass(frozen=True)
class CalibrationScene:
    """A picture, its caption, and where the picture shows each thing that the caption names.

    Attributes:
        number: From 0.
        picture: RGB, 256 × 256.
        caption: Describes it.
        spans: Word, or mini.GROUND → characters of the caption.
        masks: The same keys → share of each pixel that shows the thing, 0 to 1.
    """

    number: int
    picture: UInt8[np.ndarray, "256 256 3"]
    caption: str
    spans: Mapping[str, Span]
    masks: Mapping[str, Float32[np.ndarray, "256 256"]]


def draw_scenes(number: int, seed: int) -> Iterator[CalibrationScene]:
    """The first scenes of a seed, one after the other.

    The trainings seeded their generators with whole numbers (1000 and up), their measurements with 777. These
    generators are seeded with text, of which Python makes another state (by SHA-512) for every `seed`. Backgrounds are
    painted for each scene, while the trainings used 48 of each kind.
    """
    for scene in range(number):
        rng = random.Random(f"calibration {seed} scene {scene}")  # noqa: S311  (scenes, not secrets)
        drawn = mini.sample(rng, 1)
        picture, masks = mini.render(drawn, rng)
        (caption,) = drawn.captions
        yield CalibrationScene(scene, picture, caption, mini.spans(drawn, caption), masks)


def positions_in(tokens: Tokenization, span: Span) -> tuple[int, ...]:
    """Positions of the tokens that spell these characters of the prompt; empty where they were cut off."""
    start, stop = span
    return tuple(
        token.position
        for token in tokens.tokens
        if token.position is not None and token.span and token.span[0] < stop and token.span[1] > start
    )


def other_span(scene: CalibrationScene, name: str, tokens: Tokenization) -> Span | None:
    """Another word to compare with: the next thing that the scene names, else a word of the caption, drawn by lot."""
    named = [span for other, span in scene.spans.items() if other != name]
    if named:
        return named[0]
    start, stop = scene.spans[name]
    rest = [word.span for word in tokens.words if word.span[1] <= start or word.span[0] >= stop]
    return random.Random(f"other word {scene.number} {name}").choice(rest) if rest else None  # noqa: S311
