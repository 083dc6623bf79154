"""What is selected of a trace: numpy's whole numbers are whole numbers, and equal words have one name."""

import numpy as np
import pytest
import synthetic
from synthetic import DOWN
from unchecked import unchecked

from sdexplore import views
from sdexplore.analysis.attention import word_map
from sdexplore.analysis.region import region_words
from sdexplore.analysis.selection import Selection, words_of
from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text.tokenization import Tokenizations

ONE, TWO = np.int64(1), np.uint8(2)


@pytest.fixture(scope="module")
def trace():
    """Each head of every layer."""
    return synthetic.trace(heads=True, columns="all", dtype=np.float32)


@pytest.mark.parametrize(
    ("numpys", "plain"),
    [
        ({"steps": ONE}, {"steps": 1}),
        ({"steps": [ONE, -TWO.astype(np.int8)]}, {"steps": [1, -2]}),
        ({"steps": slice(ONE, None)}, {"steps": slice(1, None)}),
        ({"heads": ONE}, {"heads": 1}),
        ({"heads": (np.int32(0), ONE)}, {"heads": (0, 1)}),
        ({"layers": np.int64(12)}, {"layers": 12}),
        ({"layers": [np.int64(12), "mid_block"]}, {"layers": [12, "mid_block"]}),
        ({"occurrence": ONE}, {"occurrence": 1}),
    ],
)
def test_numpys_whole_numbers_select_as_pythons(trace, numpys, plain):
    np.testing.assert_array_equal(word_map(trace, "a", **numpys), word_map(trace, "a", **plain))
    assert repr(Selection(**numpys).given) == repr(Selection(**plain).given)  # lines of code show it


@pytest.mark.parametrize("positions", [TWO, [TWO, np.int64(3)], (np.int64(3), 2)])
def test_numpys_whole_numbers_are_positions(trace, positions):
    wanted = [int(one) for one in np.atleast_1d(positions)]
    expected = word_map(trace, wanted)
    np.testing.assert_array_equal(word_map(trace, positions), expected)
    blind = synthetic.trace(heads=True, columns="all", dtype=np.float32, tokens={})
    np.testing.assert_array_equal(word_map(blind, positions), expected)
    assert "np." not in views.attention(trace, positions).call


@pytest.mark.parametrize("given", [2.0, "2", None])
def test_what_is_no_whole_number_is_no_position(trace, given):
    layer = next(iter(trace.cross_attention["cond"].values()))
    asked = unchecked("analysis.selection").Selection()
    for one in (trace, synthetic.trace(tokens={})):
        with pytest.raises((TokenError, TraceError), match=f"a position is a whole number, not {given!r}"):
            asked.positions(one, layer, [given])


def test_equal_words_are_named_as_they_are_typed_first():
    prompt = "A Cat and a cat and a CAT"
    trace = synthetic.trace(
        prompt=prompt, tokens={"cond": Tokenizations({"tokenizer": synthetic.tokenization(prompt)})}
    )
    assert words_of(trace, "cond", None) == ("A", "Cat", "and")
    layer = {"cond": {DOWN: synthetic.attention((8, 12), columns="all")}}
    ranked = region_words(synthetic.trace(prompt=prompt, tokens=trace.tokens, cross_attention=layer), (0, 0, 9, 9))
    assert set(ranked.words) == {"A", "Cat", "and"}
