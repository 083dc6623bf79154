"""The dashboard of a tiny Stable Diffusion 3 in a real JupyterLab: every section, and what joint attention adds."""

from pathlib import Path

import pytest
from chromium import seen
from lab import POLLING, contrast, open_notebook

SUPPORT = Path(__file__).parents[1] / "support"
CELLS = [
    f"import sys\nsys.path.append({str(SUPPORT)!r})\nimport sdexplore as sdx\nfrom tiny_transformers import sd3",
    "sdx.explore(sd3(), prompt='a cat and a rocket', num_inference_steps=2, max_sequence_length=32)",
]
STATUS = """text => [...document.querySelectorAll('[role=status], [role=alert]')]
  .some(one => one.offsetParent && one.textContent.includes(text))"""
SHARES = """one => [...one.children].filter(span => !span.hidden)
  .map(span => [span.className, parseFloat(span.querySelector('b').textContent)])"""
# Section -> what stands in it once a run is there.
SECTIONS = {
    "Attention": 'img[alt*="joint attention to"]',
    "Denoising": "text=pred_original_sample",
    "Guidance": 'img[alt*="x0 as the unconditional half"]',
    "Tokens": "text=tokenizer_3:",
    "Components": "text=joint-attention: 3 layers",
    "Change": "text=SD3Transformer2DModel",
    "Compare": "text=Nothing is compared yet",
    "Export": "text=The article holds",
}


@pytest.fixture(scope="module")
def area(lab, browser):
    """The output of the dashboard's cell, in the dark, with one run."""
    notebook = open_notebook(lab, browser, "transformer.ipynb", CELLS)
    notebook.theme("JupyterLab Dark")
    notebook.run(0)
    notebook.run(1)
    found = notebook.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output").first
    found.locator("button.jupyter-button:visible", has_text="Run").first.click()
    notebook.page.wait_for_function(STATUS, arg="Done in", timeout=60_000, polling=POLLING)
    yield found
    assert not notebook.errors
    assert not notebook.requests


def opened(area, title):
    area.locator(".lm-TabBar-tab, .p-TabBar-tab", has_text=title).first.click()


def test_the_shares_of_a_pixel_add_up_to_all_attention_and_padding_without_columns_is_no_share(area):
    opened(area, "Pixels")
    shares = area.locator(".mass-text")
    seen(shares.locator("b", has_text="%").first)
    found = dict(shares.evaluate(SHARES))
    assert list(found) == ["start", "words", "end", "rest"]
    assert sum(found.values()) == pytest.approx(100, abs=1.5)  # two of them are shown as whole per cents
    assert found["rest"] > found["words"]


@pytest.mark.parametrize("title", SECTIONS)
def test_each_section_opens(area, title):
    opened(area, title)
    seen(area.locator(f".widget-tab-contents >> {SECTIONS[title]} >> visible=true").first, 20)


def test_shaded_tokens_are_legible_in_the_dark(area):
    opened(area, "Tokens")
    chip = area.locator("[style*='brand-color3']:visible").first
    look = chip.evaluate("one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]")
    assert contrast(*look) > 4.5
