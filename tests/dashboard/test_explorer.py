"""The dashboard without a browser: what it shows, says and lets go."""

import base64
import gc
import weakref

import ipywidgets
import numpy as np
import pytest
import synthetic
from dashboards import PROMPT, controls, section
from traitlets import TraitError

import sdexplore as sdx
from sdexplore.analysis.attention import METHODS
from sdexplore.dashboard.sections.compare import values_of
from sdexplore.dashboard.state import RUN, SHOW, State
from sdexplore.text.tokenization import Tokenizations


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    from tiny_pipelines import stable_diffusion

    folder = tmp_path_factory.mktemp("stored")
    trace = sdx.run(stable_diffusion(), PROMPT, num_inference_steps=3, record=sdx.Record(decode=2))
    return trace.save(folder / "stored.safetensors")


def test_every_section_shows_the_trace_and_gives_a_figure(explorer):
    explorer.run(wait=True)
    for title in explorer._sections:
        shown = section(explorer, title)
        assert not shown.message.plain or title in ("Compare", "Export"), (title, shown.message.plain)
        if title not in ("Compare", "Export"):
            assert explorer.snapshot().alt
    for figure in ("words", "by step", "by layer", "where it all went", "segmentation"):
        explorer.state.section, explorer.state.figure = "Attention", figure
        said = explorer._sections["Attention"].message.plain
        assert said.startswith("No word is pressed") if figure.startswith("by ") else said == ""


def test_before_a_run_sections_say_what_to_do(explorer):
    for title in ("Pixels", "Attention", "Denoising", "Guidance"):
        assert section(explorer, title).message.plain == "Nothing has been run yet: press Run."
    assert "a cat" in section(explorer, "Tokens")._tokens.value
    assert "UNet2DConditionModel" in section(explorer, "Components")._parts.value


def test_controls_and_state_move_each_other(explorer):
    explorer.run(wait=True)
    attention = section(explorer, "Attention")
    cat = next(toggle for toggle in attention._words.children if toggle.description == "cat")
    cat.value = True
    assert explorer.state.words == ("cat",)
    assert explorer.board.picture.call.startswith("sdx.views.attention(trace, ['cat'])")
    explorer.state.words = ("dog", "cat")
    assert [t.description for t in attention._words.children if t.value] == ["cat", "dog"]
    attention._choices["layers"].value = "mid_block.attentions.0.transformer_blocks.0.attn2"
    assert explorer.state.layers.startswith("mid_block")
    attention._steps.value = (1, 2)
    assert explorer.state.steps == (1, 2)
    scope = {"sdx": sdx, "trace": explorer.trace}
    exec(f"again = {explorer.board.picture.call}", scope)  # noqa: S102
    assert all(np.array_equal(scope["again"].data[k], v) for k, v in explorer.board.picture.data.items())
    explorer.state.step = 2
    assert section(explorer, "Denoising")._step.value == 2
    explorer.state = State(prompt="other", section="Tokens")
    assert explorer.state.prompt == "other"
    assert explorer._tabs.titles[explorer._tabs.selected_index] == "Tokens"
    explorer._tabs.selected_index = 0
    assert explorer.state.section == "Pixels"


def test_every_choice_of_a_list_can_be_chosen_again(explorer):
    explorer.run(wait=True)
    for title in explorer._sections:
        explorer.state.section = title
        explorer._redraw()
    lists = [one for one in controls(explorer) if isinstance(one, ipywidgets.Dropdown)]
    assert {"layers", "head", "a", "b"} <= {one.description for one in lists}
    for one in lists:
        for index in reversed(range(len(one.options))):
            one.index = index  # as the page does; of a value that is None ipywidgets would make no choice at all
            assert one.index == index, (one.description, one.options[index])
    assert explorer.state.layers is explorer.state.head is None


