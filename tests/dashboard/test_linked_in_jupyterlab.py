"""The linked explorer in a real JupyterLab, with and without a kernel."""

import pytest
import synthetic
from chromium import seen
from lab import COLOURS, contrast, open_notebook

import sdexplore as sdx

ACTIVE = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
COUNT = "window.jupyterapp.shell.currentWidget.content.widgets.length"
SHOW = """
import sdexplore as sdx
from sdexplore.dashboard.linked_explorer import LinkedExplorer
explorer = LinkedExplorer(sdx.Trace.load("trace.safetensors"))
explorer
"""
TELL = "print([explorer.state.get(name) for name in ('pixel', 'word', 'step')])"
WHOLE = "print([explorer.state.get(name) for name in ('pixel', 'word', 'scale')])"
CHANGE = "explorer.state = {'word': 'rocketship', 'step': 2, 'layers': 6, 'pixel': [1, 2]}"


def test_in_a_real_jupyterlab_it_works_with_and_without_a_kernel(lab, browser):
    trace = synthetic.trace()
    trace.save(lab.root / "trace.safetensors")
    notebook = open_notebook(lab, browser, "linked.ipynb", [SHOW, TELL, CHANGE, WHOLE])
    page = notebook.page
    notebook.run(0)
    (output,) = notebook.outputs(0)
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(output["data"])
    stage = page.locator(".stage")
    seen(stage)

    def cell(row, column):
        box = stage.bounding_box()
        return (column + 0.5) / synthetic.X * box["width"], (row + 0.5) / synthetic.Y * box["height"]

    x, y = cell(*synthetic.BRIGHT)
    stage.hover(position={"x": x, "y": y})
    seen(page.locator("h3", has_text="Pixel row 6, column 9 looks at"))
    first = page.locator(".ranked li").first
    assert first.locator(".name").text_content() == "cat"
    assert float(first.get_attribute("data-inside")) == pytest.approx(sdx.word_map(trace, "cat")[6, 9], abs=2e-5)
    box = page.locator(".explorer").bounding_box()
    assert box["x"] + box["width"] <= 1280  # no sideways scrolling
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        for part in (".what", ".chip", ".note"):
            assert contrast(*page.locator(part).first.evaluate(COLOURS)) > 4.5, (theme, part)
        notebook.screenshot(f"linked-{theme.split()[-1].lower()}")

    active = page.evaluate(ACTIVE)
    stage.click(position={"x": x, "y": y})
    for key in ("d", "d", "b", "ArrowDown"):  # two d's would delete the cell
        page.keyboard.press(key)
    seen(page.locator("h3", has_text="Pixel row 7, column 9 looks at"))
    assert page.evaluate(ACTIVE) == active  # its keys stay its own
    assert page.evaluate(COUNT) == 4
    read(notebook, "[[7, 9], 'cat', None]\n")
    notebook.run(2)
    seen(page.locator("h3", has_text="Pixel row 1, column 2 looks at"))
    same = sdx.word_map(trace, "rocketship", steps=2, layers=6)[1, 2]
    row = page.locator(".ranked li", has_text="rocketship")
    assert float(row.get_attribute("data-inside")) == pytest.approx(same, abs=2e-5)

    read(notebook, "[[1, 2], 'rocketship', 'shared']\n", cell=3)  # also what the change did not name

    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.sessionContext.session")
    page.get_by_role("button", name="and", exact=True).click()
    seen(page.locator(".what", has_text="“and”"))
    stage.hover(position={"x": x, "y": y})
    seen(page.locator("h3", has_text="Pixel row 6, column 9 looks at"))
    assert notebook.requests == []
    assert notebook.errors == []


def read(notebook, expected, cell=1):
    """What was done in the browser arrives in the kernel a moment later."""
    for _ in range(20):
        notebook.run(cell)
        (output,) = notebook.outputs(cell)
        if output["text"] == expected:
            return
    pytest.fail(f"the kernel knows of {output['text']!r}, not {expected!r}")
