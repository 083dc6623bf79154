"""The PNG encoder: Pillow reads back the very pixels, whatever their size and the level."""

import io

import numpy as np
import pytest
from PIL import Image

from sdexplore.base.png import KEPT, png


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (31, 64)])
@pytest.mark.parametrize("level", [1, KEPT, 9])
def test_pillow_reads_the_same_pixels(shape, level):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    with Image.open(io.BytesIO(png(pixels, level))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", shape[::-1])
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_pixels_that_lie_apart_in_memory_are_read_in_order():
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    with Image.open(io.BytesIO(png(pixels[::-2, 1::3]))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[::-2, 1::3])


def test_the_level_for_files_is_smaller():
    smooth = np.add.outer(np.arange(96), np.arange(96))[..., None].repeat(3, -1).astype(np.uint8)
    assert len(png(smooth, KEPT)) < len(png(smooth))
