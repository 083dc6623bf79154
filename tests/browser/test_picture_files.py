"""Files of pictures for the browser: exact where they are said to be, else with the error they have."""

import io

import numpy as np
import pytest
from PIL import Image, features

from sdexplore.browser.picture_files import all_small, exact, small


def picture(kind):
    """A picture of 128 × 128: soft as a photograph, or noise."""
    rng = np.random.default_rng(0)
    if kind == "noise":
        return rng.integers(0, 256, (128, 128, 3), np.uint8)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).resize((128, 128), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) + rng.normal(0, 2, (128, 128, 3)), 0, 255).astype(np.uint8)


def read(file):
    return np.asarray(Image.open(io.BytesIO(file.content)).convert("RGB"))


@pytest.mark.parametrize("kind", ["soft", "noise"])
def test_the_smallest_file_is_neither_larger_nor_less_exact_than_the_quick_one(kind):
    pixels = picture(kind)
    quick, smallest = small(pixels, smallest=False), small(pixels, smallest=True)
    assert quick.kind == "image/jpeg"
    assert len(smallest.content) <= len(quick.content)
    assert smallest.error <= quick.error
    for file in (quick, smallest):
        assert file.error == pytest.approx(np.sqrt(np.mean((read(file).astype(float) - pixels) ** 2)), rel=1e-5)
    if features.check("avif"):
        assert smallest.kind == "image/avif"
        assert len(smallest.content) < 0.8 * len(quick.content)


def test_several_pictures_at_once_have_the_files_of_each_alone():
    pictures = {kind: picture(kind) for kind in ("soft", "noise")}
    assert all_small(pictures, smallest=True) == {name: small(one, smallest=True) for name, one in pictures.items()}
    assert all_small({}, smallest=True) == {}


def test_a_picture_of_one_colour_has_a_file():
    assert small(np.full((64, 64, 3), 127, np.uint8), smallest=True).error <= 1


def test_an_exact_file_has_the_pixels_themselves():
    pixels = picture("soft")
    for file in (exact(pixels, smallest=False), exact(pixels, smallest=True)):
        assert np.array_equal(read(file), pixels)
        assert file.error == 0
    assert len(exact(pixels, smallest=True).content) < len(exact(pixels, smallest=False).content)
