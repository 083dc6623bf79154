"""Pictures: how they show themselves, what a file of them carries, and what they leave alone."""

import base64
import io
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from sdexplore.base.errors import PublishError
from sdexplore.figures.font_families import drawable
from sdexplore.figures.picture import DPI, Picture, style

EVIL = "\"><script>alert(1)</script> '& 東京 🌸"


def picture(alt="a line", call="sdx.views.line(trace)  # trace 00000000", text="title"):
    with style():
        figure = Figure(figsize=(3, 2))
        ax = figure.subplots()
        ax.plot([0, 1], [1, 0])
        ax.set_title(text)
    return Picture(figure=figure, data={"line": np.array([1, 0])}, alt=alt, call=call)


class Tags(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.found = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_html_holds_the_picture_and_its_alt_text_and_nothing_else():
    bundle, _ = picture(alt=EVIL)._repr_mimebundle_()
    (outer, _), (inner, attributes) = Tags(bundle["text/html"]).found
    assert (outer, inner) == ("figure", "img")
    assert attributes["alt"] == EVIL
    encoded = attributes["src"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded) == base64.b64decode(bundle["image/png"])
    assert "<script" not in bundle["text/html"]


def test_the_bundle_has_html_png_and_text_and_says_the_alt_text_of_the_png():
    bundle, metadata = picture()._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/plain"] == "Picture: a line\nsdx.views.line(trace)  # trace 00000000"
    assert metadata == {"image/png": {"alt": "a line"}}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")


def test_html_shows_the_figure_in_its_own_size():
    shown = picture()
    bundle, _ = shown._repr_mimebundle_()
    wide = int(re.search(r"width:(\d+)px;max-width:100%", bundle["text/html"])[1])
    inches = Image.open(io.BytesIO(shown.png(dpi=200))).width / 200
    assert wide / 96 == pytest.approx(inches, rel=0.02)


@pytest.mark.parametrize("page", ["white", "#8080ff", (0.2, 0.4, 0.6, 0.25), (0, 0, 0, 0)], ids=str)
def test_a_dashboard_shows_the_pixels_of_the_file_on_white(page):
    shown = picture()
    shown.figure.set_facecolor(page)
    encoded = re.search(r'base64,([^"]+)"', shown.html())[1]
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    file = Image.open(io.BytesIO(shown.png(dpi=110))).convert("RGBA")
    on_white = Image.new("RGBA", file.size, "white")
    on_white.alpha_composite(file)
    assert found.shape == (file.height, file.width, 3)
    np.testing.assert_allclose(found, np.asarray(on_white)[..., :3], atol=1 if page != "white" else 0)


def test_a_png_carries_alt_text_and_call_in_any_script():
    found = Image.open(io.BytesIO(picture(alt=EVIL, call="sdx.views.line('🌸')").png()))
    assert found.text["Description"] == EVIL
    assert found.text["Source"] == "sdx.views.line('🌸')"
    assert found.text["Software"] == "sdexplore"


@pytest.mark.parametrize(
    ("ending", "magic"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".webp", b"RIFF"), (".jpg", b"\xff\xd8")],
)
@pytest.mark.parametrize("upper", [False, True])
def test_every_format_is_saved_into_folders_that_are_made(tmp_path, ending, magic, upper):
    path = tmp_path / "new" / "folder" / f"line{ending.upper() if upper else ending}"
    assert picture().save(str(path)) == path
    assert path.read_bytes().startswith(magic)


def test_an_svg_keeps_its_text_as_text_and_says_what_it_shows(tmp_path):
    source = picture(alt=EVIL, text="a cat").save(tmp_path / "line.svg").read_text(encoding="utf-8")
    assert re.search(r">a cat</text>", source)
    assert "&lt;script&gt;" in source
    assert "<script" not in source


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for ending in (".png", ".svg", ".pdf"):
        first, second = (picture().save(tmp_path / f"{name}{ending}").read_bytes() for name in "ab")
        assert first == second