def test_without_a_pressed_word_the_most_striking_one_is_drawn(trace):
    explorer = sdx.explore(trace, section="Attention", figure="by step")
    drawn = explorer.figure()
    assert np.array_equal(drawn.data["maps"][1], sdx.word_map(trace, "cat", steps=1))
    assert explorer._sections["Attention"].message.plain.endswith("drawn is the one that stands out most, “cat”.")
    explorer.state.update(figure="by layer", words=("and",))
    assert explorer._sections["Attention"].message.plain == ""
    assert "'and'" in explorer.figure().call
    explorer.close()


def test_layers_are_offered_by_their_grids_rows_first(trace):
    explorer = sdx.explore(trace, section="Attention")
    choice = explorer._sections["Attention"]._choices["layers"]
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
        attention = explorer._sections["Attention"]
        assert list(attention._choices["method"].options) == methods
        assert explorer.state.method == "amd"
        for method in METHODS:
            explorer.state.method = method
            assert (attention.message.plain == "") == (method in methods), method
        explorer.close()
    explorer = sdx.explore(trace, section="Attention", method="daam")
    assert explorer.state.method == explorer._sections["Attention"]._choices["method"].value == "mean"
    explorer.close()


def test_a_prompt_without_words_is_said_and_what_there_is_instead():
    empty = {"cond": Tokenizations({"tokenizer": synthetic.tokenization("")})}
    for tokens, said in ((empty, "The prompt has no word to draw."), ({}, "This run had no prompt for 'cond'")):
        explorer = sdx.explore(synthetic.trace(prompt="", tokens=tokens), section="Attention")
        attention = explorer._sections["Attention"]
        for figure in ("words", "by step", "by layer", "segmentation"):
            explorer.state.figure = figure
            assert attention.message.plain.startswith(said)
            assert 'role="alert"' not in attention.message.widget.value
            assert attention.box.picture is None
        assert "image/png" in explorer._repr_mimebundle_()[0]
        if tokens:
            explorer.state.figure = "where it all went"
            assert attention.message.plain == ""
            assert attention.box.picture is not None
        explorer.close()


def test_what_does_not_fit_is_said_in_words_and_the_next_draw_works(explorer):
    explorer.run(wait=True)
    attention = section(explorer, "Attention")
    explorer.state.layers = "no_such_block"
    assert "no recorded layer 'no_such_block'" in attention.message.plain
    explorer.state.layers = None
    assert attention.message.plain == ""
    explorer.state.head = 1
    assert "Record(cross_attention='heads')" in attention.message.plain
    explorer.state.section = "Atention"
    assert "no section 'Atention'; did you mean 'Attention'" in explorer.board.message.plain
    assert explorer.state.section == "Attention"
    with pytest.raises(TraitError):
        explorer.state.figure = "wrods"
    with pytest.raises(sdx.RunError, match="no 'promt'; did you mean 'prompt'"):
        explorer.state.update(promt="a cat")
    with pytest.raises(TraitError, match=r"steps is \(first, last\)"):
        explorer.state.steps = (3, 1)
    with pytest.raises(TraitError):
        explorer.state.update(seed=9, num_inference_steps=0)
    assert explorer.state.seed == 0  # all of them, or none


def test_values_that_a_control_did_not_reach_are_kept(explorer):
    explorer.state.update(seed=3923849283, num_inference_steps=200, guidance_scale=25.0)
    assert explorer.state.values(("seed", "num_inference_steps", "guidance_scale")) == {
        "seed": 3923849283,
        "num_inference_steps": 200,
        "guidance_scale": 25.0,
    }


def test_closing_frees_traces_figures_and_widgets(tiny):
    before = set(ipywidgets.widgets.widget._instances)
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=2)
    for title in ("Attention", "Denoising", "Components", "Pixels"):
        explorer.state.section = title
        explorer.run(wait=True)
    trace, picture = weakref.ref(explorer.trace), weakref.ref(explorer.board.picture)
    explorer.close()
    gc.collect()
    assert trace() is None
    assert picture() is None
    left = set(ipywidgets.widgets.widget._instances) - before
    kinds = [type(ipywidgets.widgets.widget._instances[one]).__name__ for one in left]
    assert [kind for kind in kinds if kind != "Layout" and not kind.endswith("Style")] == []
    assert len(kinds) < 40
    explorer.close()  # again: nothing happens
    with pytest.raises(sdx.RunError, match="was closed"):
        explorer.run(wait=True)


