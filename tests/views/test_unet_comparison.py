"""The U-Net of 2015 beside a UNet of today."""

import numpy as np
import pytest
from artists import again, equal, panels, texts
from tiny_pipelines import stable_diffusion

import sdexplore as sdx


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def test_two_unets_stand_side_by_side(pipe):
    found = sdx.pipeline_architecture(pipe).beside_2015
    picture = sdx.views.unet_comparison(found)
    left, right = panels(picture)
    assert len(left.patches) == 9
    assert len(right.patches) == 5
    wide = [patch.get_width() for patch in left.patches]
    channels = [64, 64, 128, 128, 256, 256, 512, 512, 1024]
    np.testing.assert_allclose(np.square(wide) / wide[-1] ** 2, np.array(channels) / 1024)
    written = texts(picture)
    assert "64 ch\n572² → 568²" in written
    assert "32 ch, 8×8\n1 res\n1 self + 1 cross" in written
    equal(picture, again(picture, pipe=pipe))


def test_the_levels_of_each_unet_are_joined_to_a_u(pipe):
    picture = sdx.views.unet_comparison(sdx.pipeline_architecture(pipe).beside_2015)
    for ax, levels in zip(panels(picture), (4, 2), strict=True):
        joined = [text for text in ax.texts if getattr(text, "arrow_patch", None) and text.xyann[0] == text.xy[0]]
        down = [text for text in joined if text.xy[1] < text.xyann[1]]
        assert (len(down), len(joined)) == (levels - 1, 2 * levels - 1)  # and one up from the bottom
        lowest = min(patch.get_y() for patch in ax.patches)
        assert [patch.get_y() for patch in ax.patches].count(lowest) == 1
