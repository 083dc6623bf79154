"""The parts of a scene: words, tiles and backgrounds."""

import random
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from sdexplore.base.errors import LoadError
from sdexplore.mini import draw_atlas, load_atlas
from sdexplore.mini.world import atlas, vocabulary
from sdexplore.mini.world.backgrounds import background
from sdexplore.mini.world.vocabulary import BACKGROUNDS, NAMES, SHAPES


def test_the_tables_fit_the_atlas():
    assert len(NAMES) == 171
    assert len(BACKGROUNDS) == 23
    tiles = load_atlas()
    assert tiles.shape == (len(NAMES) + len(SHAPES), 128, 128, 4)
    assert tiles[..., 3].reshape(len(tiles), -1).max(1).min() == 255  # every tile shows something
    with pytest.raises(ValueError, match="read-only"):
        tiles[0] = 0
    names = [name for synonyms in NAMES for name in synonyms]
    assert len(names) == len(set(names))


def test_words_are_spelled_as_english_has_them():
    said = [vocabulary.article(noun) for noun in ("owl", "unicorn", "ufo", "scissors", "cat")]
    assert said == ["an owl", "a unicorn", "a ufo", "scissors", "a cat"]
    counted = [vocabulary.plural(noun) for noun in ("mouse", "palm tree", "glasses", "teddy bear", "cross")]
    assert counted == ["mice", "palm trees", "glasses", "teddy bears", "crosses"]


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_drawn_as_the_package_carries_them(shape):
    drawn = atlas.draw_shape(shape)
    shipped = load_atlas()[len(NAMES) + SHAPES.index(shape)]
    assert np.abs(drawn.astype(int) - shipped).mean() < 0.5


def test_a_font_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LoadError, match=r"'.*nowhere\.ttf'.*NotoColorEmoji"):
        draw_atlas(tmp_path / "nowhere.ttf")
    broken = tmp_path / "broken.ttf"
    broken.write_text("no font")
    with pytest.raises(LoadError, match="or use load_atlas"):
        draw_atlas(broken)


def test_a_font_without_colored_glyphs_is_refused():
    plain = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    with pytest.raises(LoadError, match=r"does not draw .* as one glyph in colour"):
        draw_atlas(plain)


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_backgrounds_vary_and_come_again(kind):
    first, again, other = (background(kind, random.Random(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    flat = np.ptp(first.reshape(-1, 3), axis=0).max() == 0
    assert flat == (kind in vocabulary.COLORS)
