"""How a prompt becomes tokens, as boxes."""

from itertools import pairwise

import numpy as np
import pytest
import synthetic
from boxes import again, boxes, colour, equal, written

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TokenError
from sdexplore.text.shared_keys import SharedKeys
from sdexplore.text.tokenization import Tokenization, Tokenizations


def test_tokens_are_boxes_coloured_by_word_with_position_and_id():
    picture = views.tokens(synthetic.tokenization())
    assert written(picture) == [
        "tokenizer, 8 of 12 positions",
        *("start", "0: 49406", "a", "1: 300", "cat", "2: 301", "and", "3: 302", "a", "4: 303"),
        *("rocket", "5: 304", "ship", "6: 305", "end", "7: 49407", "padding × 4", "8–11"),
    ]
    blue, orange, grey = "#cfe3fa", "#fde3c8", "#eeeeee"
    assert [colour(box) for box in boxes(picture)] == [grey, blue, orange, blue, orange, blue, blue, grey, grey]
    np.testing.assert_array_equal(picture.data["tokenizer"], synthetic.tokenization().ids)
    assert "'a cat and a rocketship' as 6 tokens: a | cat | and | a | rocket | ship." in picture.alt
    equal(picture, again(picture, tokens=lambda _, text: Tokenizations({"tokenizer": synthetic.tokenization(text)})))


def test_boxes_do_not_overlap_and_lines_break_inside_the_figure():
    words = "wonderfully elaborate descriptions of extraordinary landscapes " * 8
    picture = views.tokens(synthetic.tokenization(words.strip()))
    left, right = picture.figure.axes[0].get_xlim()
    lines = {}
    for box in boxes(picture):
        lines.setdefault(box.get_y(), []).append((box.get_x(), box.get_x() + box.get_width()))
    assert len(lines) > 3
    for spans in lines.values():
        assert all(stop < start for (_, stop), (start, _) in pairwise(spans))
        assert left <= spans[0][0]
        assert spans[-1][1] <= right + 0.05


def test_each_tokenizer_has_its_own_rows():
    both = Tokenizations(
        {
            "tokenizer": synthetic.tokenization("a cat"),
            "tokenizer_2": synthetic.tokenization("a dog", "tokenizer_2"),
        }
    )
    picture = views.tokens(both)
    assert [text for text in written(picture) if "positions" in text] == [
        *("tokenizer, 4 of 12 positions", "tokenizer_2, 4 of 12 positions")
    ]
    assert list(picture.data) == ["tokenizer", "tokenizer_2"]


def test_what_was_cut_off_is_red_and_said():
    cut = Tokenization.of(
        tokenizer="tokenizer",
        text="a cat sat",
        max_length=3,
        ids=[0, 5, 9, 6, 7],
        pieces=["<s>", "a</w>", "<e>", "cat</w>", "sat</w>"],
        kinds=["start", "text", "end", "truncated", "truncated"],
        spans=[None, (0, 1), None, (2, 5), (6, 9)],
    )
    picture = views.tokens(cut)
    assert [colour(box) for box in boxes(picture)][-2:] == ["#f3c6c6"] * 2
    assert written(picture)[-4:] == ["cat", "cut off: 6", "sat", "cut off: 7"]
    assert "2 tokens more" in picture.alt
    assert "cut off" in picture.caption


def test_padding_in_front_is_drawn_in_front_and_no_limit_is_no_none():
    front = Tokenization.of(
        tokenizer="tokenizer",
        text="cat",
        max_length=None,
        ids=[0, 0, 5, 1],
        pieces=["<pad>", "<pad>", "▁cat", "</s>"],
        kinds=["padding", "padding", "text", "end"],
        spans=[None, None, (0, 3), None],
    )
    assert written(views.tokens(front))[:5] == ["tokenizer, 2 positions", "padding × 2", "0–1", "cat", "2: 5"]
    one = synthetic.tokenization("b c d e f g h i j")  # leaves one place
    assert written(views.tokens(one))[-2:] == ["padding × 1", "11"]


def test_a_character_of_several_tokens_stands_in_each_with_its_part():
    split = Tokenization.of(
        tokenizer="tokenizer",
        text="桜",
        max_length=5,
        ids=[0, 7, 8, 1],
        pieces=["<s>", "æ¡", "ľ</w>", "<e>"],
        kinds=["start", "text", "text", "end"],
        spans=[None, (0, 1), (0, 1), None],
    )
    texts = written(views.tokens(split))
    assert [text for text in texts if text.endswith(("1/2", "2/2"))] == [texts[3], texts[5]]
    views.tokens(split).png(dpi=40)


