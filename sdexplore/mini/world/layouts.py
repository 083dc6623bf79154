"""Where the things of a scene stand, and which phrase names them: one thing, equal things, two in a relation, or three.

Every layout draws from the generator in a fixed order. The order is part of the world: the same seed always gives the
same scene.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from sdexplore.mini.world.backgrounds import SIZE, Pixels
from sdexplore.mini.world.vocabulary import COLORS, COUNTS, NAMES, SHAPES, article, plural

Phrase: TypeAlias = Callable[[random.Random], str]
"""Draws one phrase that names the things of the scene; called once for each caption."""

Spot: TypeAlias = tuple[float, float, float]
"""Where a sprite stands: x, y, size."""


@dataclass(frozen=True)
class Thing:
    """A thing that can stand in a scene.

    Attributes:
        tile: Index into the atlas.
        tint: RGB that multiplies the tile of a shape; None for glyphs.
        word: The noun without its article: "cat", "red circle".
    """

    tile: int
    tint: tuple[int, int, int] | None
    word: str


@dataclass(frozen=True)
class Sprite:
    """A thing at its place in a scene.

    Attributes:
        thing: What it is.
        x: Centre, in pixels from the left.
        y: Centre, in pixels from the top.
        size: Height and width of the tile, in pixels.
        flipped: Whether left and right are exchanged.
    """

    thing: Thing
    x: Pixels
    y: Pixels
    size: Pixels
    flipped: bool


@dataclass(frozen=True)
class Layout:
    """Sprites back to front, the phrase that names them, and the words that it spells differently ("cats")."""

    sprites: tuple[Sprite, ...]
    phrase: Phrase
    spelled: dict[str, str] = field(default_factory=dict)


def chance(rng: random.Random, share: float) -> bool:
    """Returns True with probability `share`."""
    return rng.random() < share


def draw_layout(rng: random.Random) -> Layout:
    """Draws one random layout."""
    roll = rng.random()
    kinds = ((0.36, _one), (0.46, _several), (0.86, _pair), (1.0, _three))
    return next(draw for below, draw in kinds if roll < below)(rng)


def _thing(rng: random.Random) -> Thing:
    if chance(rng, 0.22):
        shape, color = rng.randrange(len(SHAPES)), rng.choice(list(COLORS))
        return Thing(len(NAMES) + shape, COLORS[color], f"{color} {SHAPES[shape]}")
    tile = rng.randrange(len(NAMES))
    names = NAMES[tile]
    return Thing(tile, None, names[0] if chance(rng, 0.75) else rng.choice(names))


def _sprite(thing: Thing, x: float, y: float, size: float, rng: random.Random) -> Sprite:
    return Sprite(thing, x, y, size, chance(rng, 0.3))


def _place(rng: random.Random, sizes: Sequence[float]) -> list[Spot] | None:
    """Spots that do not overlap; None where the first ones leave no room for the rest."""
    spots: list[Spot] = []
    for size in sizes:
        for _ in range(60):
            x, y = rng.uniform(size / 2, SIZE - size / 2), rng.uniform(size / 2, SIZE - size / 2)
            if all(_apart(x, y, size, other) for other in spots):
                spots.append((x, y, size))
                break
        else:
            return None
    return spots


def _scatter(rng: random.Random, sizes: Sequence[float]) -> list[Spot]:
    spots = None
    while spots is None:
        spots = _place(rng, sizes)
    return spots


def _apart(x: float, y: float, size: float, other: Spot) -> bool:
    distance = (size + other[2]) / 2 * 0.92 + 4
    return abs(x - other[0]) > distance or abs(y - other[1]) > distance


def _fixed(text: str, _: random.Random) -> str:
    return text


# Rolls below this number; the range of sizes; the adjectives for them.
_SIZES: tuple[tuple[float, tuple[float, float], tuple[str, ...]], ...] = (
    (0.1, (48, 72), ("tiny", "small")),
    (0.2, (190, 240), ("big", "large", "huge")),
    (1.0, (95, 185), ()),
)
_MOVABLE = 130  # larger things do not fit into one half of the picture


def _one(rng: random.Random) -> Layout:
    thing = _thing(rng)
    roll = rng.random()
    sizes, adjectives = next((sizes, words) for below, sizes, words in _SIZES if roll < below)
    size = rng.uniform(*sizes)
    adjective = f"{rng.choice(adjectives)} " if adjectives else ""
    x, y = rng.uniform(size / 2, SIZE - size / 2), rng.uniform(size / 2, SIZE - size / 2)
    where = ""
    if chance(rng, 0.12) and size < _MOVABLE:
        side = rng.choice(["left", "right", "top", "bottom", "center"])
        x = {"left": SIZE * 0.25, "right": SIZE * 0.75}.get(side, SIZE / 2)
        y = {"top": SIZE * 0.27, "bottom": SIZE * 0.73}.get(side, SIZE / 2)
        where = {"top": " at the top", "bottom": " at the bottom", "center": " in the center"}.get(
            side, f" on the {side}"
        )
    sprite = _sprite(thing, x, y, size, rng)
    text = article(adjective + thing.word) + where
    return Layout((sprite,), partial(_fixed, text))


def _several(rng: random.Random) -> Layout:
    number = rng.choice([2, 3, 4])
    thing = _thing(rng)
    size = {2: 100, 3: 84, 4: 76}[number] * rng.uniform(0.85, 1.1)
    spots = _scatter(rng, [size] * number)
    sprites = tuple(_sprite(thing, *spot, rng) for spot in spots)
    # The plural of a shape changes its last word ("red circles"), the plural of a glyph its whole name.
    color, _, noun = thing.word.rpartition(" ") if thing.tint else ("", "", thing.word)
    counted = f"{color} {plural(noun)}".lstrip()
    phrase = partial(_fixed, f"{COUNTS[number]} {counted}")
    return Layout(sprites, phrase, {thing.word: counted})


_RELATIONS = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "riding": ("riding", "on top of"),
}


def _pair(rng: random.Random) -> Layout:
    things = (_thing(rng), _thing(rng))
    relation = rng.choice(["and", "and", "and", "left", "right", "above", "below", "riding"])
    spots = _pair_spots(relation, rng)
    order = (1, 0) if relation == "riding" else (0, 1)
    sprites = tuple(_sprite(things[k], *spots[k], rng) for k in order)
    first, second = (article(thing.word) for thing in things)
    return Layout(sprites, partial(_related, relation, first, second))


def _related(relation: str, first: str, second: str, rng: random.Random) -> str:
    if relation == "and":
        one, other = (first, second) if chance(rng, 0.5) else (second, first)
        return f"{one} {rng.choice(['and', 'and', 'next to', 'with'])} {other}"
    if chance(rng, 0.15):
        return f"{first} and {second}"
    return f"{first} {rng.choice(_RELATIONS[relation])} {second}"


def _pair_spots(relation: str, rng: random.Random) -> list[Spot]:
    """(x, y, size) of the first thing and of the second."""
    sizes = (rng.uniform(78, 122), rng.uniform(78, 122))
    if relation == "and":
        return _scatter(rng, sizes)
    if relation == "riding":
        rider, mount = rng.uniform(75, 95), rng.uniform(115, 150)
        x, ground = rng.uniform(85, 171), SIZE * 0.70
        return [(x, ground - mount * 0.42 - rider * 0.22, rider), (x, ground, mount)]
    low, high = SIZE * 0.26, SIZE * 0.74
    along = (low, high) if relation in ("left", "above") else (high, low)
    across = rng.uniform(70, 186)
    if relation in ("left", "right"):
        return [
            (place + rng.uniform(-6, 6), across + rng.uniform(-12, 12), size)
            for place, size in zip(along, sizes, strict=True)
        ]
    return [
        (across + rng.uniform(-12, 12), place + rng.uniform(-6, 6), size)
        for place, size in zip(along, sizes, strict=True)
    ]


def _three(rng: random.Random) -> Layout:
    things = [_thing(rng) for _ in range(3)]
    spots = None
    while spots is None:
        spots = _place(rng, [rng.uniform(64, 92) for _ in range(3)])
    sprites = tuple(_sprite(thing, *spot, rng) for thing, spot in zip(things, spots, strict=True))
    return Layout(sprites, partial(_listed, [article(thing.word) for thing in things]))


def _listed(nouns: Sequence[str], rng: random.Random) -> str:
    one, two, three = rng.sample(nouns, 3)
    return f"{one}, {two} and {three}" if chance(rng, 0.7) else f"{one} and {two} and {three}"