def test_a_stored_trace_is_explored_without_a_model(stored):
    explorer = sdx.explore(str(stored))
    assert explorer._controls is None
    for title in explorer._sections:
        shown = section(explorer, title)
        assert "model" not in shown.message.plain
        if title in ("Pixels", "Attention", "Denoising", "Guidance"):
            assert shown.message.plain == ""
    with pytest.raises(sdx.TraceError, match="looks at a stored trace"):
        explorer.run()
    first = section(explorer, "Components")._tree.children[0]
    first.click()
    assert explorer.state.section == "Attention"
    assert explorer.state.layers == first.description
    explorer.close()


def test_a_folder_of_several_is_explored_as_they_are(trace, tmp_path):
    explorer = sdx.explore(str(sdx.Traces([trace, trace]).save(tmp_path / "several.safetensors")))
    labels = [entry.children[1].description for entry in explorer.history.widget.children]
    assert labels == ["1: image 0", "2: image 1"]
    explorer.close()


def test_a_comparison_is_explored_run_by_run(tiny):
    compared = sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 5]}, num_inference_steps=2)
    explorer = sdx.explore(compared)
    assert [entry.children[1].description for entry in explorer.history.widget.children] == [
        "1: guidance_scale 1",
        "2: guidance_scale 5",
    ]
    assert explorer.history.traces == list(compared)
    assert explorer.trace is compared.traces[0]
    picks = section(explorer, "Compare")._picks
    picks["a"].value, picks["b"].value = compared.traces
    assert "sdx.views.attention_compare" in explorer.board.picture.call
    explorer.close()


def test_a_click_on_a_layer_of_the_tree_leads_to_its_attention(explorer):
    explorer.run(wait=True)
    parts = section(explorer, "Components")
    root = parts._tree.children[0]

    def unfold(widget, name):
        for branch in [one for one in controls(widget) if isinstance(one, ipywidgets.HBox)]:
            fold, look = branch.children
            if look.description.startswith(f"{name}:"):
                fold.click()
                return branch
        raise AssertionError(name)

    for name in ("mid_block", "attentions", "0", "transformer_blocks"):
        unfold(root, name)
    layers = [one for one in controls(root) if getattr(one, "description", "").startswith("0: BasicTransformerBlock")]
    assert len(layers) == 1
    found = {node.name: node for node in sdx.tree(explorer.board.pipe, "unet")}
    parts.look_at(found["mid_block.attentions.0.transformer_blocks.0.attn2"])
    assert "keys from the prompt" in parts._facts.value
    parts._to_attention.click()
    assert explorer.state.section == "Attention"
    assert explorer.state.layers == "mid_block.attentions.0.transformer_blocks.0.attn2"
    assert "mid_block" in explorer.board.picture.call
    parts.look_at(found["mid_block.attentions.0.transformer_blocks.0.attn1"])
    assert parts._to_attention.disabled


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


def test_one_value_is_no_comparison_and_the_next_attempt_forgets_the_error(explorer):
    compare = section(explorer, "Compare")
    for name in compare._over.options:
        compare._over.value = name
        between = compare._between.value.removeprefix("separated by <code>")[0]
        assert len(values_of(name, compare._values.value)) > 1
        assert between in compare._values.value
    compare._over.value, compare._values.value = "prompt", "a cat in space, a dog in space"
    compare.compare()
    assert "'a cat in space, a dog in space' is one value of prompt" in compare.message.plain
    assert "write ; between them" in compare.message.plain
    assert not explorer.board.worker.busy
    compare._values.value = "a cat; a dog"
    compare.compare()
    assert compare.message.plain == ""
    explorer.stop()


