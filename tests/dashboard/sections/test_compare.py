"""The Compare tab: how values are read, and the runs of a comparison."""

import pytest
from dashboards import PROMPT, Page

import sdexplore as sdx
from sdexplore.dashboard.sections.compare import values_of


def test_a_comparison_is_explored_run_by_run(tiny):
    compared = sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 5]}, num_inference_steps=2)
    explorer = sdx.explore(compared)
    page = Page(explorer)
    assert [button.description for button in page.runs] == ["1: guidance_scale 1", "2: guidance_scale 5"]
    assert explorer.history.traces == list(compared)
    assert explorer.trace is compared.traces[0]
    page.open("Compare")
    for pick, trace in zip(("a", "b"), compared.traces, strict=True):
        page.set(pick, trace)
    assert "sdx.views.attention_compare" in page.figure_code
    explorer.close()


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("guidance_scale", "1, 3,7.5", [1, 3, 7.5]),
        ("prompt", "a cat, sleeping; a dog", ["a cat, sleeping", "a dog"]),
        ("scheduler", "DDIM;Euler a", ["DDIM", "Euler a"]),
        ("scheduler", "DDIM, Euler a", ["DDIM", "Euler a"]),
        ("seed", "1; 2", [1, 2]),
    ],
)
def test_values_are_read_as_written(name, text, values):
    assert values_of(name, text) == values


def test_one_value_is_no_comparison_and_the_next_attempt_forgets_the_error(explorer, page):
    page.open("Compare")
    for name in page.find("over").options:
        page.set("over", name)
        separator = page.text.split("separated by ")[1][0]
        assert len(values_of(name, page.find("values").value)) > 1
        assert separator in page.find("values").value
    page.set("over", "prompt")
    page.set("values", "a cat in space, a dog in space")
    page.press("Compare")
    assert "'a cat in space, a dog in space'" in page.section_message
    assert "write ; between them" in page.section_message
    assert page.find("Stop").disabled
    page.set("values", "a cat; a dog")
    page.press("Compare")
    assert page.alerts == []
    explorer.stop()
