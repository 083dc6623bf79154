"""The Change tab: what its controls say, both runs side by side, and the line that makes them again."""

import numpy as np
import pytest
from dashboards import PROMPT, Page
from tiny_transformers import sd3

import sdexplore as sdx

MID = "mid_block.attentions.0.transformer_blocks.0.attn2"


def changed(explorer, page):
    """Presses the button, and gives the two runs that it made."""
    page.press("Unchanged and changed")
    assert explorer.wait(120.0)
    assert page.alerts == []
    return [trace for _, trace in reversed(explorer.history.named[:2])]


def test_a_word_is_reweighted_and_both_runs_stand_side_by_side(explorer, page):
    page.open("Change")
    assert {"cat", "dog"} <= set(page.find("word").options)
    page.set("word", "cat")
    page.set("scale", 4.0)
    page.module("mid_block", "attentions").click()
    page.set("heads", "0, 1")
    page.set("steps", (1, 2))
    line = page.figure_code
    assert "change': [None, sdx.Reweight('cat', 4.0, layers=('mid_block.attentions',), heads=(0, 1)" in line
    before, after = changed(explorer, page)
    assert "change" not in before.call["arguments"]
    assert after.provenance["changed"][0]["applied"] == 2
    assert explorer.trace is after
    assert "attention to “cat” × 4" in page.caption
    names = [name for name, _ in explorer.history.named[:2]]
    assert "attention to “cat” × 4" in names[0]
    assert "unchanged" in names[1]
    (pair,) = [one for one in page.tab if hasattr(one, "facts_a")]
    assert (pair.name_a, pair.name_b) == ("unchanged", sdx.changes.several.in_words(after.call["arguments"]["change"]))
    assert "sdx.views.comparison(" in page.figure_code
    assert "Into the article" in [getattr(one, "description", "") for one in page.tab]
    scope = {"sdx": sdx, "pipe": explorer.board.pipe, "slice": slice}
    exec(line, scope)  # noqa: S102  (the line that is shown must be the truth)
    for mine, shown in zip(scope["comparison"], (before, after), strict=True):
        np.testing.assert_array_equal(mine.latents, shown.latents)
    assert "change=sdx.Reweight('cat', 4.0" in page.code
    assert explorer.figure().data.keys() == {"0", "1"}


def test_a_block_is_ablated_and_a_source_kept(explorer, page):
    explorer.state.num_inference_steps = 2
    page.open("Change")
    page.set("change", "Ablate")
    page.module("mid_block").click()
    page.set("left with", "mean")
    _, after = changed(explorer, page)
    assert after.call["arguments"]["change"] == {"change": "Ablate", "modules": "mid_block", "to": "mean"}
    page.set("change", "Keep")
    page.set("source", "a dog and a dog")
    page.set("to words", 1.0)
    _, after = changed(explorer, page)
    assert after.call["arguments"]["change"]["source"] == "a dog and a dog"
    assert after.call["arguments"]["change"]["cross_attention"] == 1.0


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("Reweight", {"word": "rocket"}, "rocket"),
        ("Reweight", {"word": "cat", "heads": "0, x"}, "'x'"),
        ("Reweight", {"word": "cat", "modules": "midblock"}, "mid_block"),
        ("Ablate", {}, "mid_block"),
        ("Ablate", {"modules": MID, "heads": "99"}, "99"),
        ("Keep", {}, "source"),
    ],
)
def test_what_cannot_be_changed_is_said_in_the_section_before_anything_is_computed(
    explorer, page, kind, settings, said
):
    page.open("Change")
    page.set("change", kind)
    for name, value in settings.items():
        page.set(name, value)
    page.press("Unchanged and changed")
    assert explorer.wait(60.0)
    assert said in " ".join(page.alerts)
    assert explorer.history.traces == []


def test_a_transformer_is_changed_and_says_what_it_cannot():
    size = {"height": 64, "width": 48, "max_sequence_length": 32}
    explorer = sdx.explore(sd3(), prompt=PROMPT, num_inference_steps=2, section="Change", **size)
    page = Page(explorer)
    page.set("word", "dog")
    page.module("transformer_blocks", "0", "attn").click()
    _, after = changed(explorer, page)
    assert after.call["arguments"]["change"]["layers"] == ["transformer_blocks.0.attn"]
    page.set("change", "Keep")
    page.set("source", "a cat and a cat")
    page.press("Unchanged and changed")
    assert explorer.wait(60.0)
    assert "SD3 transformer" in page.alerts[0]
    explorer.close()


def test_a_stored_trace_says_what_to_do(trace):
    explorer = sdx.explore(trace, section="Change")
    assert "sdx.explore(pipe)" in Page(explorer).section_message
    explorer.close()
