"""What a dashboard draws for the page around it: its theme, its width, and texts that can be read there."""

import io

import pytest
from dashboards import Page
from matplotlib.text import Text
from PIL import Image

import sdexplore as sdx
from sdexplore import views
from sdexplore.bench.stored import stored_trace
from sdexplore.dashboard.in_page import PIXELS_PER_INCH, Surroundings
from sdexplore.figures.columns import fitting

LEAST = 11  # CSS pixels of a text
NARROW = 1060  # CSS pixels that a section has on a screen of 1280


@pytest.fixture(scope="module")
def long():
    """A trace with more words and steps than figures have room for."""
    return stored_trace(steps=10, side=16, heads=8)


def corner(png):
    return Image.open(io.BytesIO(png)).convert("L").getpixel((0, 0))


def test_figures_follow_the_theme_and_the_width_of_the_page_and_exports_do_not(trace):
    board = sdx.explore(trace, section="Attention")
    page, around = Page(board), board.board.page
    before, exported = page.figure_box.wide, board.figure().png(dpi=50)
    assert corner(page.figure_box.value) == 255
    around.theme = "dark"
    assert corner(page.figure_box.value) < 60
    around.wide = 1387
    assert page.figure_box.wide > before
    around.density = 2.0
    assert Image.open(io.BytesIO(page.figure_box.value)).width == pytest.approx(2 * page.figure_box.wide, abs=1)
    assert board.figure().png(dpi=50) == exported
    assert corner(page.open("Denoising").figure_box.value) < 60
    around.theme = "light"
    assert corner(page.open("Attention").figure_box.value) == 255
    board.close()


@pytest.mark.parametrize(
    "draw",
    [
        views.attention,
        views.attention_mass,
        views.segmentation,
        views.denoising,
        views.guidance,
        views.guidance_steps,
        lambda trace: views.attention_steps(trace, "cat"),
        lambda trace: views.attention_layers(trace, "cat"),
        lambda trace: views.attention_layers(trace, "cat", scale="each"),
        lambda trace: views.attention_layers(trace, "cat", by_head=False),
        lambda trace: views.attention_compare(trace, trace),
        lambda trace: views.difference(trace, trace),
    ],
)
def test_every_text_of_a_figure_can_be_read_where_a_dashboard_shows_it(long, draw):
    place = Surroundings(wide=NARROW).look[1]
    with fitting(place):
        picture = draw(long)
    wide = int.from_bytes(picture.screen(dpi=place.dpi)[16:20], "big")
    scaled = min(1.0, NARROW / wide) * PIXELS_PER_INCH / 72
    texts = [text for text in picture.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert min(text.get_fontsize() * scaled for text in texts) >= LEAST