def test_hostile_prompts_are_drawn_as_they_are(recwarn):
    picture = views.tokens(synthetic.tokenization("$x$ </script> 🌸 <b>"))
    assert r"\$x\$" in written(picture)
    assert "U+1F338" in written(picture)
    assert "&lt;/script&gt;" in picture._html(picture.png(dpi=40))
    assert [w for w in recwarn if "Glyph" in str(w.message)] == []


@pytest.mark.parametrize("lost", [150, 1950])
def test_what_was_cut_off_is_counted_where_it_is_too_much_to_draw(lost):
    text = " ".join(["word"] * (75 + lost))
    spans = [(5 * n, 5 * n + 4) for n in range(75 + lost)]
    long = Tokenization.of(
        tokenizer="tokenizer",
        text=text,
        max_length=77,
        ids=[0, *[7] * 75, 1, *[7] * lost],
        pieces=["<s>", *["word</w>"] * 75, "<e>", *["word</w>"] * lost],
        kinds=["start", *["text"] * 75, "end", *["truncated"] * lost],
        spans=[None, *spans[:75], None, *spans[75:]],
    )
    picture = views.tokens(long)
    assert len(boxes(picture)) == 77
    assert written(picture)[0] == f"tokenizer, 77 of 77 positions; {lost:,} more tokens were cut off"
    assert f"; {lost} tokens more" in picture.alt


def test_too_many_tokens_and_none_at_all_are_said():
    with pytest.raises(
        TokenError, match=r"tokenizer made 302 tokens: too many for a figure; sdx\.tokens shows them as a"
    ):
        views.tokens(synthetic.tokenization("word " * 299 + "word"))
    with pytest.raises(TokenError, match="there is nothing to draw: this pipeline has no tokenizer"):
        views.tokens(Tokenizations({}))


def test_a_prompt_without_text_is_not_told_as_an_empty_list():
    assert "holds no text" in views.tokens(synthetic.tokenization("")).alt


def test_notes_stand_beneath_the_tokens():
    """As where the two tokenizers of SDXL part."""
    note = "the tokenizers do not agree at position 2: " + "at 2, tokenizer has 'cat', tokenizer_2 has 'dog'; " * 4
    read = {"tokenizer": synthetic.tokenization("a cat")}
    picture = views.tokens(Tokenizations(read, notes=(note,)))
    assert " ".join(written(picture)).endswith(note.strip())
    assert f"Note: {note[:40]}" in picture.alt
    assert "Note" not in views.tokens(Tokenizations(read)).alt
    low, high = (
        views.tokens(one).figure.get_size_inches()[1] for one in (Tokenizations(read), Tokenizations(read, [note]))
    )
    assert high > low + 0.3


def test_the_line_of_code_names_the_prompt_as_it_was_typed():
    """The names of all vectors of a textual inversion, typed again, would stand for twice as many."""
    text = "a <toy> <toy>_1"
    read = Tokenization.of(
        tokenizer="tokenizer",
        text=text,
        max_length=None,
        ids=[1, 2, 3],
        pieces=text.split(),
        kinds=["text"] * 3,
        spans=[(0, 1), (2, 7), (8, 15)],
        names=[(2, 15)],
    )
    assert "sdx.tokens(pipe, 'a <toy>')" in views.tokens(read).call


def test_that_tokenizers_part_is_said_in_the_language_of_the_figure():
    def read(word, name):
        return Tokenization.of(
            tokenizer=name,
            text="a b",
            max_length=None,
            ids=[1, 2],
            pieces=["a", word],
            kinds=["text", "text"],
            spans=[(0, 1), (2, 3) if word == "b" else (0, 1)],
        )

    both = {"tokenizer": read("b", "tokenizer"), "tokenizer_2": read("c", "tokenizer_2")}
    note = SharedKeys.of(both, [(name, 0) for name in both]).parting
    source = Tokenizations(both, notes=(note, "own words"))
    assert "tokenizers do not agree at position 1" in views.tokens(source).alt
    with sdx.set_options(lang="ja"):
        alt = views.tokens(source).alt
    assert "do not agree" not in alt
    assert "own words" in alt
