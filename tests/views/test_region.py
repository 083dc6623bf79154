"""Which words a part of the picture looks at, as bars."""

import numpy as np
import pytest
import synthetic
from artists import again, equal, panels, shown
from matplotlib.patches import Rectangle
from synthetic import X, Y

import sdexplore as sdx
from sdexplore import views


@pytest.fixture(scope="module")
def trace():
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1"
    return synthetic.trace(self_attention={"cond": {layer: synthetic.self_attention()}})


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
