"""The site: built strictly, as `make site` builds it, then read page by page and walked in a real Chromium."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from built_site import Site

import sdexplore as sdx
from sdexplore import mini, studies, theory, views

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "notebooks" / "site" / "build.py"
WALKED = ("index", "05_attention", "reference/views")
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run([sys.executable, BUILD, folder], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    yield Site(folder)
    shutil.rmtree(folder.parent)  # 150 MB


def test_every_notebook_is_a_page_with_its_heading_in_the_menu(site):
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(notebooks) >= 12
    for path in notebooks:
        assert f"{path.stem}.html" in site["index"].links


def test_every_link_leads_somewhere_and_everything_loaded_is_there(site):
    assert site.lost() == []
    assert not [address for page in site.pages.values() for address in page.links if "OWNER" in address]


def test_no_page_asks_another_host(site):
    assert site.hosts() == []
    assert any("tex-svg.js" in address for address in site["02_tokens_and_text"].loads)  # where there are formulas


def test_every_picture_is_described(site):
    pictures = [(page.path.name, facts) for page in site.pages.values() for facts in page.pictures]
    assert len(pictures) > 200
    for name, facts in pictures:
        assert len(facts.get("alt") or "") > 15, (name, facts)
        assert "_images/" not in facts["alt"], (name, facts)  # what stands there for want of an alt text
    assert all(title for page in site.pages.values() for title in page.titles)


def test_a_stored_dashboard_shows_its_picture(site):
    alts = [facts["alt"] for facts in site["00_explore"].pictures]
    (kept,) = [alt for alt in alts if alt.startswith("The components of a StableDiffusionPipeline")]
    assert "unet, UNet2DConditionModel" in kept


def test_every_public_name_has_an_entry(site):
    entries = set().union(*(page.names for page in site.pages.values()))
    for name in sdx.__all__:
        assert entries & {f"sdexplore.{name}", f"module-sdexplore.{name}"}, name
    for room in (mini, views, studies, theory):
        for name in room.__all__:
            assert name in sdx.__all__ or f"{room.__name__}.{name}" in entries, name


def test_examples_in_docstrings_are_code(site):
    for path in (site.folder / "reference").glob("*.html"):
        assert "<blockquote>" not in path.read_text(encoding="utf-8"), path.name  # what an indented text without :: is


@pytest.mark.parametrize("page", ["reference/views", "reference/gallery"])
def test_every_view_has_a_picture_of_its_own(site, page):
    shown = {Path(facts["src"]).stem: facts["alt"] for facts in site[page].pictures}
    assert {f"view-{view}" for view in views.__all__} == set(shown)
    assert len(set(shown.values())) == len(shown)


def test_the_gallery_leads_to_every_view(site):
    for view in views.__all__:
        assert f"views.html#sdexplore.views.{view}" in site["reference/gallery"].links


def opened(browser, site, name, **options):
    """A page of the site, opened as a file, and what it complained about."""
    page = browser.new_context(**options).new_page()
    complaints = []
    page.on("request", lambda asked: asked.url.startswith(("file:", "data:", "blob:")) or complaints.append(asked.url))
    page.on("requestfailed", lambda asked: complaints.append(asked.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((site.folder / f"{name}.html").as_uri())
    return page, complaints


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_pages_fit_the_screen(browser, site, width, scheme):
    for name in WALKED:
        page, complaints = opened(browser, site, name, viewport={"width": width, "height": 900}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        dark = sum(map(int, page.evaluate(GROUND).strip("rgb()").split(","))) < 200
        assert dark == (scheme == "dark")
        assert complaints == []
        page.context.close()


def test_the_run_to_explore_has_the_theme_that_the_reader_chooses(browser, site):
    page, complaints = opened(browser, site, "reference/a_run", color_scheme="light")
    inner = page.frames[1]
    inner.locator(".explorer[aria-busy=false]").wait_for()
    seen = set()
    for _ in range(3):  # auto, light, dark
        page.get_by_role("button", name="Toggle Light / Dark / Auto color theme").first.click()
        theme = page.evaluate("document.body.dataset.theme")
        ground = "rgb(20, 23, 27)" if theme == "dark" else "rgb(255, 255, 255)"
        for _ in range(100):
            if inner.evaluate(GROUND) == ground:
                break
            page.wait_for_timeout(50)
        assert inner.evaluate(GROUND) == ground
        seen.add(theme)
    assert seen == {"auto", "light", "dark"}
    assert complaints == []
    page.context.close()


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(BUILD.parent)
    return importlib.import_module


def test_links_lead_to_a_page_or_to_the_repository_or_are_text(extension, monkeypatch):
    links = extension("links")
    page, known = ROOT / "notebooks" / "reference" / "x.md", links.pages()

    def repaired(text, home=None):
        return links.repaired(text, ROOT / "README.md", page, known, home)

    assert repaired("[one](notebooks/05_attention.ipynb#a)") == "[one](../05_attention.ipynb#a)"
    assert repaired("[the\nmodel](sdexplore/mini/MODEL_CARD.md)") == "[the\nmodel](more/model_card.md)"
    assert repaired("![a [b]](images/readme/tokens.png)") == "![a [b]](../../images/readme/tokens.png)"
    assert repaired("see [`make`](Makefile), [x](https://x.org)") == "see `make`, [x](https://x.org)"
    monkeypatch.setenv("SDEXPLORE_REPOSITORY", "https://example.org/we/sdexplore/")
    home = links.repository()
    assert repaired("[`make`](Makefile)", home) == "[`make`](https://example.org/we/sdexplore/blob/main/Makefile)"


def test_a_copied_file_with_the_name_of_a_page_is_refused(extension, tmp_path):
    made = extension("made_pictures")
    (tmp_path / "made" / "extra" / "reference").mkdir(parents=True)
    (tmp_path / "made" / "extra" / "reference" / "gallery.html").touch()
    with pytest.raises(made.ExtensionError, match=r"gallery\.html is both"):
        made._not_hidden(SimpleNamespace(doctreedir=tmp_path), SimpleNamespace(found_docs={"reference/gallery"}))


def test_a_view_that_nothing_shows_is_named(extension):
    made = extension("made_pictures")
    with pytest.raises(made.ExtensionError, match=r"no notebook shows sdx\.views\.a_new_one"):
        made.drawn("a_new_one", made.Material())


def test_what_notebooks_show_is_what_they_say(extension):
    found = extension("made_pictures").in_notebooks()
    assert found["attention"]["call"].startswith("sdx.views.attention(")
    for view, facts in found.items():
        assert facts["png"].startswith(b"\x89PNG"), view
    for name in {facts["notebook"] for facts in found.values()}:
        assert json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
