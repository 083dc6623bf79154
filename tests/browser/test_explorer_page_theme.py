"""The explorer's page inside another page: it has that page's theme, from a file too."""

import pytest
from chromium import seen
from explorer_pages import Opened, page_of_all

import sdexplore as sdx

GROUNDS = """() => [document.body, document.querySelector('#explorer > div').shadowRoot.querySelector('.explorer')]
  .map(element => getComputedStyle(element).backgroundColor)"""
LIGHT, DARK = ["rgb(255, 255, 255)"] * 2, ["rgb(20, 23, 27)"] * 2
AROUND = """<!DOCTYPE html><title>Around</title><iframe src="synthetic.html"></iframe><script>
addEventListener("message", ({data, source}) => data.asks === "theme" && source.postMessage({theme: "THEME"}, "*"))
</script>"""


@pytest.fixture(scope="module")
def folder(trace, tmp_path_factory):
    return sdx.page(trace, tmp_path_factory.mktemp("pages") / "synthetic.html").parent


def framed(browser, folder, theme, system):
    """A page around the page, and the page in it."""
    around = folder / f"{theme}.html"
    around.write_text(AROUND.replace("THEME", theme))
    page = page_of_all(browser)
    page.emulate_media(color_scheme=system)
    page.goto(around.as_uri())
    inner = page.frames[1]
    inner.locator(".explorer[aria-busy=false]").wait_for()
    return page, inner


@pytest.mark.parametrize(
    ("theme", "system", "ground"),
    [("dark", "light", DARK), ("light", "dark", LIGHT), ("auto", "dark", DARK), ("pink", "light", LIGHT)],
)
def test_it_is_told_the_theme_when_it_asks(browser, folder, theme, system, ground):
    _, inner = framed(browser, folder, theme, system)
    assert inner.evaluate(GROUNDS) == ground


def test_it_changes_with_the_page_around_it_and_listens_to_no_other(browser, folder):
    page, inner = framed(browser, folder, "light", "light")
    for theme, ground in (("dark", DARK), ("light", LIGHT)):
        page.evaluate("theme => frames[0].postMessage({theme}, '*')", theme)
        for _ in range(500):  # the page allows no wait_for_function, which would evaluate a string in it
            if inner.evaluate(GROUNDS) == ground:
                break
            page.wait_for_timeout(20)
        assert inner.evaluate(GROUNDS) == ground
    inner.evaluate("new Promise(done => { postMessage({theme: 'dark'}, '*'); setTimeout(done, 50) })")
    assert inner.evaluate(GROUNDS) == LIGHT


def test_a_page_on_its_own_asks_nobody(browser, folder):
    opened = Opened(browser, folder / "synthetic.html", before="window.asked = []; onmessage = e => asked.push(e.data)")
    seen(opened.page.locator(".explorer[aria-busy=false]"))
    assert opened.page.evaluate("asked") == []
    opened.close()
