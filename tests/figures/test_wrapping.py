"""Where lines are broken: at spaces, between Japanese characters, and not before or after what forbids it."""

import pytest
from matplotlib.figure import Figure

from sdexplore.figures.picture import canvas_of, style
from sdexplore.figures.wrapping import breaks, wrap_title, wrapped

JAPANESE = "全ステップ、全ての層、全てのヘッドにわたる平均（条件付き、クロスアテンション）"


def letters(line):
    return float(len(line))


def columns(line):
    return float(sum(1 + (ord(character) > 0x2E80) for character in line))


def test_english_is_broken_at_spaces_alone():
    assert wrapped("mean over 8 steps, 16 layers", 12.0, letters) == "mean over 8\nsteps, 16\nlayers"


def test_a_word_that_is_longer_than_the_room_stays_whole():
    assert wrapped("a transformer_blocks.0.attn2 b", 8.0, letters) == "a\ntransformer_blocks.0.attn2\nb"


@pytest.mark.parametrize("room", range(8, 60, 2))
def test_no_line_of_japanese_begins_or_ends_with_what_may_not(room):
    lines = wrapped(JAPANESE, float(room), columns).split("\n")
    assert "".join(lines) == JAPANESE
    assert all(columns(line) <= room for line in lines)
    assert not [line for line in lines if line[0] in "、。）ー" or line[-1] in "（「"]


def test_latin_words_in_japanese_stay_whole():
    lines = wrapped("猫の guidance_scale は 7.5 である", 8.0, columns).split("\n")
    assert "guidance_scale" in [line.strip() for line in lines]


def test_lines_that_are_there_stay():
    assert wrapped("a b\nc d", 99.0, letters) == "a b\nc d"
    assert wrapped("", 5.0, letters) == ""
    assert not list(breaks("a"))


@pytest.mark.parametrize("title", [JAPANESE * 3, "mean over many steps and many layers and heads " * 6])
def test_a_title_is_no_wider_than_its_figure(title):
    with style():
        figure = Figure(figsize=(4, 2))
        figure.suptitle(title.strip(), fontsize=9)
        wrap_title(figure)
        box = figure.texts[0].get_window_extent(canvas_of(figure).get_renderer())
    assert box.width <= figure.bbox.width
    assert "\n" in figure.get_suptitle()
