"""Articles in each site's own renderer: what a reader of the site sees. See `site_renderers` for what it needs."""

import re
import unicodedata

import pytest
import synthetic
from hostile import EVIL, Seen
from PIL import Image
from site_renderers import missing, rendered

import sdexplore as sdx
from sdexplore.publish.sites.registry import SITES as REGISTERED

SLUG = "seen-through-its-site"
ADDRESS = "https://me.github.io/x"
DOT = Image.new("RGB", (4, 4), "red")
WORDS = (
    EVIL,
    "**bold** _it_ ~~s~~ `code` ``x``",
    "![i](y) [[x]] ](x) @[card](https://example.com)",
    "$x$ and $$y$$ \\ \\* :tada: :::message",
    "&amp; &#42; <!-- c --> </figure> 1. 2)",
    "1. list",
    "- item --- ...",
    '東京 🌸 「桜」 (cat:1.2) it\'s "so"',
    "guidance_scale 7.5；guidance_scale 15。「**猫**」の地図（x0）、*0〜0.179*。",
)
SITES = [
    pytest.param(site, marks=pytest.mark.skipif(missing(site) is not None, reason=str(missing(site))))
    for site in ("zenn", "qiita", "github", "hugo", "quarto")
]
CAPTION = {"hugo": "figcaption", "quarto": "figcaption"}  # of the others: em

pytestmark = [pytest.mark.npm, pytest.mark.parametrize("site", SITES)]


def plain(text):
    """Full-width twins and white space aside, as are the signs that no reader sees."""
    return " ".join(unicodedata.normalize("NFKC", text).replace("⏎", " ").replace("\u200b", "").split())


def article_of(site, root, **facts):
    return sdx.Article(SLUG, site, root, address=ADDRESS, **facts)


def body_of(article, site):
    """The page without its head."""
    page = article.save().read_text(encoding="utf-8")
    return page.partition("\n\n")[2] if site == "github" else page.partition("\n---\n")[2]


@pytest.mark.parametrize("width", [None, 90])
def test_words_are_read_as_they_are(tmp_path, site, width):
    pages = []
    for number, words in enumerate(WORDS):
        article = article_of(site, tmp_path / str(number))
        pages.append(body_of(article.add(DOT, key="a", alt=words, caption=words, width=width), site))
    for words, html in zip(WORDS, rendered(site, *pages), strict=True):
        seen = Seen(html, CAPTION.get(site, "em"))
        assert [plain(alt) for alt in seen.alts] == [plain(words)]
        assert plain(seen.words) == plain(words)
        assert seen.tags <= {"p", "img", "em", "br", "a", "figure", "figcaption", "div"}
        assert [re.sub(r"\D", "", str(shown)) for shown in seen.widths] == ["90" if width else ""]


def test_guidance_scale_reads_as_typed_in_alt_and_caption(tmp_path, site):
    words = "guidance_scale 7.5"
    (html,) = rendered(site, body_of(article_of(site, tmp_path).add(DOT, key="a", alt=words, caption=words), site))
    seen = Seen(html, CAPTION.get(site, "em"))
    assert (seen.alts, seen.words.strip()) == ([words], words)


def test_a_whole_article_in_japanese_is_as_it_was_meant(tmp_path, site):
    trace = synthetic.trace(prompt="a cat and a rocketship")
    article = article_of(site, tmp_path, title="見る")
    with sdx.set_options(lang="ja"):
        picture = sdx.views.attention(trace, ["cat"])
    article.text("## 拡散モデル\n\n「**猫**」の地図。").code("print('```')").add(picture, width=500)
    (html,) = rendered(site, body_of(article, site))
    seen = Seen(html, CAPTION.get(site, "em"))
    assert "001.png" in html
    assert re.search(r"拡散モデル\s*</h2>", html)
    assert "「<strong>猫</strong>」の地図" in html
    assert plain(seen.alts[0]) == plain(picture.alt)
    assert plain(seen.words) == plain(picture.caption)
    assert "500" in seen.widths[0]
    assert "print" in html


def test_stars_are_warned_of_where_the_renderer_shows_them(site):
    passage = "地図の**「猫」**を見る"
    (html,) = rendered(site, passage)
    notices = REGISTERED[site].passage_notices(passage)
    assert bool(notices) == ("**" in html) == (site != "quarto")


def test_the_page_of_a_run_is_reached(tmp_path, site):
    article = article_of(site, tmp_path)
    if site in ("zenn", "qiita"):
        sdx.page(synthetic.trace(), tmp_path / "run.html")
        article.text("[実行を見る](https://me.github.io/x/run.html)")
    else:
        article.page(synthetic.trace(), key="run", text="実行を [見る]")
    (html,) = rendered(site, body_of(article, site))
    (link,) = Seen(html).links
    there = {"github": f"images/{SLUG}/run.html", "hugo": f"images/{SLUG}/run.html"}
    assert link == ("run.html" if site == "quarto" else f"{ADDRESS}/{there.get(site, 'run.html')}")
    assert ("<iframe" in html) == (site == "quarto")
