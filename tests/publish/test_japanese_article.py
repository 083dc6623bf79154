"""The article in Japanese of this project: its words are Japanese, its files are those of the sidecars."""

import hashlib
import json
import re
from pathlib import Path

import sdexplore as sdx
from sdexplore.publish.material import name_of
from sdexplore.publish.sidecars import drawn_otherwise
from sdexplore.publish.sites.emphasis import stars_that_stay

ARTICLE = Path(__file__).parents[2] / "images" / "inside-a-small-diffusion"
FACTS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ARTICLE.glob("[0-9]*.json"))]
KANA = re.compile(r"[ぁ-んァ-ン]")


def test_alt_texts_and_captions_are_japanese_and_differ():
    assert [facts["key"] for facts in FACTS] == ["story", "tokens", "denoising", "guidance", "attention", "layers"]
    for facts in FACTS:
        assert facts["lang"] == "ja"
        assert KANA.search(facts["alt"])
        assert KANA.search(facts["caption"])
        assert facts["caption"] not in facts["alt"]


def test_its_pictures_are_those_of_the_sidecars_and_small():
    for facts in FACTS:
        content = (ARTICLE / facts["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert sum(path.stat().st_size for path in ARTICLE.iterdir()) < 1_600_000


def test_its_page_shows_them_in_order_and_no_stars():
    page = (ARTICLE / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"00\d\.png", page) == [facts["file"] for facts in FACTS]
    assert list(stars_that_stay(page)) == []


def test_a_figure_of_it_is_made_again():
    made = sdx.reproduce(ARTICLE / "002.json", sdx.load())
    assert made.picture.lang == "ja"
    assert made.picture.alt == FACTS[1]["alt"]
    assert made.same or drawn_otherwise(FACTS[1]), made  # another matplotlib draws other pixels


def test_a_line_with_a_language_has_the_name_of_its_view(trace):
    with sdx.set_options(lang="ja"):
        picture = sdx.views.attention(trace, ["cat"])
    assert name_of(str(picture.call), "figure") == "attention"
