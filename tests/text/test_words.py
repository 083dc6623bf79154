"""Words, units and folding, compared with Unicode's own tables."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdexplore.text.words import find, fold, lone_surrogate, occurrences, units, word_spans


def words(text):
    return [text[start:stop] for start, stop in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a photo, of 1girl!", ["a", "photo", "of", "1girl"]),
        ("don't snake_case", ["don", "t", "snake", "case"]),
        ("cafe\u0301 (cat:1.2)", ["cafe\u0301", "cat", "1", "2"]),
        ("東京の桜 🌸 サクラー", ["東京", "の", "桜", "🌸", "サクラー"]),
        ("あー〜ラ", ["あー", "ラ"]),
        ("人々とｶﾞ", ["人々", "と", "ｶﾞ"]),
        ("2匹の猫cat", ["2", "匹", "の", "猫", "cat"]),
        ("แมว cat ແມວ", ["แมว", "cat", "ແມວ"]),
        ("한국어 кот γάτα", ["한국어", "кот", "γάτα"]),
        ("हिन्दी", ["हिन्दी"]),
        ("\ufe0f ❤\ufe0f", ["❤\ufe0f"]),  # marks alone are no word
        ("a 🐱 and a 🚀ship", ["a", "🐱", "and", "a", "🚀", "ship"]),
        ("🐱🐶★☃ー", ["🐱", "🐶", "★", "☃", "ー"]),
        (
            "👩🏽\u200d🚀 👨\u200d👩\u200d👧 🏃\u200d♀\ufe0f\u200d➡\ufe0f",
            ["👩🏽\u200d🚀", "👨\u200d👩\u200d👧", "🏃\u200d♀\ufe0f\u200d➡\ufe0f"],
        ),
        ("🐱\u200d cat \u200d🐱", ["🐱", "cat", "🐱"]),  # a joiner that joins nothing
        ("🇯🇵🇫🇷 🇯", ["🇯🇵", "🇫🇷", "🇯"]),
        ("🏴\U000e0067\U000e0062\U000e007f 1\ufe0f\u20e3", ["🏴\U000e0067\U000e0062\U000e007f", "1\ufe0f\u20e3"]),
        ("🏽 \U0001faef", ["🏽", "\U0001faef"]),  # a skin tone alone, and a character that Unicode had not yet assigned
        ("20° © ™ $5 €+=→ ─█⠿ \ufffd `q`^", ["20", "5", "q"]),
        ("", []),
        (" \n", []),
    ],
)
def test_words_are_runs_of_letters_digits_and_marks_of_one_script_or_an_emoji(text, expected):
    assert words(text) == expected


@given(st.text())
def test_words_hold_every_letter_and_digit_once_and_in_order(text):
    spans = word_spans(text)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    inside = {place for start, stop in spans for place in range(start, stop)}
    for place, character in enumerate(text):
        group = unicodedata.category(character)[0]
        if group in "LN":
            assert place in inside
        elif group in "PZ" or unicodedata.category(character) in ("Sm", "Sc"):
            assert place not in inside or text[place - 1] == "\u200d"  # 🙂‍↔️ shakes its head


@given(st.text())
def test_units_divide_the_text_and_normalise_alone(text):
    spans = list(units(text))
    assert "".join(text[start:stop] for start, stop in spans) == text
    alone = [unicodedata.normalize("NFC", text[start:stop]) for start, stop in spans]
    assert "".join(alone) == unicodedata.normalize("NFC", text)


def test_hangul_syllables_spelled_by_letters_are_one_unit_each():
    text = unicodedata.normalize("NFD", "한글")
    assert list(units(text)) == [(0, 3), (3, 6)]


def test_case_composition_and_spaces_do_not_matter():
    assert fold("  CAFE\u0301 \n Straße ") == fold("caf\u00e9 STRASSE") == "caf\u00e9 strasse"


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("Hot  dog, hot dog", "hot dog", [(0, 8), (10, 17)]),
        ("cafe\u0301 au lait", "caf\u00e9 AU", [(0, 8)]),
        ("straße", "s", [(0, 1)]),  # the "ss" of a folded "ß" is not two letters of the text
        ("straße", "strass", [(0, 5)]),
        ("aaaa", "aa", [(0, 2), (2, 4)]),
        ("🌸 and 🌸", "🌸", [(0, 1), (6, 7)]),
        ("cat", "dog", []),
        ("cat", " ", []),
        ("", "cat", []),
        ("xe\u0301", "e", []),
    ],
)
def test_phrases_are_found_where_they_stand_as_typed(text, phrase, expected):
    assert find(text, phrase) == expected


@given(st.text(), st.data())
def test_whatever_is_cut_out_between_units_is_found(text, data):
    spans = list(units(text))
    if spans:
        first = data.draw(st.integers(0, len(spans) - 1))
        last = data.draw(st.integers(first, len(spans) - 1))
        phrase = text[spans[first][0] : spans[last][1]]
        hits = find(text, phrase)
        assert bool(hits) == bool(fold(phrase))
        assert all(fold(text[start:stop]) == fold(phrase) for start, stop in hits)


def test_half_of_a_surrogate_pair_is_told_by_its_place():
    assert lone_surrogate("ab\ud83c") == 2
    assert lone_surrogate("ab🌸") is None


def test_a_word_of_its_own_comes_before_the_letters_within_another():
    assert occurrences("a Cat, cats and a cat", "cat") == [(2, 5), (18, 21)]
    assert occurrences("cats", "cat") == [(0, 3)] == find("cats", "cat")
    assert occurrences("a red  cat", "red cat") == [(2, 10)]
    assert occurrences("a cat", "dog") == []
