"""What is drawn from memory is what Agg draws; a quick PNG has every pixel; texts of one artist are in their box."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from sdexplore import views
from sdexplore.base.png import png
from sdexplore.figures import text_cache
from sdexplore.figures.font_families import BUNDLED
from sdexplore.figures.many_texts import Written
from sdexplore.figures.picture import style

SLACK = 2.5  # pixels: before matplotlib 3.11 whole texts are turned, and rounded to where they stand


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(text_cache, "_sizes", {})
    monkeypatch.setattr(text_cache, "_drawings", {})
    monkeypatch.setattr(text_cache, "_heights", {})


def written(text="step 12, “猫” ½ $x^2$", *, angle=0.0, x=0.3137, colour="k", size=9.0, family=None):
    with style():
        figure = Figure(figsize=(3, 2), dpi=100)
        figure.text(x, 0.517, text, rotation=angle, color=colour, fontsize=size, ha="center", family=family)
    return figure


def drawn(figure, canvas):
    with style():
        made = canvas(figure)
        made.draw()
        return np.asarray(made.buffer_rgba()).copy()


CHANGES = (
    *({}, {"angle": 90.0}, {"angle": 33.0}, {"x": 0.35}, {"colour": "tab:red"}, {"size": 9.5}, {"text": "other"}),
    *({"text": "two\nlines"}, {"family": "monospace"}, {"family": "DejaVu Serif"}, {"family": BUNDLED}),
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_text_drawn_again_is_the_same_to_the_bit_and_another_is_another(change):
    first = drawn(written(), text_cache.Canvas)
    np.testing.assert_array_equal(first, drawn(written(), FigureCanvasAgg))
    np.testing.assert_array_equal(first, drawn(written(), text_cache.Canvas))
    other = drawn(written(**change), text_cache.Canvas)
    np.testing.assert_array_equal(other, drawn(written(**change), FigureCanvasAgg))
    assert (other != first).any() == bool(change)


def test_what_is_known_is_not_shaped_again(monkeypatch):
    drawn(written("plain"), text_cache.Canvas)
    monkeypatch.setattr(text_cache.RendererAgg, "draw_text", lambda *_, **__: pytest.fail("drawn"))
    monkeypatch.setattr(text_cache.RendererAgg, "get_text_width_height_descent", lambda *_: pytest.fail("measured"))
    if all(known is not None for known in text_cache._drawings.values()):  # before matplotlib 3.11 they are not
        drawn(written("plain"), text_cache.Canvas)


def test_the_height_of_a_line_is_read_once_a_font_size_and_density(monkeypatch):
    asked, real = [], text_cache.get_font
    monkeypatch.setattr(text_cache, "get_font", lambda file: asked.append(file) or real(file))
    for size in (9.0, 9.0, 12.0):
        drawn(written(size=size), text_cache.Canvas)
    assert len(asked) in (0, 2)  # before matplotlib 3.11 nothing asks


def test_a_figure_that_the_user_saves_is_matplotlibs_own():
    figure = written("step 12")
    drawn(figure, text_cache.Canvas)
    found = []
    for canvas in (text_cache.Canvas, FigureCanvasAgg):
        figure.set_canvas(canvas(figure))
        for look in ({"text.hinting": "force_autohint"}, {"font.family": "DejaVu Serif"}, {"text.antialiased": False}):
            with mpl.rc_context(look):
                file = io.BytesIO()
                figure.savefig(file)
            found.append(file.getvalue())
    assert found[:3] == found[3:]


def test_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(text_cache, "_MOST", 3)
    for text in "abcde":
        drawn(written(text), text_cache.Canvas)
    assert len(text_cache._drawings) == 3
    assert len(text_cache._sizes) <= 3


def test_a_picture_of_another_density_is_another():
    picture = views.attention(synthetic.trace(), ["cat"])
    sizes = [Image.open(io.BytesIO(picture.png(dpi=dpi))).size for dpi in (50, 100, 50)]
    assert sizes[0] == sizes[2]
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], abs=2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (7, 1, 3), (64, 96, 3)])
def test_a_quick_png_is_the_picture(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for given in (pixels, pixels[::-1], np.dstack([pixels, pixels])[..., :3]):
        read = Image.open(io.BytesIO(png(given)))
        assert read.format == "PNG"
        np.testing.assert_array_equal(np.asarray(read), given)


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("upright", [False, True], ids=["level", "upright"])
def test_texts_in_one_artist_stand_in_their_box_and_at_their_places(side, upright):
    with style():
        figure = Figure(figsize=(4, 3), dpi=100)
        ax = figure.subplots()
        ax.set(xlim=(0, 4), xticks=(), yticks=())
        ax.axis("off")
        texts = Written(ax, 0.5, side=side, fontsize=9.0)
        texts.write((1.0, 3.0), ("down 0.0", r"pay \$5 y"), upright=upright)
        canvas = text_cache.Canvas(figure)
        canvas.draw()
    ink = np.asarray(canvas.buffer_rgba())[..., 0] < 128
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    box = texts.get_window_extent()
    assert box.x0 - SLACK <= columns[0] <= columns[-1] <= box.x1 + SLACK
    assert box.y0 - SLACK <= 299 - rows[-1] <= 299 - rows[0] <= box.y1 + SLACK
    middle = ax.transAxes.transform((0.5, 0.5))[1]
    assert (299 - rows[-1] >= middle - SLACK) if side == "above" else (299 - rows[0] <= middle + SLACK)
    places = ax.transData.transform([(1.0, 0.0), (3.0, 0.0)])[:, 0]
    for place in places:
        near = columns[abs(columns - place) < 60]
        assert (near[0] + near[-1]) / 2 == pytest.approx(place, abs=2 + SLACK)
    assert texts.get_text() == "down 0.0\npay \\$5 y"
