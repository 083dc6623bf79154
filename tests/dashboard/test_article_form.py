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
