"""A run on one page: tokens, noise, predicted x0, picture, and the maps of words over it."""

import numpy as np
import pytest
import synthetic
from artists import again, equal, panels, shown

import sdexplore as sdx
from sdexplore.base.errors import TokenError, TraceError


def titles(picture):
    return [ax.get_title() for ax in panels(picture) if ax.get_title()]


def test_a_story_goes_from_noise_over_x0_to_the_picture_and_the_words(trace):
    picture = sdx.views.story(trace, ["cat", "rocketship"])
    assert titles(picture) == ["x_t, step 0", "x0, step 0", "x0, step 3", "x0, step 5", "picture", "cat", "rocketship"]
    film = [ax for ax in panels(picture) if ax.get_title()]
    np.testing.assert_array_equal(shown(film[0])[0], trace.decoded[0])
    np.testing.assert_array_equal(shown(film[2])[0], trace.decoded_x0[3])
    np.testing.assert_array_equal(picture.data["image"], trace.image)
    np.testing.assert_allclose(picture.data["attention/cat"], sdx.word_map(trace, "cat"))
    assert "cat peaks at" in picture.alt
    assert picture.figure.get_figwidth() == 7.5
    equal(picture, again(picture, trace=trace))


def test_a_word_has_one_colour_around_its_tokens_and_its_map(trace):
    picture = sdx.views.story(trace, ["cat"])
    assert picture.call == sdx.views.story(trace, "cat").call
    chips = {text.get_text(): text.get_bbox_patch() for ax in panels(picture) for text in ax.texts}
    (around,) = (patch for ax in panels(picture) if ax.get_title() == "cat" for patch in ax.patches)
    assert chips["cat"].get_edgecolor() == around.get_edgecolor()
    assert chips["and"].get_edgecolor() != around.get_edgecolor()


def test_what_a_trace_does_not_hold_is_left_out():
    bare = synthetic.trace(cross_attention={}, image=None, decoded={}, decoded_x0={})
    picture = sdx.views.story(bare)
    assert "attention" not in picture.alt
    assert "linear preview" in picture.alt
    assert titles(picture)[0] == "x_t, step 0"
    assert "picture" not in titles(picture)


def test_a_run_without_a_prompt_has_a_story_too():
    picture = sdx.views.story(synthetic.trace(cross_attention={}, tokens={}))
    assert "token" not in picture.alt
    assert "no prompt" in picture.alt
    assert "token" not in picture.caption
    assert titles(picture)[-1] == "picture"


def test_a_story_refuses_what_it_cannot_tell(trace):
    with pytest.raises(TokenError, match="'bird'"):
        sdx.views.story(trace, ["bird"])
    with pytest.raises(TraceError, match=r"story\(words=.*one to 6"):
        sdx.views.story(trace, ["cat"] * 7)
    with pytest.raises(TraceError, match="leave words out"):
        sdx.views.story(synthetic.trace(cross_attention={}), ["cat"])
    with pytest.raises(TraceError, match=r"'invert'.*denoising"):
        sdx.views.story(trace.altered(kind="invert"))