def test_resolution_is_as_asked(tmp_path):
    low, high = (Image.open(picture().save(tmp_path / f"{dpi}.png", dpi=dpi)).width for dpi in (50, 200))
    assert high == pytest.approx(4 * low, abs=8)
    assert Image.open(io.BytesIO(picture().png())).info["dpi"][0] == pytest.approx(DPI, abs=0.1)


def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(PublishError, match=r"cannot save a picture as 'line\.bmp': the ending is one of \.png, \.svg,"):
        picture().save(tmp_path / "new" / "line.bmp")
    assert not (tmp_path / "new").exists()


def test_the_user_s_rcparams_are_as_before_and_change_nothing(tmp_path):
    plain = picture(text="東京").png()
    with matplotlib.style.context("dark_background"), mpl.rc_context({"font.size": 30, "image.cmap": "hot"}):
        before = dict(mpl.rcParams)
        shown = picture(text="東京")
        shown.save(tmp_path / "line.svg")
        shown._repr_mimebundle_()
        assert dict(mpl.rcParams) == before
        assert shown.png() == plain
    pixels = np.asarray(Image.open(io.BytesIO(plain)).convert("RGB"))
    assert (pixels[0, 0] == 255).all()


def test_rcparams_come_back_when_drawing_fails():
    before = dict(mpl.rcParams)

    def fail():
        with style():
            assert mpl.rcParams["font.size"] == 9.0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dict(mpl.rcParams) == before


def test_a_repr_never_raises():
    broken = picture(text="$\\frac{1$")  # no mathematics
    bundle, metadata = broken._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].startswith("Picture: a line\nsdx.views.line(trace)")
    assert "cannot be drawn, ValueError:" in bundle["text/plain"]
    assert metadata == {}


def glyphs_drawn(text):
    """Draws `text` and gives what matplotlib would rather have warned about."""
    with warnings.catch_warnings(record=True) as caught, style():
        warnings.simplefilter("always")
        figure = Figure(figsize=(2, 1))
        drawn = figure.text(0, 0.5, text)
        FigureCanvasAgg(figure).draw()
    assert not drawn._preprocess_math(drawn.get_text())[1]  # nothing was set as mathematics
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6",
        r"\$5 $x_1^2$",
        "$",
        "100 % _under_ ^hat {brace} \\alpha",
        "a\nb\tc\x00",
        "Ω≈ç√ кот γάτα",
        "cafe\u0301",
    ],
)
def test_text_from_outside_is_drawn_as_it_is(text):
    assert glyphs_drawn(drawable(text)) == []


def test_a_dollar_stays_a_dollar():
    figure = Figure()
    drawn = figure.text(0, 0, drawable("$5 and $6"))
    assert drawn._preprocess_math(drawn.get_text()) == ("$5 and $6", False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("🌸", "U+1F338"),
        ("a 👩🚀", "a U+1F469U+1F680"),
        ("a\u0591", "aU+0591"),  # combining marks too
        ("\U0001e943\U0001e944", "U+1E943U+1E944"),
    ],
)
def test_what_no_font_has_is_named_and_so_never_warned_about(text, shown):
    assert drawable(text) == shown
    assert glyphs_drawn(drawable(text)) == []


def test_japanese_is_drawn_by_the_font_that_comes_with_the_package():
    text = "東京の桜、鬱「クロスアテンション」"
    assert drawable(text) == text
    assert glyphs_drawn(drawable("東京の桜 (cat:1.2)")) == []


def test_text_is_cut_before_anything_is_spelled_out():
    assert drawable("x" * 1000, 10) == "x" * 9 + "…"
    assert drawable("🌸" * 1000, 5) == "U+1F338U+1F338…"  # each as wide as two letters


def test_neither_pyplot_nor_torch_is_needed():
    code = """
import sys
from matplotlib.figure import Figure
import numpy as np
from sdexplore.figures.picture import Picture, style
with style():
    figure = Figure(); figure.subplots().imshow(np.zeros((2, 2)))
picture = Picture(figure=figure, data={}, alt="nothing", call="")
picture._repr_mimebundle_(); picture.png()
assert not {"matplotlib.pyplot", "torch", "diffusers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
