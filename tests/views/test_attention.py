"""Where words looked, over the picture and bare: what stands in the axes is what was recorded."""

from dataclasses import replace

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TokenError, TraceError


def test_attention_draws_each_word_s_map_bare_and_over_the_picture(trace):
    picture = views.attention(trace, ["cat", "rocketship"])
    assert list(picture.data) == ["cat", "rocketship"]
    over, bare = panels(picture)[:3], panels(picture)[3:]
    assert len(bare) == 3
    assert [ax.get_title() for ax in over] == ["picture", "cat", "rocketship"]
    np.testing.assert_array_equal(shown(over[0])[0], trace.image)
    assert shown(bare[0]) == []
    for column, word in enumerate(("cat", "rocketship"), start=1):
        expected = sdx.word_map(trace, word)
        np.testing.assert_array_equal(picture.data[word], expected)
        np.testing.assert_array_equal(shown(bare[column])[0], expected)
        below, above = shown(over[column])
        np.testing.assert_array_equal(below, trace.image)
        np.testing.assert_allclose(above, expected)
        assert over[column].get_images()[1].get_alpha() == 0.6


def test_all_words_share_one_printed_scale_from_zero(trace):
    picture = views.attention(trace, ["cat", "rocketship", "and"])
    top = max(float(pixels.max()) for pixels in picture.data.values())
    same_scale([image for ax in panels(picture) for image in heat_maps(ax)], 0.0, top)
    (bar,) = bars(picture)
    assert bar.get_ylabel() == "attention probability"
    assert bar.get_ylim() == (0.0, pytest.approx(top))


def test_each_word_on_its_own_scale_has_it_printed_beneath(trace):
    picture = views.attention(trace, ["cat", "and"], scale="each")
    assert bars(picture) == []
    for column, word in enumerate(("cat", "and"), start=1):
        top = float(picture.data[word].max())
        over, bare = (panels(picture)[column + row * 3] for row in (0, 1))
        same_scale([*heat_maps(over), *heat_maps(bare)], 0.0, top)
        assert bare.get_xlabel() == f"0 to {top:.3g}"


def test_rows_are_named_and_the_names_can_be_seen(trace):
    axes = panels(views.attention(trace, ["cat"]))
    for ax, name in ((axes[0], "over the picture"), (axes[2], "latent grid")):
        assert ax.get_ylabel() == name
        assert ax.axison  # else its label is not drawn


def test_attention_says_what_it_averages_over(trace):
    title = views.attention(trace, ["cat"]).figure.get_suptitle()
    assert title == "“a cat and a rocketship”\nsynthetic, DDIM, seed 0\ncond, mean over 6 steps, 5 layers, all heads"
    part = views.attention(trace, ["cat"], steps=3, layers="mid_block")
    assert f"step 3, mean over {synthetic.MID}" in part.figure.get_suptitle()
    zeroed = synthetic.trace(provenance={"zeroed_roles": ["uncond"]})
    assert "embeddings are all zeros" in views.attention(zeroed, ["picture"], role="uncond").figure.get_suptitle()
    assert "zeros" not in views.attention(zeroed, ["cat"]).figure.get_suptitle()


def test_attention_takes_one_word_several_positions_or_every_word(trace):
    assert list(views.attention(trace, "cat").data) == ["cat"]
    assert list(views.attention(trace, 2).data) == ["position 2"]
    assert list(views.attention(trace, [2, (5, 6), "a cat"]).data) == ["position 2", "positions 5, 6", "a cat"]
    assert list(views.attention(trace).data) == ["a", "cat", "and", "rocketship"]
    assert list(views.attention(trace, role="uncond").data) == ["blurry", "picture"]
    many = synthetic.trace(prompt="b c d e f g h i j k", columns="all")
    assert len(views.attention(many).data) == 8


def test_attention_without_a_picture_is_bare_only():
    picture = views.attention(synthetic.trace(image=None), ["cat", "and"])
    assert len(panels(picture)) == 2
    assert [ax.get_title() for ax in panels(picture)] == ["cat", "and"]
    assert panels(picture)[0].get_ylabel() == "latent grid"


def test_attention_s_alt_text_says_where_it_peaks(trace):
    alt = views.attention(trace, ["cat"]).alt
    top = sdx.word_map(trace, "cat").max()
    assert "cross-attention to cat (cond, mean over 6 steps, 5 layers, all heads)" in alt
    assert f"scale from 0 to {top:.3g}" in alt
    assert alt.endswith(f"cat peaks at {top:.3g}, bottom right.")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"words": "cats"}, TokenError, "no word 'cats' in the prompt; did you mean 'cat'?"),
        ({"words": ()}, TraceError, "words=(): name at least one word of the prompt"),
        ({"words": "cat", "heads": 0}, TraceError, "heads=0: only their mean was recorded"),
        ({"words": "cat", "layers": 5}, TraceError, "no recorded layer of side 5"),
        ({"role": "perturbed"}, TraceError, "there is no prompt for 'perturbed' to take words from; name positions"),
        ({"words": 9}, TraceError, "position 9 was not recorded by itself"),
    ],
)
def test_attention_refuses_what_is_not_there(trace, kwargs, error, message):
    with pytest.raises(error) as raised:
        views.attention(trace, **kwargs)
    assert str(raised.value).startswith(message)


def test_attention_of_one_softmax_over_words_and_picture_is_named_joint():
    plain = synthetic.trace()
    layers = {
        name: replace(one, columns=(*one.columns[:-1], ())) for name, one in plain.cross_attention["cond"].items()
    }
    joint = replace(plain, cross_attention={"cond": layers})
    for view in (views.attention, views.attention_steps, views.attention_layers):
        assert "joint attention to cat" in view(joint, "cat").alt
        assert "cross-attention to cat" in view(plain, "cat").alt
    assert "joint attention of cond" in views.attention_mass(joint).alt
