"""The words of every view: a caption and an alt text, in English and in Japanese, that are read at a blog's width."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from every_view import DRAWN, NOT_AGAIN, PROMPT
from matplotlib.text import Text

import sdexplore as sdx
from sdexplore.figures.layout_cache import lay_out
from sdexplore.figures.picture import Picture, canvas_of, style
from sdexplore.strings.wording import table

EVERY = {**DRAWN, **NOT_AGAIN}
COLUMN, LEAST = 720, 11.0  # pixels
MARGIN = 0.1  # inches that a file has around its figure
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# Names of the program and of the field, which stay as they are. Names with capitals, digits, dots or lines need not be.
NAMES = {
    "cond",
    "uncond",
    "seed",
    "mean",
    "ink",
    "own",
    "value",
    "uint",
    "latents",
    "guidance",
    "prompt",
    "std",
    "ln",
    "unknown",
    "vae",
    "null",
    "gradient",
    "knock",
    "out",
    "mid",
}
TYPED = {*re.findall(r"\w+", PROMPT), "house", "sky", "rocket", "so", "it", "s"}
A_NAME = re.compile(r"\S*[A-Z0-9_.<>|=/]\S*")


@dataclass(frozen=True)
class Both:
    """A view drawn in two languages."""

    en: Picture
    ja: Picture


@pytest.fixture(scope="module")
def drawn(world):
    """Each view in both languages, when it is first asked for; `world` has one trace for all."""
    made: dict[str, Both] = {}

    def both(view: str) -> Both:
        if view not in made:
            english = EVERY[view](world)
            with sdx.set_options(lang="ja"):
                made[view] = Both(english, EVERY[view](world))
        return made[view]

    return both


def english_words(text):
    """What of a Japanese text is English: small words that are no names and that nobody typed."""
    plain = A_NAME.sub(" ", re.sub(r"「[^」]*」", " ", text))
    words = set(re.findall(r"[a-z]{2,}", plain))
    return words - NAMES - TYPED


def written(picture):
    """The texts that are to be seen in a figure."""
    return [
        one
        for one in picture.figure.findobj(Text)
        if one.get_visible() and one.get_text().strip() and one.get_alpha() != 0
    ]


@pytest.mark.parametrize("view", EVERY)
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_caption_and_alt_text_are_two_texts_and_whole(drawn, view, lang):
    picture = getattr(drawn(view), lang)
    caption, alt = picture.caption, picture.alt
    assert caption
    assert not caption.startswith(alt)
    assert not alt.startswith(caption.rstrip(".。"))
    assert not caption.endswith("…")
    assert not alt.endswith("…")
    assert caption[-1] in ".。"
    assert alt[-1] in ".。"


@pytest.mark.parametrize("view", EVERY)
def test_in_japanese_its_words_are_japanese_and_its_numbers_are_the_same(drawn, view):
    both = drawn(view)
    for text in (both.ja.caption, both.ja.alt):
        assert JAPANESE.search(text)
        assert not english_words(text), text
    assert both.en.lang == "en"
    assert both.ja.lang == "ja"
    assert list(both.ja.data) == list(both.en.data)
    for name, array in both.en.data.items():
        np.testing.assert_array_equal(both.ja.data[name], array)


@pytest.mark.parametrize("view", EVERY)
def test_no_title_or_label_of_a_figure_in_japanese_is_an_english_one(drawn, view):
    sentences = {
        text for key, text in table("en").items() if " " in text and "{" not in text and table("ja")[key] != text
    }
    shown = {one.get_text().replace("\n", " ") for one in written(drawn(view).ja)}
    assert not shown & sentences


@pytest.mark.parametrize("view", EVERY)
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_no_text_is_smaller_than_eleven_pixels_in_the_column_of_a_blog(drawn, view, lang):
    picture = getattr(drawn(view), lang)
    with style():
        canvas = canvas_of(picture.figure)
        lay_out(picture.figure)
        wide = picture.figure.get_tightbbox(canvas.get_renderer()).width
    small = {
        one.get_text()[:30]: pixels
        for one in written(picture)
        if (pixels := one.get_fontsize() * COLUMN / (72 * (wide + MARGIN))) < LEAST
    }
    assert not small
