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
    assert "32 ch, 8×8\n1 res + 1 self + 1 cross" in written
    equal(picture, again(picture, pipe=pipe))
