"""Stars that a reader would see as stars are found, each with its place; others are not."""

import warnings

import pytest
from articles import SLUG

import sdexplore as sdx
from sdexplore.publish.sites.emphasis import stars_that_stay


@pytest.mark.parametrize(
    ("passage", "places"),
    [
        ("地図の**「猫」**を見る", ["地図の**「猫」**を見る", "地図の**「猫」**を見る"]),
        ("*猫の地図。*次の文", ["*猫の地図。*次の文"]),
        ("**猫（ねこ）**は\n\nまた**犬**は", ["**猫（ねこ）**は"]),
        ("これは**「猫」**と呼ぶ。また**重み**だ。", ["これは**「猫」**と呼ぶ。また*"]),  # pairs wrongly with the next
    ],
)
def test_stars_between_a_letter_and_a_bracket_are_named_with_their_place(passage, places):
    assert list(stars_that_stay(passage)) == places


@pytest.mark.parametrize(
    "passage",
    [
        "「**猫**」の、**猫**の、**「猫」** は、*犬*。",
        "***猫***の *犬**猫**犬* と **犬*猫*犬**",
        "* 「猫」\n* 犬\n\n***\n\n2 * 3、16*16",
        "`**「猫」**の` と ``*「`*「犬` `` と $a*「b」*の$ と猫\\*「犬」",
        "```python\nf(**「猫」**の)\n\n*「猫」*の\n```\n\n~~~\n**「猫」**の\n~~~",
        '[猫](https://example.com/の*「)、<a title="の*「">',
        "f(**kwargs) and *this*.",
    ],
)
def test_stars_that_are_read_and_those_that_are_no_emphasis_are_not_named(passage):
    assert list(stars_that_stay(passage)) == []


def test_the_author_is_warned_where_the_text_is_given(tmp_path):
    with pytest.warns(UserWarning, match=r"の\*\*「猫」") as warned:
        sdx.Article(SLUG, root=tmp_path).text("地図の**「猫」**を見る")
    assert {one.filename for one in warned} == {__file__}


def test_pandoc_reads_them_so_quarto_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sdx.Article(SLUG, "quarto", tmp_path).text("地図の**「猫」**を見る")