def test_export_writes_article_trace_and_page(explorer, tmp_path):
    explorer.run(wait=True)
    section(explorer, "Attention")
    export = section(explorer, "Export")
    export._root.value, export._caption.value = str(tmp_path), "Where the words looked"
    export.export()
    assert (tmp_path / "images" / "inside-stable-diffusion" / "001.png").exists()
    assert "Where the words looked" in (tmp_path / "articles" / "inside-stable-diffusion.md").read_text()
    export._file.value = "mine"
    export.save()
    assert sdx.Trace.load(tmp_path / "mine.safetensors").prompt == PROMPT
    export.page()
    assert (tmp_path / "mine.html").read_text().startswith("<!DOCTYPE html>")
    assert export.message.plain.startswith("Written")
    export.page()
    assert export.message.plain.startswith("Replaced")
    for climbing in ("../escaped", str(tmp_path / "absolute"), ""):
        export._file.value = climbing
        export.save()
        assert "is no name for a file" in export.message.plain
    assert not (tmp_path.parent / "escaped.safetensors").exists()
    export._slug.value = "../no"
    export.export()
    assert 'role="alert"' in export.message.widget.value


def test_a_picture_and_a_sentence_stay_in_the_notebook(explorer):
    fresh, _ = explorer._repr_mimebundle_()
    assert base64.b64decode(fresh["image/png"]).startswith(b"\x89PNG")
    assert "need a running kernel" in fresh["text/plain"]
    explorer.run(wait=True)
    bundle, metadata = explorer._repr_mimebundle_()
    assert metadata["image/png"]["alt"].startswith("Heat maps")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Heat maps of the cross-attention" in bundle["text/plain"]
    assert bundle["image/png"] != fresh["image/png"]


def test_every_control_has_a_label_and_a_tooltip(explorer):
    explorer.run(wait=True)
    for title in explorer._sections:
        explorer.state.section = title
    unnamed = [
        one
        for one in controls(explorer)
        if isinstance(
            one, ipywidgets.Button | ipywidgets.ToggleButton | ipywidgets.widgets.widget_description.DescriptionWidget
        )
        and not isinstance(one, ipywidgets.HTML | ipywidgets.Label | ipywidgets.IntProgress)
        and not (one.tooltip and (one.description or isinstance(one, ipywidgets.Play)))
    ]
    assert unnamed == []


def test_prompts_are_text_wherever_they_show(tiny):
    hostile = "</script><img src=x onerror=alert(1)> a <b>cat</b>"
    explorer = sdx.explore(tiny, prompt=hostile, num_inference_steps=1)
    explorer.run(wait=True)
    for title in explorer._sections:
        explorer.state.section = title
    html = [one.value for one in controls(explorer) if isinstance(one, ipywidgets.HTML)]
    assert not [text for text in html if "<img src=x" in text or "<b>cat" in text]
    explorer.close()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("mini", sdx.RunError, r"load it first: sdx.explore\(sdx.load\('mini'\)\)"),
        ("missing.safetensors", sdx.TraceError, "missing.safetensors"),
        (3, sdx.InspectionError, "a diffusers pipeline is needed, not a int"),
        ("~/missing.safetensors", sdx.TraceError, "missing.safetensors"),
    ],
)
def test_what_cannot_be_explored_is_said(source, error, message):
    with pytest.raises(error, match=message):
        sdx.explore(source)


def test_settings_that_nobody_knows_are_refused(tiny):
    with pytest.raises(sdx.RunError, match="takes no 'promt'; did you mean 'prompt'"):
        sdx.explore(tiny, promt="a cat")


def test_state_writes_itself_as_code():
    state = State(prompt="it's", steps=[0, 3], words="cat")
    assert repr(state) == "State(prompt=\"it's\", words=('cat',), steps=(0, 3))"
    assert eval(repr(state)).values() == state.values()  # noqa: S307  (code is what it claims to be)
    assert set(state.values()) == {*RUN, *SHOW}
