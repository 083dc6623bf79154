"""Records, pictures and notebooks in a real JupyterLab and a real Chromium, in light and dark."""

import shutil
from pathlib import Path

from chromium import seen
from lab import COLOURS, contrast, open_notebook

ROOT = Path(__file__).parents[2]
SETUP = """
import sdexplore as sdx
pipe = sdx.load()
parts = sdx.components(pipe)
parts
"""
HOSTILE = "sdx.tokens(pipe, \"</script><img src=x onerror='document.title=1'> a cat\")"
RUN = """
trace = sdx.run(pipe, "a cat and a rocket in space", num_inference_steps=2)
sdx.views.attention(trace, ["cat", "rocket"])
"""
TEX = r"a cat costs $5 and a dog $10, \(x\) \begin{x}y\end{x} \$"
PRICED = f"""
from IPython.display import display
from ipywidgets import HTML
from sdexplore.base.display import escape
prompt = {TEX!r}
display(sdx.tokens(pipe, prompt), HTML(escape(prompt)))
sdx.run(pipe, prompt, num_inference_steps=2)
"""


def test_records_and_pictures_show_themselves_once_and_legibly(lab, browser):
    notebook = open_notebook(lab, browser, "live.ipynb", [SETUP, 'sdx.tree(pipe, "unet", depth=1)', HOSTILE, RUN])
    page = notebook.page
    for index in range(4):
        notebook.run(index)
        assert not [o for o in notebook.outputs(index) if o["output_type"] == "error"], notebook.outputs(index)

    assert page.locator(".jp-OutputArea-output table", has_text="StableDiffusionPipeline").count() == 0
    assert page.locator(".jp-OutputArea-output table tr", has_text="AutoencoderKL").count() == 1

    branch = page.locator("details", has=page.locator("summary", has_text="mid_block: UNetMidBlock2DCrossAttn")).last
    inner = branch.locator("summary", has_text="Transformer2DModel").first
    assert not inner.is_visible()
    branch.locator("summary").first.click()
    branch.locator("summary", has_text="attentions: ModuleList").first.click()
    assert inner.is_visible()

    assert page.title() != "1"  # a prompt is shown as text, even where it is written like HTML
    assert page.locator('.jp-OutputArea-output img[src="x"]').count() == 0

    figures = page.locator('.jp-OutputArea-output img[alt*="cat, rocket"]')
    assert figures.count() == 1
    box = figures.bounding_box()
    assert box["width"] > 400
    assert box["x"] + box["width"] <= 1280  # no sideways scrolling

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        for row in page.locator(".jp-OutputArea-output td", has_text="AutoencoderKL").all():
            colours = row.evaluate(COLOURS)
            assert contrast(*colours) > 4.5  # WCAG's AA
        figures.scroll_into_view_if_needed()
        notebook.screenshot(f"live-{theme.split()[-1].lower()}")
    assert notebook.requests == []
    assert notebook.errors == []


def test_a_prompt_is_not_typeset(lab, browser):
    notebook = open_notebook(
        lab, browser, "tex.ipynb", [SETUP, PRICED, "from IPython.display import HTML\nHTML('$y$')"]
    )
    for index in range(3):
        notebook.run(index)
    outputs = notebook.page.locator(".jp-Cell .jp-Cell-outputWrapper")
    # The third cell is TeX: once it is typeset, the cells before it had their turn.
    seen(outputs.nth(2).locator("mjx-container"))
    assert outputs.nth(1).locator("mjx-container").count() == 0
    shown = outputs.nth(1).inner_text()
    assert shown.count(TEX) >= 2
    outputs.nth(1).scroll_into_view_if_needed()
    notebook.page.locator(".jp-OutputArea-output strong", has_text="a cat costs").first.scroll_into_view_if_needed()
    notebook.screenshot("tex")


def test_the_first_notebook_as_committed_opens_and_shows_its_pictures(lab, browser):
    shutil.copy(ROOT / "notebooks" / "01_a_look_inside.ipynb", lab.root / "01.ipynb")
    notebook = open_notebook(lab, browser, "01.ipynb")
    notebook.theme("JupyterLab Light")
    pictures = notebook.page.locator(".jp-OutputArea-output figure img")  # the thumbnail of a trace is no figure
    assert pictures.count() >= 8
    for number in range(pictures.count()):
        assert len(pictures.nth(number).get_attribute("alt")) > 40
        assert pictures.nth(number).evaluate("image => image.naturalWidth") > 300
    notebook.page.locator("summary", has_text="down_blocks").first.scroll_into_view_if_needed()
    notebook.screenshot("notebook-01-tree")
    pictures.last.scroll_into_view_if_needed()
    notebook.screenshot("notebook-01-attention")
    assert notebook.requests == []
    assert notebook.errors == []
