"""The font families of figures: DejaVu Sans, the Japanese font that comes with sdexplore, and installed ones behind.

matplotlib looks for a glyph in one family after the other. DejaVu Sans comes first: a Japanese font in front breaks the
distance of lines, and draws ᾱ and x̂₀ apart.
"""

from functools import cache
from pathlib import Path
from typing import Final

from ..base.display import MOST_CHARACTERS, clip

BUNDLED: Final = "sdexplore Noto Sans JP"
_FILE: Final = Path(__file__).parent / "fonts" / "sdexplore-noto-sans-jp.otf"
_LATIN: Final = "DejaVu Sans"
# For kanji beyond JIS X 0208, hangul, and Chinese; the first that is installed and has the character.
_EAST_ASIAN_FAMILIES: Final = (
    *("Noto Sans CJK JP", "Source Han Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "BIZ UDGothic", "MS Gothic"),
    *("IPAexGothic", "TakaoGothic", "VL Gothic", "Noto Sans JP", "Noto Sans CJK SC", "Noto Sans CJK KR"),
)
# Kana, Chinese characters, Hangul and what is set with them.
_EAST_ASIAN: Final = ((0x2E80, 0x9FFF), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


_needed: list[str] = []  # installed families with a character that was drawn and that the first two lack
_refused: set[str] = set()  # files that are no font that matplotlib reads


def families() -> tuple[str, ...]:
    """The families in the order in which a glyph is looked for; installed ones are those that were needed so far."""
    from matplotlib.font_manager import fontManager

    names = {font.name for font in fontManager.ttflist}
    if BUNDLED not in names:
        # Not there yet, or forgotten: matplotlib makes its list anew when a file of it is gone.
        fontManager.addfont(str(_FILE))
    # A family that is not installed would be a line in the log for every text.
    return (_LATIN, BUNDLED, *(name for name in _needed if name in names))


def drawable(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text` for a figure: on one line, cut at `most`, and what no installed font can draw named as "U+1F338".

    Fonts that were installed since matplotlib listed them are found here, so a kernel need not start again.
    """
    shown = clip(text, most).replace("$", r"\$")  # matplotlib would set what stands between two as mathematics
    if shown.isascii():
        return shown
    known = [_characters(name) for name in families()]  # once for the text: titles are made at each move of a slider
    return "".join(
        c if c.isascii() or any(ord(c) in one for one in known) or has_glyph(ord(c)) else f"U+{ord(c):04X}"
        for c in shown
    )


def has_glyph(code: int) -> bool:
    """Whether a family of figures has this character, or an installed one for East Asian scripts, which then is one."""
    if any(code in _characters(name) for name in families()):
        return True
    if not is_east_asian(code):
        return False
    return _found(code) or (_look_for_new_fonts() and _found(code))


def is_east_asian(code: int) -> bool:
    """Whether a character belongs to Japanese, Chinese or Korean text."""
    return any(first <= code <= last for first, last in _EAST_ASIAN)


def _found(code: int) -> bool:
    from matplotlib.font_manager import fontManager

    names = {font.name for font in fontManager.ttflist}
    for name in _EAST_ASIAN_FAMILIES:
        if name in names and code in _characters(name):
            _needed.append(name)
            _give_to_the_figure_that_is_drawn()
            return True
    return False


def _give_to_the_figure_that_is_drawn() -> None:
    """Texts that are made after this in the block of `picture.style` have the new family too."""
    from matplotlib import rcParams

    from .text_cache import styled

    if styled.get():
        rcParams["font.family"] = list(families())


def _look_for_new_fonts() -> bool:
    """Adds font files that were installed after matplotlib wrote its list, which is not renewed by itself."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    new = set(findSystemFonts()) - {font.fname for font in fontManager.ttflist} - _refused
    for path in sorted(new):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError):
            _refused.add(path)
    return bool(new - _refused)


@cache
def _characters(name: str) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(name))).get_charmap())
