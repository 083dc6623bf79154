"""Films one run in the dashboard, in a real JupyterLab and a real Chromium, as an animated WebP.

`make readme-film` calls it with the path of the film. A frame that equals the one before it makes that one last longer.
"""

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from lab import ARGUMENTS, CHROMIUM, NOT_ARGUMENTS, jupyterlab, open_notebook
from playwright.sync_api import sync_playwright
from warm_kernels import warm_kernels

CELLS = [
    "import sdexplore as sdx\npipe = sdx.load()",
    "sdx.explore(pipe, prompt='a cat and a rocket in space', seed=3, num_inference_steps=20)",
    "\n" * 60,  # room to scroll
]
WIDE, HIGH = 1280, 1010
PIXELS = 960  # of the film's width
EDGE = 8  # pixels around the dashboard
PAUSE = 250  # milliseconds between two frames


class Film:
    """Frames of the dashboard's place in the page, each with the milliseconds that it is shown."""

    def __init__(self, page: Any, area: Any) -> None:  # noqa: ANN401  (Playwright's)
        self.page, self.area = page, area
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def shoot(self, milliseconds: int = PAUSE) -> None:
        """Adds what is to be seen now."""
        place = self.area.bounding_box()
        panel = self.page.locator(".jp-WindowedPanel-outer").bounding_box()
        left, top = place["x"] - EDGE, place["y"] - EDGE
        high = panel["y"] + panel["height"] - top
        shot = self.page.screenshot(clip={"x": left, "y": top, "width": place["width"] + 2 * EDGE, "height": high})
        frame = Image.open(io.BytesIO(shot)).convert("RGB")
        frame = frame.resize((PIXELS, round(PIXELS * frame.height / frame.width)), Image.Resampling.LANCZOS)
        if self.frames and frame.tobytes() == self.frames[-1].tobytes():
            self.times[-1] += milliseconds
        else:
            self.frames.append(frame)
            self.times.append(milliseconds)

    def shoot_until(self, text: str) -> None:
        """Adds frames until the dashboard says `text`."""
        while not self.area.get_by_text(text).first.is_visible():
            self.shoot()
            time.sleep(PAUSE / 1000)

    def save(self, path: str) -> None:
        """Writes the film, which begins again at its end."""
        first, *others = self.frames
        first.save(path, save_all=True, append_images=others, duration=self.times, loop=0, quality=60, method=6)


def walk(page: Any, area: Any, film: Film) -> None:  # noqa: ANN401  (as above)
    """One run, and a look into the sections."""
    area.locator("button", has_text="Run").first.click()
    film.shoot_until("Done in")
    canvas = area.locator("canvas").first
    canvas.wait_for()
    page.wait_for_timeout(1000)
    film.shoot(1500)
    box = canvas.bounding_box()
    for down, over in ((0.30, 0.38), (0.38, 0.50), (0.50, 0.45), (0.62, 0.55), (0.72, 0.62), (0.20, 0.85)):
        page.mouse.move(box["x"] + over * box["width"], box["y"] + down * box["height"])
        page.wait_for_timeout(150)
        film.shoot(700)
    page.mouse.move(0, 0)
    for title in ("Attention", "Denoising", "Guidance"):
        area.locator(".lm-TabBar-tab", has_text=title).click()
        area.locator(".widget-tab-contents img.widget-image:visible").last.wait_for()
        page.wait_for_timeout(2500)
        film.shoot(2200)
        if title == "Denoising":
            area.get_by_role("slider", name="step", exact=True).focus()
            for _ in range(19):
                page.keyboard.press("ArrowUp")
                page.wait_for_timeout(400)
                film.shoot()


def main(path: str) -> None:
    """Films the embedded model."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        warm_kernels(Path(folder) / "kernels") as kernels,
        jupyterlab(Path(folder), kernels) as lab,
    ):
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, ignore_default_args=NOT_ARGUMENTS
        )
        notebook = open_notebook(lab, browser, "film.ipynb", CELLS)
        page = notebook.page
        page.set_viewport_size({"width": WIDE, "height": HIGH})
        notebook.theme("JupyterLab Light")
        for cell in range(2):
            notebook.run(cell)
        area = page.locator(".jp-Cell").nth(1).locator(".sdexplore").first
        area.locator("button", has_text="Run").first.wait_for()
        area.evaluate("one => one.closest('.jp-OutputArea').scrollIntoView({block: 'start'})")
        page.add_style_tag(content=".jp-Cell:nth-child(3) { visibility: hidden }")
        film = Film(page, area)
        film.shoot(900)
        walk(page, area, film)
        film.save(path)
        lab.end_kernels()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
