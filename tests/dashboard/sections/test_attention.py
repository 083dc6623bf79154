"""The Attention tab: the word that is drawn, the layers and the methods that are offered."""

import numpy as np
import synthetic
from dashboards import Page

import sdexplore as sdx
from sdexplore.analysis.attention import METHODS
from sdexplore.text.tokenization import Tokenizations


def test_without_a_pressed_word_the_most_striking_one_is_drawn(trace):
    explorer = sdx.explore(trace, section="Attention", figure="by step")
    page = Page(explorer)
    drawn = explorer.figure()
    assert np.array_equal(drawn.data["maps"][1], sdx.word_map(trace, "cat", steps=1))
    assert "“cat”" in page.section_message
    explorer.state.update(figure="by layer", words=("and",))
    assert page.section_message == ""
    assert "'and'" in explorer.figure().call
    explorer.close()


def test_layers_are_offered_by_their_grids_rows_first(trace):
    explorer = sdx.explore(trace, section="Attention")
    choice = Page(explorer).find("layers")
    assert [name for name, _ in choice.options[:4]] == [
        "all",
        "8 × 12 (2 layers)",
        "4 × 6 (2 layers)",
        "2 × 3 (1 layer)",
    ]
    choice.index = 2
    assert explorer.state.layers == 6
    assert "6 steps, 2 layers" in explorer.figure().figure.get_suptitle()
    explorer.close()


def test_the_methods_offered_are_those_that_draw(trace):
    square = synthetic.attention((16, 16), heads=True)
    known = {"cond": {"up_blocks.1.attentions.0.transformer_blocks.0.attn2": square}}
    expected = ((trace, ["mean", "amd"]), (synthetic.trace(cross_attention=known), ["mean", "daam", "p2p", "amd"]))
    for made, methods in expected:
        explorer = sdx.explore(made, section="Attention", method="amd")
        page = Page(explorer)
        assert list(page.find("method").options) == methods
        assert explorer.state.method == "amd"
        for method in METHODS:
            explorer.state.method = method
            assert (page.section_message == "") == (method in methods), method
        explorer.close()
    explorer = sdx.explore(trace, section="Attention", method="daam")
    assert explorer.state.method == Page(explorer).find("method").value == "mean"
    explorer.close()


def test_a_prompt_without_words_is_said_and_what_there_is_instead():
    empty = {"cond": Tokenizations({"tokenizer": synthetic.tokenization("")})}
    for tokens, instead in ((empty, "where it all went"), ({}, "Pixels")):
        explorer = sdx.explore(synthetic.trace(prompt="", tokens=tokens), section="Attention")
        page = Page(explorer)
        for figure in ("words", "by step", "by layer", "segmentation"):
            page.set("figure", figure)
            assert "no word to draw" in page.section_message
            assert instead in page.section_message
            assert page.alerts == []
            assert not page.has_figure
        assert "image/png" in explorer._repr_mimebundle_()[0]
        if tokens:
            page.set("figure", "where it all went")
            assert page.section_message == ""
            assert page.has_figure
        explorer.close()
