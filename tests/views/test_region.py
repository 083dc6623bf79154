"""Views of regions, pixels and segments: what stands in the axes is what analysis found."""

import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, legend, panels, same_scale, shown
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from synthetic import X, Y

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.figures.colours import PALETTE


@pytest.fixture(scope="module")
def trace():
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1"
    return synthetic.trace(self_attention={"cond": {layer: synthetic.self_attention()}})


# region


def test_a_region_is_framed_and_its_words_are_ranked_bars(trace):
    box = (48, 40, 96, 64)
    picture = views.region(trace, box)
    found = sdx.region_words(trace, box)
    left, right = panels(picture)
    np.testing.assert_array_equal(shown(left)[0], trace.image)
    veil = shown(left)[1][..., 3]
    assert (veil[40:64, 48:96] == 0).all()
    assert (veil > 0).sum() == 64 * 96 - 24 * 48
    (frame,) = (patch for patch in left.patches if isinstance(patch, Rectangle))
    assert frame.get_bbox().extents.tolist() == [47.5, 39.5, 95.5, 63.5]
    assert [label.get_text() for label in right.get_yticklabels()] == list(found.words)
    assert right.yaxis_inverted()
    for container, values in zip(right.containers, (found.inside, found.outside), strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in container], values)
    printed = [text.get_text() for text in right.texts]
    assert printed == [f"{value:.3g}" for value in (*found.inside, *found.outside)]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["inside", "outside"]
    assert right.get_xlim()[0] == 0.0
    assert left.get_xlabel() == f"region: {found.area:.1%} of the picture"
    assert f"mean probability inside: {found.words[0]} {found.inside[0]:.3g}" in picture.alt


def test_a_mask_is_laid_over_the_picture_at_its_size(trace):
    mask = np.zeros((Y, X), bool)
    mask[:2, :3] = True
    picture = views.region(trace, mask, ["cat", "and"])
    left, _ = panels(picture)
    veil = left.get_images()[1]
    assert veil.get_extent() == [-0.5, 95.5, 63.5, -0.5] == left.get_images()[0].get_extent()
    np.testing.assert_array_equal(np.asarray(veil.get_array())[..., 3] == 0, mask)
    assert not left.patches
    equal(picture, again(picture, trace=trace, mask=mask))
    assert shown(panels(views.region(synthetic.trace(image=None), mask))[0])[0].shape == (Y, X)


def test_a_whole_picture_has_no_bar_outside(trace):
    _, right = panels(views.region(trace, (0, 0, 96, 64), ["cat"]))
    assert [text.get_text() for text in right.texts][1] == "–"
    assert right.containers[1][0].get_width() == 0


# self-attention


def test_components_stand_beside_the_picture_on_one_signed_scale(trace):
    picture = views.self_attention(trace, 6, components=5)
    axes = [ax for ax in panels(picture) if shown(ax)]
    vectors = sdx.self_attention_components(trace, 6, components=5)
    assert [ax.get_title() for ax in axes] == ["picture", *(f"component {n}" for n in range(1, 6))]
    np.testing.assert_array_equal(shown(axes[0])[0], trace.image)
    for ax, vector in zip(axes[1:], vectors, strict=True):
        np.testing.assert_array_equal(shown(ax)[0], vector)
    reach = np.abs(vectors).max()
    same_scale([image for ax in axes[1:] for image in heat_maps(ax)], -reach, reach)
    assert [bar.get_ylabel() for bar in bars(picture)] == ["component (unit length)"]
    assert picture.figure.get_suptitle().endswith("self-attention of cond, mean over steps, 4 × 6")


def test_a_pixel_is_marked_on_the_picture_and_on_its_map(trace):
    picture = views.self_attention(trace, 6, pixel=(3, 1), components=2, steps=-1)
    image, looked = panels(picture)[:2]
    expected = sdx.pixel_map(trace, (3, 1), 6, steps=5)
    np.testing.assert_array_equal(shown(looked)[0], expected)
    np.testing.assert_array_equal(picture.data["pixel"], expected)
    same_scale(heat_maps(looked), 0.0, expected.max())
    assert looked.get_xlabel() == f"0 to {expected.max():.3g}"
    assert looked.get_title() == "pixel (3, 1) looks at"
    assert image.get_images()[0].get_extent() == [-0.5, 5.5, 3.5, -0.5]
    for ax in (image, looked):
        (mark,) = ax.patches
        assert mark.get_bbox().extents.tolist() == [0.5, 2.5, 1.5, 3.5]
    assert "step 5" in picture.figure.get_suptitle()
    assert f"Pixel (3, 1) peaks at {expected.max():.3g}" in picture.alt
    with pytest.raises(TraceError, match="there is no pixel \\(4, 0\\) on a grid of 4 × 6"):
        views.self_attention(trace, 6, pixel=(4, 0))


# segmentation


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
