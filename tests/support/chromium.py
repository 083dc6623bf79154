"""A Chromium without a window. It stays open from one file of tests to the next, if both need it."""

import base64
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NOT_ARGUMENTS = ["--hide-scrollbars"]  # Playwright's own: without it a scrollbar takes room, as a reader sees it
# Ends soon after the page has changed, or a shadow tree in it; what belongs to the change has changed by then too.
CHANGE = """() => new Promise(done => {
  const end = () => { observer.disconnect(); clearTimeout(timer); setTimeout(done, 20) }
  const observer = new MutationObserver(end), timer = setTimeout(end, 200)
  const observe = root => {
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true })
    root.querySelectorAll('*').forEach(one => one.shadowRoot && observe(one.shadowRoot))
  }
  observe(document)
})"""

_stack = ExitStack()
_opened = []


def chromium():
    """The Chromium of this process."""
    if _opened and not _opened[0].is_connected():
        close_chromium()
    if not _opened:
        assert CHROMIUM, "these tests need a Chromium: apt-get install chromium"
        playwright = _stack.enter_context(sync_playwright())
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, ignore_default_args=NOT_ARGUMENTS
        )
        _stack.callback(found.close)
        _opened.append(found)
    return _opened[0]


def close_chromium():
    """Closes it. Until then Playwright's event loop is in the way of tests that start one of their own."""
    _opened.clear()
    _stack.close()


def seen(locator, seconds=60):
    """Waits until an element is visible: looks whenever the page has changed. Playwright's own looks twice a second."""
    ends = time.monotonic() + seconds
    while not locator.is_visible():
        if time.monotonic() > ends:
            locator.wait_for(timeout=1)  # its error says what it waited for
        locator.page.evaluate(CHANGE)


def keep(page, name, *, whole=False):
    """Saves a picture of a page as artifacts/<name>.png: what is seen, or the whole page."""
    ARTIFACTS.mkdir(exist_ok=True)
    file = ARTIFACTS / f"{name}.png"
    if whole:
        page.screenshot(path=file, full_page=True)
        return
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"optimizeForSpeed": True})  # a tenth of a second less than page's
    session.detach()
    file.write_bytes(base64.b64decode(shot["data"]))
