"""The explorer's page in a real Chromium, driven as a reader drives it, and what Python says of the same trace."""

import functools

import pytest
import synthetic
from chromium import keep, seen

import sdexplore as sdx

OFFLINE = "for (const name of ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'Worker']) delete window[name]"
PIXEL = """(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true})
  copy.drawImage(canvas, 0, 0)
  return [...copy.getImageData(x, y, 1, 1).data]
}"""
Y, X = synthetic.Y, synthetic.X
HIGH, WIDE = 64, 96


@functools.lru_cache(maxsize=1)
def page_of_all(browser):
    """A page that shows one explored trace after the other: it spares the start of a process for each."""
    page = browser.new_page()
    page.add_init_script(OFFLINE)
    return page


class Opened:
    """A page of an explored trace, with everything it asked for and complained about.

    `before` is a script that runs before the page's own, to make a browser that lacks something.
    """

    def __init__(self, browser, path, *, before="", viewport=None, color_scheme="light", **options):
        if before or options:
            self.own = browser.new_context(**options)
            self.page = self.own.new_page()
            self.page.add_init_script(f"{OFFLINE}; {before}")
        else:
            self.own, self.page = None, page_of_all(browser)
        self.page.set_viewport_size(viewport or {"width": 1280, "height": 860})
        self.page.emulate_media(color_scheme=color_scheme)
        self.complaints = []
        self.heard = {
            "request": lambda request: self.complaints.append(request.url),
            "console": lambda message: self.complaints.append(message.text),
            "pageerror": lambda error: self.complaints.append(str(error)),
        }
        for event, hear in self.heard.items():
            self.page.on(event, hear)
        self.page.goto(path.as_uri())
        self.complaints.remove(path.as_uri())  # the file itself
        self.stage = self.page.locator(".stage")
        if not before and options.get("java_script_enabled", True):
            seen(self.page.locator(".explorer[aria-busy=false]"))  # every step is unpacked

    def close(self):
        complaints = list(self.complaints)
        for event, hear in self.heard.items():
            self.page.remove_listener(event, hear)
        if self.own:
            self.own.close()
        else:
            self.page.mouse.move(0, 0)
            self.page.goto("about:blank")
        assert complaints == []

    def point(self, down, over):
        """(x, y) on the screen of a place on the stage, as shares of its height and width."""
        box = self.stage.bounding_box()
        return box["x"] + over * box["width"], box["y"] + down * box["height"]

    def hover(self, row, column):
        self.page.mouse.move(*self.point((row + 0.5) / Y, (column + 0.5) / X))
        self.titled(f"Pixel row {row}, column {column} looks at")

    def titled(self, text):
        seen(self.page.locator("h3", has_text=text))

    def settle(self):
        """Waits until what was asked for is drawn."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector):
        self.settle()
        return self.page.locator(selector).text_content()

    def ranked(self):
        """Word -> (inside, outside), most looked at first."""
        self.settle()
        rows = self.page.locator(".ranked li").evaluate_all(
            "rows => rows.map(row => [row.querySelector('.name').textContent, row.dataset.inside, row.dataset.outside])"
        )
        return {name.removesuffix(" (2×)"): (float(inside), float(outside)) for name, inside, outside in rows}

    def heat(self, row, column):
        """Red, green, blue, opacity of a pixel of the map on the stage."""
        self.settle()
        return self.page.locator(".heat").evaluate(PIXEL, [column, row])

    def keep(self, name):
        keep(self.page, name, whole=True)


def words_of(trace, row, column, **asked):
    """What Python says of a pixel, most looked at first."""
    maps = {word: sdx.word_map(trace, word, **asked) for word in ("a", "cat", "and", "rocketship")}
    at = {w: (m[row, column], (m.sum() - m[row, column]) / (m.size - 1)) for w, m in maps.items()}
    return dict(sorted(at.items(), key=lambda pair: -pair[1][0]))


def same(found, expected):
    assert list(found) == list(expected)
    for word, numbers in expected.items():
        assert found[word] == pytest.approx(numbers, abs=2e-5), word


def inside(trace, box):
    found = sdx.region_words(trace, box)
    return zip(found.words, found.inside, strict=True)
