"""Where pixels looked at other pixels, as it is drawn."""

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError


@pytest.fixture(scope="module")
def trace():
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1"
    return synthetic.trace(self_attention={"cond": {layer: synthetic.self_attention()}})


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
    assert f"Pixel (3, 1), marked, looks most at {expected.max():.3g}" in picture.alt
    with pytest.raises(TraceError, match="there is no pixel \\(4, 0\\) on a grid of 4 × 6"):
        views.self_attention(trace, 6, pixel=(4, 0))
