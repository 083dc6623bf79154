"""The dashboard in a real JupyterLab: run, stop, hover, two dashboards, dark theme, export, no network."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from chromium import seen
from lab import POLLING, open_notebook

ROOT = Path(__file__).parents[2]
STATUS = """text => [...document.querySelectorAll('[role=status], [role=alert]')]
  .some(one => one.offsetParent && one.textContent.includes(text))"""
CELLS = [
    "import sdexplore as sdx\npipe = sdx.load()",
    "explorer = sdx.explore(pipe, prompt='a cat and a rocket in space', seed=3, num_inference_steps=6)\nexplorer",
    "import time; time.time()",
    "second = sdx.explore(pipe, prompt='a red circle', num_inference_steps=2)\nsecond",
]


class Dashboard:
    """One dashboard in the page: the output of one cell."""

    def __init__(self, notebook, cell):
        self.notebook, self.page = notebook, notebook.page
        self.area = notebook.page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea-output").first
        seen(self.area.locator("button", has_text="Run"))

    def press(self, label):
        self.area.locator("button.jupyter-button:visible", has_text=label).first.click()

    def set_steps(self, count):
        readout = self.area.locator(".widget-readout").first
        readout.fill(str(count))
        readout.press("Enter")
        assert readout.text_content() == str(count)

    def open(self, title):
        self.area.locator(".lm-TabBar-tab, .p-TabBar-tab", has_text=title).first.click()

    def says(self, text, seconds=60):
        self.page.wait_for_function(STATUS, arg=text, timeout=1000 * seconds, polling=POLLING)

    @property
    def picture(self):
        return self.area.locator("img.widget-image").first.get_attribute("src")

    def changes(self, before):
        area = self.area.locator("img.widget-image").first
        self.page.wait_for_function(
            "([image, before]) => image.src !== before",
            arg=[area.element_handle(), before],
            timeout=60_000,
            polling=POLLING,
        )
        return self.picture


@pytest.fixture(scope="module")
def notebook(lab, browser):
    found = open_notebook(lab, browser, "explorer.ipynb", CELLS)
    found.page.set_viewport_size({"width": 1280, "height": 1600})
    found.theme("JupyterLab Light")
    found.run(0)
    found.run(1)
    return found


@pytest.fixture(scope="module")
def dashboard(notebook):
    return Dashboard(notebook, 1)


def test_run_grows_a_picture_and_a_cell_is_answered_meanwhile(notebook, dashboard):
    place = dashboard.area.locator("img.widget-image").first.bounding_box()
    dashboard.set_steps(30)
    grey = dashboard.picture
    dashboard.press("Run")
    first = dashboard.changes(grey)
    dashboard.changes(first)  # the preview goes on
    notebook.run(2)
    assert not dashboard.area.locator("button", has_text="Stop").first.is_disabled()  # the run still goes on
    dashboard.press("Stop")
    dashboard.says("stopped after")
    assert dashboard.area.locator("img.widget-image").first.bounding_box() == place  # nothing jumped
    dashboard.open("Denoising")
    seen(dashboard.area.get_by_text("pred_original_sample").first)


def test_the_newest_run_shows_words_under_the_pointer(notebook, dashboard):
    page = notebook.page
    dashboard.set_steps(2)
    dashboard.press("Run")
    dashboard.says("Done in")
    dashboard.open("Pixels")
    notebook.run(2)  # the kernel has drawn by then
    canvas = dashboard.area.locator("canvas").first
    seen(canvas)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    heading = dashboard.area.get_by_text("looks at").first
    whole = heading.text_content()
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"])
    page.wait_for_function("([one, before]) => one.textContent !== before", arg=[heading.element_handle(), whole])
    words = dashboard.area.locator("button", has_text="cat")
    assert words.count() >= 1
    notebook.screenshot("explorer-pixels-light")


def test_a_pressed_word_is_drawn_alone(dashboard):
    dashboard.open("Attention")
    dashboard.area.locator("button.jupyter-widgets", has_text="rocket").first.click()
    code = dashboard.area.locator("pre:visible", has_text="sdx.views.attention(trace, ['rocket'])")
    seen(code, 20)
    assert code.count() == 1
    seen(dashboard.area.locator('.widget-tab-contents img[alt*="attention to rocket ("]:visible'))


def test_two_runs_stand_side_by_side_on_one_slider_and_one_hover(notebook, dashboard):
    page = notebook.page
    dashboard.open("Compare")
    dashboard.press("Compare")
    dashboard.says("Compared 3 runs")
    a, b, difference = dashboard.area.locator(".pair > section").all()
    for place in (a, b):
        seen(place.locator("canvas.base"))
    a.locator(".stage").hover(position={"x": 60, "y": 60})
    named = a.locator(".brief").text_content().partition(":")[0]
    assert named.startswith("Pixel row")
    page.wait_for_function(
        "([one, named]) => one.textContent.startsWith(named)", arg=[b.locator(".brief").element_handle(), named]
    )
    seen(difference.get_by_text(named))
    assert b.locator("input[type=range]").is_hidden()
    a.locator("input[type=range]").evaluate("one => { one.value = 0; one.dispatchEvent(new Event('input')) }")
    for place in (a, b):
        seen(place.locator(".what", has_text="of step 0"))
    seen(difference.locator("canvas.map"))
    notebook.screenshot("explorer-pair-light")


def test_a_change_is_pressed_and_both_runs_stand_side_by_side(notebook, dashboard):
    dashboard.set_steps(2)
    dashboard.open("Change")
    dashboard.press("Unchanged and changed")
    pair = dashboard.area.locator(".pair:visible", has_text="attention to “rocket” × 3")
    for place in ("unchanged", "attention to “rocket” × 3"):
        seen(pair.locator("section:visible", has_text=place).first.locator("canvas.base").first)
    dashboard.says("Compared 2 runs")
    notebook.screenshot("explorer-change-light")


def test_the_keyboard_alone_presses_run(notebook, dashboard):
    button = dashboard.area.locator("button", has_text="Run").first
    button.focus()
    before = dashboard.picture
    notebook.page.keyboard.press("Enter")
    dashboard.changes(before)
    dashboard.says("Done in")


def test_two_dashboards_share_a_pipeline(notebook, dashboard):
    notebook.run(3)
    other = Dashboard(notebook, 3)
    before, others = dashboard.picture, other.picture
    dashboard.press("Run")
    other.press("Run")
    dashboard.changes(before)
    other.changes(others)
    for one in (dashboard, other):
        seen(one.area.get_by_text("Done in").first)


def test_export_writes_a_file(dashboard, lab):
    dashboard.open("Attention")
    dashboard.press("Into the article")
    seen(dashboard.area.locator("input:visible").last)
    dashboard.press("Add")
    dashboard.says("Written:")
    dashboard.open("Export")
    seen(dashboard.area.locator("img[src^='data:image/webp']:visible").first)
    assert (lab.root / "images" / "inside-stable-diffusion" / "001.png").read_bytes().startswith(b"\x89PNG")
    assert (lab.root / "articles" / "inside-stable-diffusion.md").exists()


def test_the_saved_notebook_shows_a_picture_without_its_widgets(notebook):
    output = next(one for one in notebook.outputs(1) if "image/png" in one.get("data", {}))
    picture = output["data"]["image/png"]
    assert base64.b64decode(picture if isinstance(picture, str) else "".join(picture)).startswith(b"\x89PNG")
    text = output["data"]["text/plain"]
    assert "kernel" in (text if isinstance(text, str) else "".join(text))
    assert len(json.dumps(output)) < 600_000


def test_nothing_left_the_machine_and_nothing_went_wrong_in_the_console(notebook):
    assert notebook.requests == []
    assert notebook.errors == []


def test_the_magic_completes_and_runs_in_the_browser(lab, browser):
    cells = ["%load_ext sdexplore\n%sdexplore load mini", "%sdexplore run a cat --steps 2 --seed 1", "%sdexplore att"]
    found = open_notebook(lab, browser, "magics.ipynb", cells)
    found.run(0)
    found.run(1)
    assert "Trace" in json.dumps(found.outputs(1))
    page = found.page
    page.locator(".jp-Cell").nth(2).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[2].model.sharedModel.source.includes('attention')"
        " || !!document.querySelector('.jp-Completer:not(.lm-mod-hidden)')",
        timeout=20_000,
    )
    assert found.errors == []


def test_the_dashboards_notebook_opens_as_it_is_committed(lab, browser):
    shutil.copy(ROOT / "notebooks" / "00_explore.ipynb", lab.root / "00.ipynb")
    found = open_notebook(lab, browser, "00.ipynb")
    assert found.page.locator(".jp-OutputArea-output img").count() >= 2
    assert found.requests == []
