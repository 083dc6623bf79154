"""Which fonts draw the characters of figures: the order, what comes with the package, what is installed later."""

import io

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure

from sdexplore.figures.font_families import BUNDLED, drawable, families, has_glyph, is_east_asian
from sdexplore.figures.picture import style

RARE = 0x2EBF0  # a Chinese character that no font of Debian has


def test_dejavu_comes_first_and_the_font_of_the_package_second():
    assert families()[:2] == ("DejaVu Sans", BUNDLED)


def test_every_character_of_jis_x_0208_has_a_glyph():
    lost = []
    for row in range(0xA1, 0xF5):
        for cell in range(0xA1, 0xFF):
            try:
                character = bytes((row, cell)).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            lost += [character] if not has_glyph(ord(character)) else []
    assert lost == []


def test_a_font_that_matplotlib_forgot_is_added_again(monkeypatch):
    kept = [font for font in font_manager.fontManager.ttflist if font.name != BUNDLED]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", kept)
    assert BUNDLED in families()
    assert any(font.name == BUNDLED for font in font_manager.fontManager.ttflist)


@pytest.mark.parametrize(
    ("character", "belongs"), [("か", True), ("가", True), ("。", True), ("é", False), ("🌸", False)]
)
def test_scripts(character, belongs):
    assert is_east_asian(ord(character)) is belongs


def a_font(family, code):
    """The bytes of a font of one glyph, a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    built = FontBuilder(1000, isTTF=True)
    built.setupGlyphOrder([".notdef", "square"])
    built.setupCharacterMap({code: "square"})
    built.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    built.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    built.setupHorizontalHeader(ascent=900, descent=-100)
    built.setupNameTable({"familyName": family, "styleName": "Regular"})
    built.setupOS2()
    built.setupPost()
    written = io.BytesIO()
    built.save(written)
    return written.getvalue()


@pytest.fixture
def font_folder(tmp_path, monkeypatch):
    """A folder in which matplotlib looks for fonts; what the test adds to its list is taken out again."""
    monkeypatch.setattr(font_manager, "X11FontDirectories", [*font_manager.X11FontDirectories, str(tmp_path)])
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    return tmp_path


def test_a_font_that_is_installed_later_is_found_in_the_same_kernel(font_folder):
    assert drawable(chr(RARE)) == "U+2EBF0"
    (font_folder / "broken.ttf").write_bytes(b"no font")
    (font_folder / "later.ttf").write_bytes(a_font("VL Gothic", RARE))
    assert drawable(chr(RARE)) == chr(RARE)
    assert families()[-1] == "VL Gothic"


def test_a_font_that_is_first_needed_while_a_figure_is_drawn_draws_that_figure(font_folder):
    (font_folder / "later.ttf").write_bytes(a_font("VL Gothic", RARE))
    before = list(rcParams["font.family"])
    with style():
        text = Figure().text(0, 0, drawable(chr(RARE)))
    assert "VL Gothic" in text.get_fontfamily()
    assert rcParams["font.family"] == before


def test_a_family_that_is_gone_is_no_family_of_figures():
    assert "VL Gothic" not in families()
    assert drawable("U+1F338") == "U+1F338"
