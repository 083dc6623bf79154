"""The form under each figure that puts it into the article, and the list of what the article holds."""

import pytest
import synthetic
from dashboards import Page

import sdexplore as sdx

SLUG = "inside-stable-diffusion"


@pytest.fixture
def page(tmp_path):
    explorer = sdx.explore(synthetic.trace(), section="Attention")
    found = Page(explorer)
    found.open("Export").set("root", str(tmp_path))
    yield found
    explorer.close()


def test_a_figure_goes_into_the_article_with_the_words_that_were_given(page, tmp_path):
    page.open("Attention").press("Into the article")
    assert page.find("key").value == "attention"
    assert page.find("caption").value
    assert "cat" in page.find("alt text").value
    page.set("key", "where")
    page.set("caption", "Where the words looked")
    page.set("alt text", "Maps of a cat")
    page.press("Add")
    assert "Written" in page.section_message
    assert (tmp_path / "images" / SLUG / "001.png").exists()
    written = (tmp_path / "articles" / f"{SLUG}.md").read_text()
    assert "Where the words looked" in written
    assert "Maps of a cat" in written
    page.open("Export")
    assert "where" in page.text
    assert "Where the words looked" in page.text
    assert any('alt="Maps of a cat"' in getattr(one, "value", "") for one in page.tab if hasattr(one, "placeholder"))


def head_of(tmp_path, slug=SLUG):
    """The article's head: front matter between two lines of dashes."""
    return (tmp_path / "articles" / f"{slug}.md").read_text().split("---")[1]


def test_the_title_is_made_of_the_prompt_and_stays_as_it_was_first_saved(page, tmp_path):
    page.open("Attention").press("Into the article")
    page.press("Add")
    title = sdx.Article(SLUG, root=tmp_path).title
    assert "a cat and a rocketship" in title
    assert title != "a cat and a rocketship"
    assert title in head_of(tmp_path)
    assert page.open("Export").find("title").placeholder == title
    page.explorer.show(synthetic.trace(call={**synthetic.trace().call, "prompt": "a dog"}))
    page.open("Attention").press("Into the article")
    page.press("Add")
    assert title in head_of(tmp_path)


def test_a_title_that_was_typed_is_the_article_s_also_after_its_figures(page, tmp_path):
    page.open("Export").set("title", "Inside a cat")
    page.open("Attention").press("Into the article")
    page.press("Add")
    assert "Inside a cat" in head_of(tmp_path)
    page.open("Export").set("title", "Inside a rocket")
    assert "Written" in page.section_message
    assert "Inside a rocket" in head_of(tmp_path)
    page.set("title", "long " * 20)  # Zenn takes 70 characters
    assert "70" in page.alerts[0]
    assert "Inside a rocket" in head_of(tmp_path)


def test_a_title_does_not_go_over_to_another_article_that_has_its_own(page, tmp_path):
    other = "another-article"
    sdx.Article(other, root=tmp_path, title="Its own").add(synthetic.trace(), key="picture").save()
    page.open("Export").set("title", "Inside a cat")
    page.set("slug", "not-yet-written")
    assert page.find("title").value == "Inside a cat"
    page.set("slug", other)
    assert page.find("title").value == ""
    assert page.find("title").placeholder == "Its own"
    page.open("Attention").press("Into the article")
    page.press("Add")
    assert "Its own" in head_of(tmp_path, other)


def test_a_title_in_japanese_fits_the_site_however_long_the_prompt_is(tmp_path):
    long = synthetic.trace(call={**synthetic.trace().call, "prompt": "a cat\nand " * 30})
    with sdx.set_options(lang="ja"):
        explorer = sdx.explore(long, section="Attention")
    page = Page(explorer)
    page.open("書き出し").set("フォルダ", str(tmp_path))
    page.open("アテンション").press("記事に入れる")
    page.press("追加")
    title = sdx.Article(SLUG, root=tmp_path).title
    assert "画像" in title
    assert "a cat and a cat" in title
    assert len(title) <= 70
    explorer.close()


def test_a_figure_without_a_prompt_gives_a_title_too(tmp_path):
    nothing = synthetic.trace(call={**synthetic.trace().call, "prompt": None})
    explorer = sdx.explore(nothing, section="Denoising")
    page = Page(explorer)
    page.open("Export").set("root", str(tmp_path))
    page.open("Denoising").press("Into the article")
    page.press("Add")
    assert " " in sdx.Article(SLUG, root=tmp_path).title
    explorer.close()


def test_a_key_is_proposed_that_keeps_other_figures_and_replaces_the_same_one(page):
    page.open("Attention").press("Into the article")
    page.press("Add")
    page.press("Into the article")
    assert page.find("key").value == "attention"  # the same figure again
    page.press("Not now")
    page.press("cat")
    page.press("Into the article")
    assert page.find("key").value == "attention-2"


def test_every_section_with_a_figure_has_a_form(page):
    for title in ("Pixels", "Attention", "Denoising", "Guidance", "Tokens"):
        page.open(title)
        forms = [one for one in page.tab if getattr(one, "description", None) == "Into the article"]
        forms[0].click()
        assert page.find("key").value, title
        assert page.alerts == []
        page.press("Not now")
    assert len(forms) == 1
    page.open("Guidance")
    assert len([one for one in page.tab if getattr(one, "description", None) == "Into the article"]) == 2


def test_what_the_article_refuses_is_said_beside_the_form(page, tmp_path):
    page.open("Export").set("slug", "no")
    assert "12 to 50" in page.alerts[0] or "no" in page.alerts[0]
    page.open("Attention").press("Into the article")
    assert page.alerts
    page.open("Export").set("slug", SLUG)
    assert page.alerts == []
    page.open("Attention").press("Into the article")
    page.set("alt text", "")
    page.press("Add")
    assert (tmp_path / "images" / SLUG / "001.png").exists() != bool(page.alerts)


def test_a_form_goes_with_its_figure(page):
    page.open("Attention").press("Into the article")
    page.explorer.state.layers = "no_such_block"
    labels = [getattr(one, "description", None) for one in page.tab]
    assert "Into the article" not in labels
    assert "Add" not in labels
