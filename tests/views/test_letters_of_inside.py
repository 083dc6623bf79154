"""In drawings of models' parts and tokens, letters can be read at 720 pixels, and no text covers another."""

import io
from itertools import combinations

import pytest
from matplotlib.text import Text
from PIL import Image
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux

import sdexplore as sdx
from sdexplore import views

WIDE = 720  # pixels
LEAST = 11  # pixels of a letter's size
PROMPT = "a cat and 猫 in a house"


class Parts:
    """Pipelines of three kinds, and the records that views draw."""

    def __init__(self) -> None:
        self.sd, self.xl, self.flux = stable_diffusion(), stable_diffusion_xl(), flux()
        self.encoding = sdx.text_encoding(self.sd, PROMPT)["text_encoder"]
        self.plan = sdx.pipeline_architecture(self.sd)


@pytest.fixture(scope="module")
def parts():
    return Parts()


DRAWN = {
    "architecture": lambda p: views.architecture(p.plan),
    "architecture of SDXL": lambda p: views.architecture(sdx.pipeline_architecture(p.xl)),
    "architecture of a transformer": lambda p: views.architecture(sdx.pipeline_architecture(p.flux)),
    "components": lambda p: views.components(sdx.components(p.xl)),
    "text_attention by heads": lambda p: views.text_attention(p.encoding, heads=[0, 1, 2]),
    "text_norms": lambda p: views.text_norms(p.encoding),
    "tokens": lambda p: views.tokens(sdx.tokens(p.xl, "a cat!!! and a dog")),
    "tree": lambda p: views.tree(sdx.tree(p.sd, "unet"), depth=2),
    "tree of a transformer": lambda p: views.tree(sdx.tree(p.flux, "transformer"), depth=2),
    "unet_comparison": lambda p: views.unet_comparison(p.plan.beside_2015),
}


@pytest.mark.parametrize("name", DRAWN)
def test_no_letter_is_under_eleven_pixels_and_no_text_covers_another(parts, name):
    """In Japanese, whose letters are the wider ones."""
    with sdx.set_options(lang="ja"):
        picture = DRAWN[name](parts)
    file = Image.open(io.BytesIO(picture.png(width=WIDE)))
    assert abs(file.width - WIDE) <= 2
    pixels_a_point = file.info["dpi"][0] / 72
    written = [text for text in picture.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert len(written) > 3
    small = {text.get_text(): text.get_fontsize() * pixels_a_point for text in written}
    assert {text: size for text, size in small.items() if size < LEAST} == {}
    picture.figure.draw_without_rendering()  # at the density of the layout, whose boxes of texts are asked for
    own = [text for ax in picture.figure.axes for text in (*ax.texts, ax.title)]  # ticks out of sight are none of these
    boxes = [(Text.get_window_extent(text), text.get_text()) for text in own if text.get_text().strip()]
    covered = [(a, b) for (one, a), (other, b) in combinations(boxes, 2) if overlap(one, other)]
    assert covered == []


def overlap(a, b):
    """Whether two boxes share more than a pixel, in which letters hardly reach."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1.5
