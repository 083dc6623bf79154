"""How the dashboard looks in a real JupyterLab: two sizes, light and dark, with scrollbars; and by keyboard alone."""

import pytest
from boxes_in_page import FIGURES, FOCUSED, FRAMES, SCROLLING, TOPS, UNDESCRIBED, Names
from chromium import seen
from lab import COLOURS, POLLING, contrast, open_notebook

from sdexplore.dashboard.in_page import PIXELS_PER_INCH

CELLS = [
    "import sdexplore as sdx\npipe = sdx.load()",
    """size = {"height": 128, "width": 128}
explorer = sdx.explore(pipe, prompt='a cat and a rocket in space', seed=3, num_inference_steps=4, **size)
explorer""",
]
TITLES = ("Pixels", "Attention", "Denoising", "Guidance", "Tokens", "Components", "Change", "Compare", "Export")
TEXTS = ".widget-html-content:visible, .widget-label:visible"
DRAWN = {"Attention": 1, "Denoising": 1, "Guidance": 2, "Change": 1, "Compare": 2}
COMPARED = {"Guidance": "Off and on", "Compare": "Compare", "Change": "Unchanged and changed"}


class Look:
    """The dashboard of a notebook, in a window that changes."""

    def __init__(self, notebook):
        self.notebook, self.page = notebook, notebook.page
        self.area = notebook.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output").first
        self.names = Names(notebook.page, "document.querySelectorAll('.jp-Cell')[1].querySelector('.sdexplore')")

    def tab(self, title):
        return self.area.locator(".lm-TabBar-tab", has_text=title)

    def open(self, title, *, dark=False):
        """Opens a section, and waits until its figures are there in the page's colours."""
        self.tab(title).click()
        self.page.wait_for_function(
            f"([root, drawn, dark]) => {{ const found = ({FIGURES})(root);"
            "return found.length >= drawn && found.every(one => one.dark === dark) }",
            arg=[self.area.element_handle(), DRAWN.get(title, 0), dark],
            timeout=60_000,
            polling=POLLING,
        )

    def fit(self):
        """Opens Guidance, and waits until its figures have the width that is there."""
        self.tab("Guidance").click()
        self.page.wait_for_function(
            f"root => {{ const found = ({FIGURES})(root);"
            "return found.length >= 2 && found.every(one => one.shown > 0.97 * one.room && one.own < 1.1 * one.room) }",
            arg=self.area.element_handle(),
            timeout=60_000,
            polling=POLLING,
        )


@pytest.fixture(scope="module")
def look(lab, browser):
    notebook = open_notebook(lab, browser, "look.ipynb", CELLS)
    notebook.page.set_viewport_size({"width": 1280, "height": 800})
    notebook.theme("JupyterLab Light")
    notebook.run(0)
    notebook.run(1)
    found = Look(notebook)
    found.area.locator("button", has_text="Run").first.click()
    seen(found.area.get_by_text("Done in").first, 120)
    for title, button in COMPARED.items():  # six more runs, as many as the history holds
        found.tab(title).click()
        if title == "Compare":
            found.area.locator("input[type=text]:visible").fill("1, 3")
        found.area.locator("button.jupyter-button:visible", has_text=button).first.click()
        seen(found.area.get_by_text("Compared 2 runs").locator("visible=true"), 120)
    return found


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("size", [(1280, 800), (1600, 1000)], ids=str)
def test_every_section_fits_its_page_and_has_its_colours(look, theme, size):
    look.page.set_viewport_size({"width": size[0], "height": size[1]})
    look.notebook.theme(f"JupyterLab {theme}")
    look.fit()
    for title in TITLES:
        look.open(title, dark=theme == "Dark")
        assert look.area.evaluate(SCROLLING) == [], title
        assert look.area.locator("[role=alert]:visible").count() == 0
        for figure in look.area.evaluate(FIGURES):
            smallest = 6 / 72 * PIXELS_PER_INCH * figure["shown"] / figure["own"]  # of a text of 6 points
            assert smallest >= 11, (title, figure)
            assert len(figure["alt"]) > 40
        for colours in look.area.locator(TEXTS).evaluate_all(
            f"all => all.filter(t => t.innerText.trim()).map({COLOURS})"
        ):
            assert contrast(*colours) > 4.5
        parts = look.area.evaluate(TOPS)
        assert all(top >= 0 and bottom <= parts["screen"] for top, bottom in parts["inside"].values()), parts
        if size == (1280, 800):
            controls = list(look.names.controls())
            assert {"slider", "combobox", "spinbutton", "tab", "button"} <= {role for role, _ in controls}
            assert [role for role, name in controls if not name] == [], title
            assert look.area.evaluate(UNDESCRIBED) == [], title
        look.notebook.screenshot(f"look-{title.lower()}-{size[0]}-{theme.lower()}")


def test_the_keyboard_reaches_every_control_and_turns_the_tabs(look):
    page, reached = look.page, []
    look.area.locator("textarea").first.focus()
    cell = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    before = page.evaluate(cell)
    for key in 40 * ["Tab"]:
        focused = page.evaluate(FOCUSED)
        assert focused["visible"], focused
        reached.append(focused["name"])
        if focused["role"] == "tab":
            break
        page.keyboard.press(key)
    order = ["prompt", "negative", "seed", "steps", "guidance", "scheduler", "height", "width", "Run"]
    assert [name for name in reached if name in order] == order
    while page.evaluate(FOCUSED)["name"] != "Denoising":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    seen(look.area.get_by_text("0 (of 0 to 3)"))
    look.area.get_by_role("slider", name="step", exact=True).focus()
    page.keyboard.press("ArrowUp")
    seen(look.area.get_by_text("1 (of 0 to 3)"))
    assert page.evaluate(cell) == before


def test_a_redraw_replaces_the_picture_in_one_go(look):
    look.open("Attention", dark=True)
    figure = look.area.locator(".widget-tab-contents img.widget-image:visible").last
    figure.evaluate(FRAMES)
    old = figure.get_attribute("src")
    look.area.get_by_role("slider", name="steps, first").focus()
    look.page.keyboard.press("ArrowRight")
    look.page.wait_for_function("([one, old]) => one.src !== old", arg=[figure.element_handle(), old])
    look.page.wait_for_timeout(200)
    frames = look.page.evaluate("() => window.frames_seen")
    assert len({source for source, _, _ in frames}) == 2
    assert all(complete for _, _, complete in frames)
    assert len({height for _, height, _ in frames}) == 1


def test_nothing_went_wrong_in_the_console(look):
    assert look.notebook.errors == []
    assert look.notebook.requests == []
