"""Pictures that are given are read as they are meant: turned, scaled, on white."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.base.errors import RunError
from sdexplore.model.components.pictures import rgb


def photograph():
    """As a phone stores it: the left half white; viewers turn it, so that the upper half is white."""
    stored = np.zeros((64, 128, 3), np.uint8)
    stored[:, :64] = 255
    picture = Image.fromarray(stored)
    exif = picture.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    picture.save(file, "PNG", exif=exif)
    return Image.open(io.BytesIO(file.getvalue()))


def palette(*, transparent):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([200, 10, 20] + [0] * 765)
    if transparent:
        picture.info["transparency"] = 0
    return picture


def in_file(picture, kind):
    file = io.BytesIO()
    picture.save(file, kind)
    return Image.open(io.BytesIO(file.getvalue()))


SIXTEEN = np.full((8, 8), 40000, np.uint16)
MEANT = {
    "16 bit": (Image.fromarray(SIXTEEN), (156, 156, 156)),
    "16 bit, a PNG": (in_file(Image.fromarray(SIXTEEN), "PNG"), (156, 156, 156)),
    "16 bit, a TIFF": (in_file(Image.fromarray(SIXTEEN), "TIFF"), (156, 156, 156)),
    "wholly transparent": (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), (255, 255, 255)),
    "half transparent": (Image.new("RGBA", (8, 8), (0, 0, 0, 128)), (127, 127, 127)),
    "grey with alpha": (Image.new("LA", (8, 8), (0, 0)), (255, 255, 255)),
    "grey": (Image.new("L", (8, 8), 77), (77, 77, 77)),
    "a palette": (palette(transparent=False), (200, 10, 20)),
    "a palette with a transparent colour": (palette(transparent=True), (255, 255, 255)),
    "one bit": (Image.new("1", (8, 8), 1), (255, 255, 255)),
    "an array": (np.full((8, 8, 3), 9, np.uint8), (9, 9, 9)),
}


@pytest.mark.parametrize("name", MEANT)
def test_a_picture_is_read_as_it_is_meant(name):
    picture, colour = MEANT[name]
    found = rgb(picture, "look")
    assert found.mode == "RGB"
    assert found.getpixel((3, 3)) == colour


def test_exif_turns_a_photograph():
    found = np.asarray(rgb(photograph(), "look"))
    assert found.shape == (128, 64, 3)
    assert (found[5, 5, 0], found[5, -6, 0], found[-6, 5, 0]) == (255, 255, 0)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.fromarray(np.full((8, 8), 0.5, np.float32)), "no agreed range"),
        (Image.fromarray(np.full((8, 8), 100_000, np.int32)), "from 100000 to 100000"),
        (Image.fromarray(np.full((8, 8), 200, np.int32)), "of 8 bits or of 16"),
        (Image.new("RGB", (0, 5)), "no pixel"),
        (np.zeros((0, 5, 3), np.uint8), "no pixel"),
        (np.zeros((5, 5), np.uint8), r"uint8 array \(Y, X, 3\); this is uint8 \(5, 5\)"),
        (np.zeros((5, 5, 3)), "this is float64"),
        ("cat.png", "not str"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(picture, said):
    with pytest.raises(RunError, match=rf"^invert: .*{said}"):
        rgb(picture, "invert")


def test_every_function_reads_in_the_same_way():
    pipe, size = stable_diffusion(), {"height": 128, "width": 64}
    upper = sdx.look(pipe, photograph(), "a cat", t=300, **size).image
    assert upper[5, 5].min() > 250
    assert upper[-6, 5].max() < 5
    assert np.array_equal(sdx.reconstruction(pipe, photograph(), **size).image, upper)
    deep = Image.fromarray(np.full((64, 64), 40000, np.uint16))
    inverted = sdx.invert(pipe, deep, "a cat", num_inference_steps=2)
    assert np.array_equal(inverted.latents[0], sdx.reconstruction(pipe, deep).latents)
    for image in (sdx.look(pipe, deep, "a cat", t=300).image, sdx.reconstruction(pipe, deep).image):
        assert (image == 156).all()
    with pytest.raises(RunError, match=r"^word_effect: .*no agreed range"):
        sdx.word_effect(pipe, Image.fromarray(np.zeros((64, 64), np.float32)), "a cat", "cat", t=300)


@pytest.mark.parametrize("size", [{"height": 0}, {"width": -64}, {"height": 10**12}])
def test_a_side_that_is_no_length_is_refused(size):
    ((name, value),) = size.items()
    with pytest.raises(RunError, match=rf"^reconstruction\({name}={value}\): a side is a whole number of pixels"):
        sdx.reconstruction(stable_diffusion(), np.zeros((64, 64, 3), np.uint8), **size)
