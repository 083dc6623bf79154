"""A study on a Dask cluster, started from a notebook in a real JupyterLab; then its table in the dashboard."""

import re
import shutil

import pytest
import study_sources
from boxes_in_page import FOCUSED, SCROLLING, UNDESCRIBED, Names
from chromium import seen
from lab import COLOURS, contrast, open_notebook

CELLS = [
    """import os, sys
from dask.distributed import Client, LocalCluster
sys.path.insert(0, os.getcwd())  # where workers find the source
import sdexplore as sdx, study_sources as source
cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit="0")
client = Client(cluster)""",
    """runs = sdx.grid(prompt=["a cat", "a dog and a very long prompt " * 3], seed=range(10))
runs = [{**run, "wait_for": "the-gate"} if number >= 5 else {**run, "seconds": 0.2} for number, run in enumerate(runs)]
study = sdx.Study(source.numbers, runs=runs, measure=[source.ink, source.letters], keep="thumbnails", to="cats")
study.run(client)""",
    "client.close()\ncluster.close()\nsdx.explore(study)",
]
START = """index => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = index
  void window.jupyterapp.commands.execute('notebook:run-cell')
}"""


class Table:
    """The table in the section Study of the notebook's dashboard."""

    def __init__(self, notebook):
        self.notebook, self.page = notebook, notebook.page
        self.area = notebook.page.locator(".jp-Cell").nth(2).locator(".jp-OutputArea-output").last
        self.table = self.area.locator("table.sdexplore-rows")
        seen(self.table)
        self.names = Names(self.page, "document.querySelectorAll('.jp-Cell')[2].querySelector('.sdexplore')")

    def cells(self, name):
        headings = [one.rstrip("▲▼") for one in self.table.locator("thead th").all_text_contents()]
        place = headings.index(name)
        return self.table.locator(f"tbody td:nth-child({place + 1})").all_text_contents()


@pytest.fixture(scope="module")
def notebook(lab, browser):
    """The notebook's page; its folder has the module that workers import."""
    shutil.copy(study_sources.__file__, lab.root)
    found = open_notebook(lab, browser, "study.ipynb", CELLS)
    found.page.set_viewport_size({"width": 1280, "height": 800})
    found.theme("JupyterLab Light")
    found.run(0)
    return found


@pytest.fixture(scope="module")
def table(notebook, lab):
    """The dashboard of the study that the cluster made, its progress seen on the way."""
    page = notebook.page
    output = page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea")
    page.evaluate(START, 1)
    seen(output.get_by_text(re.compile("[1-5]/20")))  # the others wait
    (lab.root / "the-gate").touch()
    seen(output.get_by_text("20 runs of 20 planned"))
    assert output.get_by_text("20/20").is_visible()
    notebook.run(2)
    return Table(notebook)


def test_the_table_sorts_by_a_heading_and_keeps_the_focus(table):
    assert table.table.locator("tbody tr").count() == 12
    table.table.get_by_role("button", name="Sort by ink, ascending").focus()
    table.page.keyboard.press("Enter")
    heading = table.table.locator("th[aria-sort=ascending]")
    seen(heading)
    numbers = [float(one) for one in table.cells("ink")]
    assert numbers == sorted(numbers)
    focused = table.page.evaluate(FOCUSED)
    assert (focused["name"], focused["visible"]) == ("Sort by ink, descending", True)
    table.page.keyboard.press("Space")
    seen(table.table.locator("th[aria-sort=descending]"))


def test_a_condition_leaves_some_rows_and_a_press_takes_it_away(table):
    area = table.area
    area.get_by_label("rows where").select_option("run.prompt")
    area.get_by_label("text", exact=True).fill("a dog")
    area.get_by_role("button", name="Filter").click()
    seen(area.get_by_text("Rows 1 to 10 of 10", exact=True))
    area.get_by_role("button", name="✕").click()
    seen(area.get_by_text("Rows 1 to 12 of 20", exact=True))


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_the_section_fits_its_page_and_every_control_has_a_name(table, theme):
    table.notebook.theme(f"JupyterLab {theme}")
    scrolls = [one for one in table.area.evaluate(SCROLLING) if not one.startswith("scrolls: SELECT")]
    assert scrolls == []  # but for the list of columns
    assert table.area.evaluate(UNDESCRIBED) == []
    controls = list(table.names.controls())
    assert [role for role, name in controls if not name] == []
    texts = ".sdexplore-rows :is(span, caption, button), .widget-html-content, .widget-label"
    for colours in (
        table.area.locator(texts)
        .locator("visible=true")
        .evaluate_all(f"all => all.filter(t => t.innerText.trim()).map({COLOURS})")
    ):
        assert contrast(*colours) > 4.5
    table.notebook.screenshot(f"study-{theme.lower()}")


def test_a_row_s_run_is_made_again_and_shown(table):
    first = table.table.get_by_role("button", name="Open the run").first
    prompt = table.cells("run.prompt")[0]
    first.click()
    seen(table.area.get_by_text("Shown is the run"))
    seen(table.table.locator("tr[aria-current=true]"))
    assert table.area.locator("[role=alert]:visible").count() == 0
    assert table.area.locator(".sdexplore-history").get_by_text(prompt[:8]).first.is_visible()


def test_nothing_went_wrong_in_the_console(table):
    assert table.notebook.errors == []
    assert table.notebook.requests == []
