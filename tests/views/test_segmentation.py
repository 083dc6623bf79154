"""Which word wins at each pixel, as colours."""

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, legend, panels, same_scale, shown
from matplotlib.colors import to_hex

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.figures.colours import PALETTE


@pytest.fixture(scope="module")
def trace():
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1"
    return synthetic.trace(self_attention={"cond": {layer: synthetic.self_attention()}})


def test_winners_have_the_legend_s_colours_and_the_margin_its_scale(trace):
    picture = views.segmentation(trace, ["cat", "and", "rocketship"])
    found = sdx.segmentation(trace, ["cat", "and", "rocketship"])
    image, winner, margin = panels(picture)
    np.testing.assert_array_equal(shown(image)[0], trace.image)
    np.testing.assert_array_equal(shown(winner)[0], found.winner)
    np.testing.assert_array_equal(shown(margin)[0], found.margin)
    same_scale(heat_maps(margin), 0.0, 1.0)
    (drawn,) = heat_maps(winner)
    for word, (text, colour) in zip(found.words, legend(picture).items(), strict=True):
        assert text == f"{word} {found.mask(word).mean():.0%}"
        assert to_hex(drawn.to_rgba(found.words.index(word))) == colour
    assert list(legend(picture).values()) == list(PALETTE[:3])
    assert [bar.get_ylabel() for bar in bars(picture)] == ["(first − second) / sum"]
    assert f"the margin is {np.median(found.margin):.2f} at the median" in picture.alt


def test_more_words_than_colours_are_refused():
    with pytest.raises(TraceError, match="segmentation: 9 words are more than the 8 colours that can be told apart"):
        views.segmentation(synthetic.trace(columns="all"), range(9))
    assert len(panels(views.segmentation(synthetic.trace(image=None)))) == 2


def test_of_a_long_prompt_no_word_is_dropped_unsaid(tiny):
    prompt = "one two three four five six seven eight nine ten eleven"
    long = sdx.run(tiny, prompt, num_inference_steps=1, record=sdx.Record(decode=0))
    assert set(sdx.region_words(long, (0, 0, 8, 8)).words) == set(prompt.split())
    assert sdx.segmentation(long).words == tuple(prompt.split())
    picture = views.region(long, (0, 0, 8, 8))
    assert len(panels(picture)[1].get_yticklabels()) == 11
    for picture in (views.attention(long), views.segmentation(long), views.attention_compare(long, long)):
        assert "the first 8 of 11 words" in picture.figure.get_suptitle()
        assert "nine" not in picture.alt.replace(prompt, "")
    np.testing.assert_array_equal(
        views.segmentation(long).data["winner"], sdx.segmentation(long, prompt.split()[:8]).winner
    )
    assert "of 11" not in views.attention(long, prompt.split()[:2]).figure.get_suptitle()
