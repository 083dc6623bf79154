"""The explorer's page while it is unpacked, and in browsers that lack something."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import synthetic
from chromium import seen
from explorer_pages import PIXEL, WIDE, Opened, same, words_of

import sdexplore as sdx

HELD = "window.parts = []; window.requestIdleCallback = (answer) => window.parts.push(answer)"
ONE_PART = "window.parts.shift()({ timeRemaining: () => 0 })"
NO_BITMAPS = "window.createImageBitmap = () => Promise.reject(new Error('no such format'))"
NO_IDLE_TIME = "delete window.requestIdleCallback"
NO_SHADOW = "Element.prototype.attachShadow = undefined"


@pytest.fixture(scope="module")
def path(trace, tmp_path_factory):
    return sdx.page(trace, tmp_path_factory.mktemp("pages") / "synthetic.html")


def test_picture_and_mean_are_explored_before_the_steps_are_unpacked_and_a_step_says_that_it_waits(
    browser, path, trace
):
    opened = Opened(browser, path, before=HELD)
    page = opened.page
    opened.hover(2, 5)
    same(opened.ranked(), words_of(trace, 2, 5))
    assert page.locator(".base").evaluate(PIXEL, [10, 20])[:3] == list(trace.image[20, 10])
    assert page.locator(".explorer").get_attribute("aria-busy") == "true"

    page.get_by_label("Step", exact=True).fill("3")
    page.get_by_label("x0 uncond").check(force=True)
    assert opened.text(".what").startswith("Unpacking step 3")
    assert opened.text(".veil").startswith("Unpacking step 3")
    assert opened.text(".step-text").endswith(": unpacking")
    assert set(page.locator(".ranked .value").all_text_contents()) == {"–"}
    assert page.locator(".mini").first.evaluate(PIXEL, [0, 0])[3] == 0  # no colour: not that of 0
    assert page.locator(".thumb").last.evaluate(PIXEL, [0, 0])[3] == 0  # nor the map of another step
    assert page.locator(".heat").is_hidden()
    opened.hover(2, 4)

    parts = 0
    while opened.text(".what").startswith("Unpacking"):
        page.evaluate(ONE_PART)
        parts += 1
        opened.settle()
    assert parts > 3
    assert page.locator(".explorer").get_attribute("aria-busy") == "true"  # earlier steps are still to come
    opened.hover(2, 6)
    same(opened.ranked(), words_of(trace, 2, 6, steps=3))
    assert opened.text(".step-text").endswith("linear preview")
    while page.evaluate("window.parts.length"):
        page.evaluate(ONE_PART)
    assert page.locator(".explorer").get_attribute("aria-busy") == "false"
    opened.close()


@pytest.fixture
def slow(path):
    """A server that sends a page up to its data, and the rest when it is told: (address, event)."""
    content, rest = path.read_bytes(), threading.Event()
    cut = content.index(b' id="data"') + 400

    class Slowly(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut])
            rest.wait(60)
            self.wfile.write(content[cut:])

        def log_message(self, *_):
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Slowly) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", rest
        rest.set()
        server.shutdown()
        thread.join()


def test_picture_and_mean_are_explored_while_the_rest_of_the_page_loads(browser, slow, trace):
    address, rest = slow
    context = browser.new_context()
    page = context.new_page()
    page.goto(address, wait_until="commit")
    page.get_by_role("button", name="cat", exact=True).click()
    assert page.locator(".what").text_content().startswith("“cat”")
    means = page.locator(".ranked li .value").all_text_contents()
    most = max(sdx.word_map(trace, word).mean() for word in ("a", "cat", "and", "rocketship"))
    assert float(means[0]) == pytest.approx(most, rel=6e-3)
    page.get_by_label("Step", exact=True).fill("3")
    seen(page.locator(".what", has_text="Unpacking step 3"))
    assert page.evaluate("document.readyState") == "loading"
    rest.set()
    seen(page.locator(".explorer[aria-busy=false]"))
    seen(page.locator(".what", has_text="of step 3"))
    context.close()


def test_without_idle_time_everything_is_unpacked_too(browser, path, trace):
    opened = Opened(browser, path, before=NO_IDLE_TIME)
    seen(opened.page.locator(".explorer[aria-busy=false]"))
    opened.page.get_by_label("Step", exact=True).fill("0")
    opened.hover(4, 4)
    same(opened.ranked(), words_of(trace, 4, 4, steps=0))
    opened.close()


def test_a_browser_that_cannot_read_the_pictures_shows_linear_previews_and_says_why(browser, path):
    opened = Opened(browser, path, before=NO_BITMAPS)
    seen(opened.page.locator(".explorer[aria-busy=false]"))
    opened.page.get_by_label("Step", exact=True).fill("3")
    opened.page.get_by_label("predicted x0").check(force=True)
    text = "linear preview (this browser cannot read the decoded picture)"
    seen(opened.page.locator(".step-text", has_text=text))
    opened.close()


def test_a_browser_that_cannot_explore_keeps_the_picture_and_says_so(browser, path):
    opened = Opened(browser, path, before=NO_SHADOW)
    seen(opened.page.get_by_text("It cannot be explored in this browser"))
    assert opened.page.locator("#explorer img").bounding_box()["width"] == WIDE
    assert [text for text in opened.complaints if "attachShadow" in text]
    opened.complaints.clear()
    opened.close()


def test_a_decoded_picture_is_off_by_no_more_than_the_page_says(browser, tmp_path):
    rows, columns = np.mgrid[0:64, 0:96]
    smooth = np.stack([2 * columns, 3 * rows, 255 - rows - columns], -1).astype(np.uint8)
    trace = synthetic.trace(decoded={3: smooth}, decoded_x0={})
    opened = Opened(browser, sdx.page(trace, tmp_path / "smooth.html"))
    page = opened.page
    page.get_by_label("Step", exact=True).fill("3")
    page.get_by_label("noisy x_t").check(force=True)
    seen(page.locator(".step-text", has_text="decoded by the VAE"))
    found = page.locator(".base").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )
    error = np.sqrt(np.mean((np.array(found).reshape(64, 96, 4)[..., :3] - smooth.astype(float)) ** 2))
    (said,) = page.locator("p", has_text="Pictures that the VAE decoded").all_text_contents()
    assert error <= float(said.split("at most ")[1].split(" of 255")[0]) + 0.3  # decoders round otherwise
    opened.close()
