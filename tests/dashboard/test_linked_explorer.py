"""The linked explorer in a notebook: what the notebook's file keeps, and what it does in a real JupyterLab."""

import base64
import io
from html import unescape

import numpy as np
import pytest
import synthetic
from lab import COLOURS, contrast, open_notebook
from PIL import Image

import sdexplore as sdx
from sdexplore.dashboard.linked_explorer import LinkedExplorer


@pytest.fixture
def explorer():
    found = LinkedExplorer(synthetic.trace())
    yield found
    found.close()


def test_the_file_of_a_notebook_gets_a_still_picture_and_an_honest_text(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.width > 500
    assert data["text/plain"].startswith("LinkedExplorer of trace ")
    assert "a, cat, and, rocketship" in metadata["image/png"]["alt"]
    assert metadata["image/png"]["alt"] in data["text/plain"]
    assert f'src="data:image/png;base64,{data["image/png"]}"' in data["text/html"]  # what a site of notebooks shows
    assert metadata["image/png"]["alt"] in unescape(data["text/html"])


def test_a_snapshot_shows_the_step_and_the_layers_that_are_shown(explorer):
    explorer.state = {"step": 3, "layers": 6, "role": "cond", "scale": "each"}
    picture = explorer.snapshot()
    assert "steps=3, layers=6, scale='each'" in picture.call
    assert np.array_equal(picture.data["cat"], sdx.word_map(explorer.trace, "cat", steps=3, layers=6))


def test_traces_without_word_maps_leave_what_they_have():
    without = LinkedExplorer(synthetic.trace(cross_attention={}))
    assert "sdx.views.denoising" in without.snapshot().call
    nothing = {"latents": None, "noise_pred": None, "pred_original_sample": None, "image": None, "latent_rgb": None}
    bare = synthetic.trace(**nothing, cross_attention={}, decoded={}, decoded_x0={}, noise_preds={})
    explorer = LinkedExplorer(bare)
    data, _ = explorer._repr_mimebundle_()
    assert "image/png" not in data
    assert bare.fingerprint in data["text/plain"]
    with pytest.raises(sdx.TraceError, match="cross-attention"):
        explorer.snapshot()
    without.close()
    explorer.close()


def test_a_budget_that_nothing_fits_says_so():
    with pytest.raises(sdx.TraceError, match="1000 bytes"):
        LinkedExplorer(synthetic.trace(), budget=1000)


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
    stage.wait_for()

    def cell(row, column):
        box = stage.bounding_box()
        return (column + 0.5) / synthetic.X * box["width"], (row + 0.5) / synthetic.Y * box["height"]

    x, y = cell(*synthetic.BRIGHT)
    stage.hover(position={"x": x, "y": y})
    page.locator("h3", has_text="Pixel row 6, column 9 looks at").wait_for()
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
    page.locator("h3", has_text="Pixel row 7, column 9 looks at").wait_for()
    assert page.evaluate(ACTIVE) == active  # its keys stay its own
    assert page.evaluate(COUNT) == 4
    read(notebook, "[[7, 9], 'cat', None]\n")
    notebook.run(2)
    page.locator("h3", has_text="Pixel row 1, column 2 looks at").wait_for()
    same = sdx.word_map(trace, "rocketship", steps=2, layers=6)[1, 2]
    row = page.locator(".ranked li", has_text="rocketship")
    assert float(row.get_attribute("data-inside")) == pytest.approx(same, abs=2e-5)

    read(notebook, "[[1, 2], 'rocketship', 'shared']\n", cell=3)  # also what the change did not name

    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.sessionContext.session")
    page.get_by_role("button", name="and", exact=True).click()
    page.locator(".what", has_text="“and”").wait_for()
    stage.hover(position={"x": x, "y": y})
    page.locator("h3", has_text="Pixel row 6, column 9 looks at").wait_for()
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


def test_nbconvert_shows_the_still_picture_in_html_and_markdown(explorer):
    import nbformat
    from nbconvert import HTMLExporter, MarkdownExporter

    data, metadata = explorer._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer", outputs=[output])])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    markdown, _ = MarkdownExporter().from_notebook_node(notebook)
    for shown in (html, markdown):
        assert data["image/png"] in shown
        assert metadata["image/png"]["alt"] in unescape(shown)
