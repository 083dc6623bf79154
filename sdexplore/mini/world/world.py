"""The emoji world: captioned scenes of glyphs and tinted shapes, and the mask of every word.

A scene is at most four sprites over a background. Its captions name the things, their places and the style. Every
sprite has an alpha channel, so the true mask of each word is known. With these masks one can check where the attention
of a model trained on the scenes lies.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageFilter

from sdexplore.base.display import Block, Line, Shown, Table
from sdexplore.base.errors import SdexploreError, did_you_mean
from sdexplore.mini.world.atlas import Atlas, load_atlas
from sdexplore.mini.world.backgrounds import SIZE, background
from sdexplore.mini.world.layouts import Phrase, Sprite, chance, draw_layout
from sdexplore.mini.world.vocabulary import BACKGROUNDS, FILLERS, PLACE_WORDS, PLACES, STYLES

GROUND = "<ground>"
"""The key of the background in what `spans` and `render` return."""

MONO, SEPIA = (255, 255, 255), (250, 215, 165)
"""RGB of white in the gray styles: the colour of the paper."""

Span: TypeAlias = tuple[int, int]
"""The first character, and the one after the last."""


@dataclass(frozen=True, repr=False)
class Scene(Shown):
    """The things of one picture, and the captions that describe it.

    Attributes:
        background: One of vocabulary.BACKGROUNDS.
        style: A key of vocabulary.STYLES.
        sprites: The things, back to front.
        captions: Sentences; each describes the whole scene.
        spelled: Word of a sprite → its spelling in the captions: "cat", or "cats" where there are several.
        parts: Caption → two spans of characters: the one that names the sprites, and the one that names the
            background. A span is empty where the caption does not name the background.
    """

    background: str
    style: str
    sprites: tuple[Sprite, ...]
    captions: tuple[str, ...]
    spelled: Mapping[str, str]
    parts: Mapping[str, tuple[Span, Span]]

    def blocks(self) -> Sequence[Block]:
        """The captions, then one row for each sprite."""
        rows = [
            (
                sprite.thing.word,
                f"{sprite.x:.0f}",
                f"{sprite.y:.0f}",
                f"{sprite.size:.0f}",
                "flipped" if sprite.flipped else "",
            )
            for sprite in self.sprites
        ]
        return (
            Line(f"Scene on {self.background}, as {self.style}", strong=True),
            *(Line(f"“{caption}”") for caption in self.captions),
            Table(("word", "x", "y", "size", ""), rows, frozenset(("x", "y", "size"))),
        )


def sample(rng: random.Random, captions: int = 2) -> Scene:
    """Draws one random scene.

    Args:
        rng: The generator. `random.Random(7)` always draws the same scene, then its next one.
        captions: Number of captions, 0 or more; two may be equal.
    """
    place = rng.choice(BACKGROUNDS) if chance(rng, 0.5) else rng.choice(("white", *PLACES))
    style = "photo" if chance(rng, 0.82) else rng.choice(("pixel", "mono", "sepia", "blur"))
    layout = draw_layout(rng)
    written = [_caption(style, layout.phrase, place, rng) for _ in range(captions)]
    words = (sprite.thing.word for sprite in layout.sprites)
    return Scene(
        background=place,
        style=style,
        sprites=layout.sprites,
        captions=tuple(text for text, _ in written),
        spelled={word: layout.spelled.get(word, word) for word in words},
        parts=dict(written),
    )


def spans(scene: Scene, caption: str) -> dict[str, Span]:
    """Returns where a caption names the things that have a mask: word or GROUND → (start, end) in characters.

    A word that means two sprites is found where it stands first. The background is missing where the caption does not
    name it; the sprites are always named.

    Raises:
        SdexploreError: The scene does not have this caption.
    """
    if caption not in scene.parts:
        raise SdexploreError(f"the scene has no caption {caption!r}; {did_you_mean(caption, scene.captions)}")
    named, ground = scene.parts[caption]
    found = dict(_find(scene.spelled, caption, named))
    plain = (f"{scene.background} background", scene.background)
    grounds = PLACE_WORDS.get(scene.background, plain)
    ordered = {word: found[word] for word in scene.spelled if word in found}
    for _, span in _find({word: word for word in grounds}, caption, ground):
        ordered.setdefault(GROUND, span)
    return ordered


def render(
    scene: Scene, rng: random.Random, atlas: Atlas | None = None
) -> tuple[UInt8[np.ndarray, "256 256 3"], dict[str, Float32[np.ndarray, "256 256"]]]:
    """Draws the scene's picture, and the mask of each word and of GROUND.

    This function is the reference. `training.rendering.Renderer` draws many scenes at once, with small differences.

    Args:
        scene: The scene to draw.
        rng: Draws the details of the background.
        atlas: The tiles to draw with; None takes the package's own.

    Returns:
        The picture (RGB, y before x), and word → mask. A mask is the share of each pixel that shows the word's sprites,
        0 to 1, before the style is applied. The masks of a scene sum to 1, except where a sprite covers another one
        with the same word.

    Raises:
        SdexploreError: No background or style has this name.
    """
    if scene.style not in STYLES:
        raise SdexploreError(f"no style {scene.style!r}; {did_you_mean(scene.style, STYLES)}")
    tiles = load_atlas() if atlas is None else atlas
    picture = Image.fromarray(background(scene.background, rng)).convert("RGBA")
    masks: dict[str, np.ndarray] = {GROUND: np.ones((SIZE, SIZE), np.float32)}
    for sprite in scene.sprites:
        layer = _layer(sprite, tiles)
        picture = Image.alpha_composite(picture, layer)
        alpha = np.asarray(layer)[..., 3].astype(np.float32) / 255
        masks = {word: mask * (1 - alpha) for word, mask in masks.items()}
        word = sprite.thing.word
        masks[word] = np.maximum(masks[word], alpha) if word in masks else alpha
    return np.asarray(_stylize(picture.convert("RGB"), scene.style)), masks


def _caption(style: str, phrase: Phrase, place: str, rng: random.Random) -> tuple[str, tuple[Span, Span]]:
    """One caption, and the spans that name the sprites and the background."""
    text, ground = rng.choice(STYLES[style]), (0, 0)
    if chance(rng, 0.06):
        filler = rng.choice(FILLERS)
        text, _ = _append(text, f"{filler}," if chance(rng, 0.3) else filler)
    text, named = _append(text, phrase(rng))
    if chance(rng, 0.08):
        text, _ = _append(text, rng.choice(FILLERS))
    if chance(rng, 0.85):
        often = f"on a {place} background"
        plain = (often, f"on {place}", f"with a {place} background", often)
        text, ground = _append(text, rng.choice(PLACES.get(place, plain)))
    if chance(rng, 0.12):
        text = ", ".join((text, *rng.sample(FILLERS, rng.choice((1, 2)))))
    return text, (named, ground)


def _append(text: str, part: str) -> tuple[str, Span]:
    joined = f"{text} {part}" if text else part
    return joined, (len(joined) - len(part), len(joined))


def _find(spelled: Mapping[str, str], caption: str, part: Span) -> Iterator[tuple[str, Span]]:
    """Finds words in a part of the caption, and their spans.

    Longer words come first, and each is deleted where it was found. So "bear" is not found in "teddy bear", nor
    "orange" in "orange circle".
    """
    rest = caption[slice(*part)].lower()
    for word in sorted(spelled, key=lambda word: len(spelled[word]), reverse=True):
        pattern = re.compile(rf"\b{re.escape(spelled[word])}\b")
        if match := pattern.search(rest):
            yield word, (part[0] + match.start(), part[0] + match.end())
            rest = pattern.sub(lambda found: " " * len(found[0]), rest)


def _layer(sprite: Sprite, tiles: Atlas) -> Image.Image:
    """The sprite alone, on a transparent canvas."""
    tile = tiles[sprite.thing.tile].copy()
    if sprite.thing.tint is not None:
        tinted = tile[..., :3].astype(np.float32) * np.array(sprite.thing.tint) / 255
        tile[..., :3] = tinted.astype(np.uint8)
    side = round(sprite.size)
    sized = Image.fromarray(tile).resize((side, side), Image.Resampling.BILINEAR)
    if sprite.flipped:
        sized = sized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    corner = (round(sprite.x - sprite.size / 2), round(sprite.y - sprite.size / 2))
    canvas.paste(sized, corner)
    return canvas


def _stylize(picture: Image.Image, style: str) -> Image.Image:
    match style:
        case "pixel":
            coarse = picture.resize((32, 32), Image.Resampling.BOX)
            return coarse.resize((SIZE, SIZE), Image.Resampling.NEAREST)
        case "blur":
            return picture.filter(ImageFilter.GaussianBlur(6))
        case "mono" | "sepia":
            gray = np.asarray(picture.convert("L"))[..., None].astype(np.float32) / 255
            paper = np.array(MONO if style == "mono" else SEPIA)
            return Image.fromarray((gray * paper).astype(np.uint8))
    return picture
