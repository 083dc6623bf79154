"""A Chromium without a window. It stays open from one file of tests to the next, if both need it."""

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
PAUSE = 40  # milliseconds between two looks

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
    """Waits until the first of these elements is visible; returns it.

    Playwright's `wait_for` looks twice a second. This looks as soon as a hand would.
    """
    first, ends = locator.first, time.monotonic() + seconds
    while not first.is_visible():
        if time.monotonic() > ends:
            first.wait_for(timeout=1)  # its error says what it waited for
        first.page.wait_for_timeout(PAUSE)
    return first


def keep(page, name, *, whole=False):
    """Saves a picture of a page as artifacts/<name>.png: what is seen, or the whole page."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)
