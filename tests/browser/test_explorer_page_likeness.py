"""A click on a pixel shows where features are alike, in a page without a kernel, with the numbers of Python."""

import numpy as np
import pytest
import synthetic
from explorer_pages import HIGH, PIXEL, WIDE, Opened, X, Y

import sdexplore as sdx
from sdexplore.trace.trace import Features

BLUE, RED = np.array([33, 102, 172]), np.array([178, 24, 43])


@pytest.fixture(scope="module")
def trace():
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.linspace(0, 3, Y), np.linspace(0, 3, X), indexing="ij")
    waves = np.sin(rng.normal(size=(9, 1, 1)) * y + rng.normal(size=(9, 1, 1)) * x)
    up = np.stack([waves + step for step in range(synthetic.STEPS)]).astype(np.float32)
    finest = Features(values=up, steps=tuple(range(synthetic.STEPS)))
    return synthetic.trace(features={"cond": {"mid_block": synthetic.features(), "up_blocks.1": finest}})


@pytest.fixture
def opened(browser, trace, tmp_path):
    found = Opened(browser, sdx.page(trace, tmp_path / "likeness.html"))
    yield found
    found.close()


def colour(value):
    """Of a cosine: from blue over white to red."""
    return np.round(255 + abs(value) * ((BLUE if value < 0 else RED) - 255))


def test_a_click_shows_the_cosines_of_python_and_a_word_its_map_again(opened, trace):
    page = opened.page
    page.get_by_label("Map", exact=True).select_option("map")
    page.mouse.click(*opened.point(0.3, 0.6))
    pixel = (int(0.3 * HIGH), int(0.6 * WIDE))
    error = 255 * 0.06
    for module, step in (("up_blocks.1", -1), ("mid_block", -1), ("mid_block", 2)):
        if step != -1:
            page.get_by_label("Step", exact=True).fill(str(step))
        page.get_by_label("A click shows").select_option(module)
        expected = sdx.feature_similarity(trace, pixel, module, step=step)
        y, x = expected.values.shape
        opened.settle()
        for row, column in (expected.cell, (0, 0), (y - 1, x - 1)):
            found = page.locator(".heat").evaluate(PIXEL, [column, row])
            assert np.abs(np.array(found[:3]) - colour(expected.values[row, column])).max() <= error, (module, row)
        text = opened.text(".what")
        assert f"Features of {module}, cond, step {expected.step}: cosine" in text
        assert f"row {expected.cell[0]}, column {expected.cell[1]} of {y} × {x}" in text
    assert opened.text(".scale .number:first-child") == "−1"
    opened.keep("likeness")
    page.get_by_role("button", name="cat", exact=True).click()
    page.mouse.move(5, 5)
    assert "attention probability" in opened.text(".what")
    assert opened.text(".scale .number:first-child") == "0"


def test_keys_choose_a_pixel_and_escape_gives_it_up(opened):
    opened.stage.focus()
    opened.page.keyboard.press("ArrowDown")
    assert "Features of up_blocks.1" in opened.text(".what")
    opened.page.keyboard.press("Escape")
    assert "attention probability" in opened.text(".what")
    opened.page.get_by_label("A click shows").select_option("")
    opened.page.mouse.click(*opened.point(0.3, 0.6))
    assert "attention probability" in opened.text(".what")
