"""Regions and segmentation against slow implementations that share nothing with those tested."""

import dataclasses

import numpy as np
import pytest
import synthetic
from synthetic import FACTOR, X, Y
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.analysis.region import region_mask, region_weights
from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text.tokenization import Tokenizations

HIGH, WIDE = FACTOR * Y, FACTOR * X
WORDS = ("a", "cat", "and", "rocketship")


def slow_weights(mask, shape):
    """Each cell of the grid is cut into so many parts that every part lies in one cell of the mask."""
    found = np.zeros(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            rows = (np.arange(row * mask.shape[0], (row + 1) * mask.shape[0]) // shape[0]).astype(int)
            columns = (np.arange(column * mask.shape[1], (column + 1) * mask.shape[1]) // shape[1]).astype(int)
            found[row, column] = np.mean([[mask[y, x] for x in columns] for y in rows])
    return found


@pytest.mark.parametrize("size", [(HIGH, WIDE), (Y, X), (5, 7), (1, 1), (13, 3), (100, 200)])
def test_a_mask_of_any_size_is_laid_over_the_picture(trace, size):
    mask = np.random.default_rng(0).random(size) < 0.4
    mask[0, 0] = True
    np.testing.assert_allclose(region_weights(trace, mask, (Y, X)), slow_weights(mask, (Y, X)), atol=1e-6)


@pytest.mark.parametrize(
    "box",
    [(0, 0, WIDE, HIGH), (0, 0, 1, 1), (WIDE - 1, HIGH - 1, WIDE, HIGH), (8, 16, 24, 32), (3, 5, 50, 51)],
)
def test_a_box_is_the_mask_of_its_pixels(trace, box):
    left, top, right, bottom = box
    mask = np.zeros((HIGH, WIDE), bool)
    mask[top:bottom, left:right] = True
    np.testing.assert_array_equal(region_mask(trace, box), mask)
    found = sdx.region_words(trace, box)
    assert found.area == pytest.approx(mask.mean())
    for same in (mask, list(box)):
        np.testing.assert_equal(vars(sdx.region_words(trace, same)), vars(found))  # NaN equals NaN here


def test_a_box_between_pixels_takes_its_share_of_them(trace):
    weights = region_mask(trace, (1.5, 0.0, 3.25, 0.5))
    np.testing.assert_allclose(weights[0, :5], [0, 0.25, 0.5, 0.125, 0])
    assert weights.sum() == pytest.approx(1.75 * 0.5)


def test_words_are_ranked_by_their_mean_inside(trace):
    found = sdx.region_words(trace, (48, 40, 96, 64))
    weights = np.zeros((Y, X))
    weights[5:, 6:] = 1
    expected = {}
    for word in WORDS:
        pixels = sdx.word_map(trace, word).astype(float)
        expected[word] = ((pixels * weights).sum() / 18, (pixels * (1 - weights)).sum() / (96 - 18))
    assert found.words == tuple(sorted(WORDS, key=lambda word: -expected[word][0]))
    np.testing.assert_allclose(found.inside, [expected[word][0] for word in found.words], rtol=1e-5)
    np.testing.assert_allclose(found.outside, [expected[word][1] for word in found.words], rtol=1e-5)
    np.testing.assert_allclose(found.ratio, np.divide(found.inside, found.outside), rtol=1e-6)
    assert found.area == pytest.approx(18 / 96)


def test_the_bright_pixel_is_looked_at_for_its_word(trace):
    (y, x), others = synthetic.BRIGHT, {"a", "rocketship", "and"}
    bright = sdx.region_words(trace, (FACTOR * x, FACTOR * y, FACTOR * (x + 1), FACTOR * (y + 1)))
    assert bright.words[0] == "cat"
    assert bright.ratio[0] > 2
    assert all(ratio < 1 for word, ratio in zip(bright.words, bright.ratio, strict=True) if word in others)


def test_the_whole_picture_has_no_outside(trace):
    for size in ((HIGH, WIDE), (5, 7), (61, 83), (100, 200)):  # the last two are 1 but for rounding
        found = sdx.region_words(trace, np.ones(size, bool))
        assert np.isnan(found.outside).all()
        assert np.isnan(found.ratio).all()
        assert found.area == 1.0
        assert "nan" not in repr(found)
    assert repr(found).splitlines()[0] == "Words that this region looks at (100.0% of the picture)"


def test_a_word_that_nothing_outside_looks_at_has_an_infinite_ratio():
    assert sdx.region_words(synthetic.trace(), (0, 0, 8, 8), ["cat"]).ratio[0] < np.inf
    found = dataclasses.replace(sdx.region_words(synthetic.trace(), (0, 0, 8, 8), "cat"), outside=(0.0,))
    assert found.ratio == (float("inf"),)


def test_roles_steps_layers_heads_and_words_are_word_map_s():
    trace = synthetic.trace(heads=True, columns="all")
    kwargs = {"role": "uncond", "steps": [1, 2], "layers": "up_blocks", "heads": 1}
    found = sdx.region_words(trace, (0, 0, 8, 8), 2, **kwargs)
    assert found.words == ("position 2",)
    assert found.inside[0] == pytest.approx(sdx.word_map(trace, 2, **kwargs)[0, 0], rel=1e-5)
    assert set(sdx.region_words(trace, (0, 0, 8, 8), role="uncond").words) == {"blurry", "picture"}
    assert sdx.region_words(trace, (0, 0, 8, 8), ["a cat", (5, 6)]).words == ("a cat", "positions 5, 6")


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((5, 5, 5, 9), "the box (5, 5, 5, 9) is not (left, top, right, bottom) inside a picture 96 wide and 64 high"),
        ((0, 0, 97, 64), "the box (0, 0, 97, 64) is not"),
        ((0, 0, 64, 96), "the box (0, 0, 64, 96) is not"),
        ((-1, 0, 4, 4), "the box (-1, 0, 4, 4) is not"),
        ((0, 0, float("nan"), 4), "the box (0, 0, nan, 4) is not"),
        ((1, 2, 3), "a region is a box (left, top, right, bottom) or a boolean mask, not (1, 2, 3)"),
        (np.zeros((4, 4), bool), "this region is empty: it holds no pixel of the picture"),
        (np.zeros((0, 0), bool), "this region is empty"),
        (np.ones((4, 4), np.uint8), "a mask is boolean (Y, X); this is uint8 of shape (4, 4)"),
        (np.ones((4, 4, 3), bool), "a mask is boolean (Y, X); this is bool of shape (4, 4, 3)"),
    ],
)
def test_what_is_no_region_is_said(trace, region, message):
    with pytest.raises(TraceError) as raised:
        sdx.region_words(trace, region)
    assert str(raised.value).startswith(message)


def test_a_box_needs_a_picture_and_a_mask_does_not():
    blind = synthetic.trace(image=None)
    with pytest.raises(TraceError, match="a box is in pixels of the picture, and this trace has none; give a mask"):
        sdx.region_words(blind, (0, 0, 4, 4))
    assert sdx.region_words(blind, np.ones((2, 3), bool)).area == 1.0


def test_words_and_prompts_that_are_not_there_are_said(trace):
    with pytest.raises(TokenError, match="no word 'cats' in the prompt; did you mean 'cat'"):
        sdx.region_words(trace, (0, 0, 4, 4), ["cats"])
    blind = synthetic.trace(tokens={})
    with pytest.raises(TraceError, match="there is no prompt for 'cond' to take words from; name positions"):
        sdx.region_words(blind, (0, 0, 4, 4))
    assert sdx.region_words(blind, (0, 0, 4, 4), [2, 3]).words[0].startswith("position ")


def test_a_region_shows_itself_escaped():
    text = "</script> cat"
    trace = synthetic.trace(prompt=text, tokens={"cond": Tokenizations({"tokenizer": synthetic.tokenization(text)})})
    found = sdx.region_words(trace, (0, 0, 8, 8), ["</script> cat"])
    assert "</script>" in repr(found)
    assert "&lt;/script&gt;" in found._repr_html_()
    assert "<script" not in found._repr_html_()
    assert repr(found).splitlines()[1].split("  ")[0].strip() == "word"


# segmentation


def slow_segmentation(trace, words, **kwargs):
    maps = [sdx.word_map(trace, word, **kwargs).astype(float) for word in words]
    winner, margin = np.zeros((Y, X), int), np.zeros((Y, X))
    for y in range(Y):
        for x in range(X):
            ranked = sorted(((m[y, x] / m.max(), -i) for i, m in enumerate(maps)), reverse=True)
            winner[y, x] = -ranked[0][1]
            margin[y, x] = (ranked[0][0] - ranked[1][0]) / (ranked[0][0] + ranked[1][0])
    return winner, margin


@pytest.mark.parametrize("kwargs", [{}, {"steps": 2}, {"layers": "mid_block"}, {"layers": 12, "steps": (0, 1)}])
def test_the_winner_and_its_margin(trace, kwargs):
    for words in (WORDS, ("cat", "and")):
        found = sdx.segmentation(trace, list(words), **kwargs)
        winner, margin = slow_segmentation(trace, words, **kwargs)
        np.testing.assert_array_equal(found.winner, winner)
        np.testing.assert_allclose(found.margin, margin, atol=1e-5)
        assert found.words == words
        assert ((found.margin >= 0) & (found.margin <= 1)).all()


def test_masks_of_all_words_cover_the_picture_once(trace):
    found = sdx.segmentation(trace)
    assert found.words == WORDS
    np.testing.assert_array_equal(np.sum([found.mask(word) for word in WORDS], axis=0), 1)
    assert found.mask("cat")[synthetic.BRIGHT]
    with pytest.raises(TraceError, match="'dog' did not compete; these did: 'a', 'cat', 'and', 'rocketship'"):
        found.mask("dog")


def test_equal_words_tie_and_nothing_competes_with_itself(trace):
    tie = sdx.segmentation(trace, ["cat", 2])
    assert (tie.winner == 0).all()
    assert (tie.margin == 0).all()
    for words in (["cat"], "cat", ["cat", "cat"]):
        with pytest.raises(
            TraceError, match=r"segmentation needs two different words or more to compete; this is \['cat'\]"
        ):
            sdx.segmentation(trace, words)


def test_a_segmentation_shows_shares_and_margins(trace):
    found = sdx.segmentation(trace, ["cat", "and"])
    lines = repr(found).splitlines()
    assert lines[0] == f"Which of 2 words wins at each of {Y} × {X} pixels"
    share, margin = found.mask("cat").mean(), found.margin[found.mask("cat")].mean()
    assert any(line.split() == ["cat", f"{share:.1%}", f"{margin:.2f}"] for line in lines)
    assert "<table" in found._repr_html_()
    loser = dataclasses.replace(found, winner=np.zeros((Y, X), int))
    assert repr(loser).splitlines()[-1].split() == ["and", "0.0%", "–"]


def test_users_without_the_type_checker_get_the_same_messages(trace):
    regions = unchecked("analysis.region")
    with pytest.raises(TraceError, match="a mask is boolean"):
        regions.region_words(trace, np.ones((4, 4)))
    for region in (5, "left", ("a", "b", "c", "d"), [[True, False]]):
        with pytest.raises(TraceError, match=r"a region is a box .* or a boolean mask, not"):
            regions.region_mask(trace, region)
