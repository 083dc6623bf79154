"""The dashboard without a browser: what it shows, says and drops."""

import base64
import gc
import weakref

import ipywidgets
import numpy as np
import pytest
from dashboards import PROMPT, Page, controls
from tiny_transformers import sd3
from traitlets import TraitError

import sdexplore as sdx
from sdexplore.dashboard.state import RUN, SHOW, State

TITLES = ["Pixels", "Attention", "Denoising", "Guidance", "Tokens", "Components", "Change", "Compare", "Export"]
WITHOUT_FIGURE = ("Change", "Compare", "Export")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    from tiny_pipelines import stable_diffusion

    folder = tmp_path_factory.mktemp("stored")
    pipe = stable_diffusion()
    trace = sdx.run(pipe, PROMPT, num_inference_steps=3, record=sdx.Record(decode=2))
    return trace.save(folder / "stored.safetensors")


def test_every_section_shows_the_trace_and_gives_a_figure(explorer, page):
    explorer.run(wait=True)
    assert page.titles == TITLES
    for title in TITLES:
        page.open(title)
        assert explorer.wait(60.0)
        assert not page.section_message or title in WITHOUT_FIGURE, (title, page.section_message)
        if title not in WITHOUT_FIGURE:
            assert explorer.snapshot().alt
    page.open("Attention")
    for figure in ("words", "by step", "by layer", "where it all went", "segmentation"):
        page.set("figure", figure)
        assert page.has_figure
        assert ("No word is pressed" in page.section_message) == figure.startswith("by ")


def test_before_a_run_sections_say_what_to_do(page):
    for title in ("Pixels", "Attention", "Denoising", "Guidance"):
        assert "press Run" in page.open(title).section_message
    assert "a cat" in page.open("Tokens").text
    assert "UNet2DConditionModel" in page.open("Components").text


def test_controls_and_state_move_each_other(explorer, page):
    explorer.run(wait=True)
    page.open("Attention").press("cat")
    assert explorer.state.words == ("cat",)
    assert "sdx.views.attention(trace, ['cat'])" in page.figure_code
    explorer.state.words = ("dog", "cat")
    assert page.pressed() == ["cat", "dog"]
    page.set("layers", "mid_block.attentions.0.transformer_blocks.0.attn2")
    assert explorer.state.layers.startswith("mid_block")
    page.set("steps", (1, 2))
    assert explorer.state.steps == (1, 2)
    scope, shown = {"sdx": sdx, "trace": explorer.trace}, explorer.figure()
    exec(f"again = {page.figure_code}", scope)  # noqa: S102  (the line that is shown must be the truth)
    assert scope["again"].call == shown.call
    assert all(np.array_equal(scope["again"].data[k], v) for k, v in shown.data.items())
    explorer.state.step = 2
    assert page.open("Denoising").find("step").value == 2
    explorer.state = State(prompt="other", section="Tokens")
    assert explorer.state.prompt == "other"
    assert page.title == "Tokens"
    page.open("Pixels")
    assert explorer.state.section == "Pixels"


def test_every_choice_of_a_list_can_be_chosen_again(explorer, page):
    explorer.run(wait=True)
    for title in TITLES:
        page.open(title)
    lists = [one for one in controls(explorer) if isinstance(one, ipywidgets.Dropdown)]
    assert {"layers", "head", "a", "b"} <= {one.description for one in lists}
    for one in lists:
        for index in reversed(range(len(one.options))):
            one.index = index  # as the page does; of a value that is None ipywidgets would make no choice at all
            assert one.index == index, (one.description, one.options[index])
    assert explorer.state.layers is explorer.state.head is None


def test_what_does_not_fit_is_said_in_words_and_the_next_draw_works(explorer, page):
    explorer.run(wait=True)
    page.open("Attention")
    explorer.state.layers = "no_such_block"
    assert "'no_such_block'" in page.section_message
    assert not page.has_figure
    explorer.state.layers = None
    assert page.section_message == ""
    assert page.has_figure
    explorer.state.head = 1
    assert "Record(cross_attention='heads')" in page.section_message
    explorer.state.section = "Atention"
    assert "'Atention'; did you mean 'Attention'" in page.message
    assert explorer.state.section == page.title == "Attention"
    with pytest.raises(TraitError):
        explorer.state.figure = "wrods"
    with pytest.raises(sdx.RunError, match="'promt'; did you mean 'prompt'"):
        explorer.state.update(promt="a cat")
    with pytest.raises(TraitError, match=r"\(3, 1\).*\(first, last\)"):
        explorer.state.steps = (3, 1)
    with pytest.raises(TraitError):
        explorer.state.update(seed=9, num_inference_steps=0)
    assert explorer.state.seed == 0  # all of them, or none


def test_the_section_asked_for_is_open_from_the_first(trace):
    explorer = sdx.explore(trace, section="Guidance")
    assert Page(explorer).title == explorer.state.section == "Guidance"
    assert Page(explorer).has_figure
    explorer.close()
    explorer = sdx.explore(trace, section="Gidance")
    assert "'Gidance'; did you mean 'Guidance'" in Page(explorer).message
    assert Page(explorer).title == explorer.state.section == "Pixels"
    explorer.close()


def test_values_that_a_control_did_not_reach_are_kept(explorer):
    explorer.state.update(seed=3923849283, num_inference_steps=200, guidance_scale=25.0)
    assert explorer.state.values(("seed", "num_inference_steps", "guidance_scale")) == {
        "seed": 3923849283,
        "num_inference_steps": 200,
        "guidance_scale": 25.0,
    }


def test_closing_frees_traces_figures_and_widgets(tiny):
    def alive():
        return ipywidgets.Widget.get_manager_state()["state"]

    before = set(alive())
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=2)
    for title in ("Attention", "Denoising", "Components", "Pixels"):
        explorer.state.section = title
        explorer.run(wait=True)
    trace, picture = weakref.ref(explorer.trace), weakref.ref(explorer.figure())
    explorer.close()
    gc.collect()
    assert trace() is None
    assert picture() is None
    kinds = [facts["model_name"] for name, facts in alive().items() if name not in before]
    assert [kind for kind in kinds if kind != "LayoutModel" and not kind.endswith("StyleModel")] == []
    assert len(kinds) < 40
    explorer.close()  # again: nothing happens
    with pytest.raises(sdx.RunError, match="closed"):
        explorer.run(wait=True)


def test_a_stored_trace_is_explored_without_a_model(stored):
    explorer = sdx.explore(str(stored))
    page = Page(explorer)
    assert not [one for one in page.above if isinstance(one, ipywidgets.Button) and one.description in ("Run", "Stop")]
    for title in TITLES:
        page.open(title)
        assert "model" not in page.section_message
        if title in ("Pixels", "Attention", "Denoising", "Guidance"):
            assert page.section_message == ""
    with pytest.raises(sdx.TraceError, match="stored trace"):
        explorer.run()
    layer = next(iter(explorer.trace.cross_attention["cond"]))
    page.open("Components").press(layer)
    assert page.title == "Attention"
    assert explorer.state.layers == layer
    explorer.close()


def test_a_folder_of_several_is_explored_as_they_are(trace, tmp_path):
    explorer = sdx.explore(str(sdx.Traces([trace, trace]).save(tmp_path / "several.safetensors")))
    assert [button.description for button in Page(explorer).runs] == ["1: image 0", "2: image 1"]
    explorer.close()


def test_tokens_have_the_length_that_every_call_of_the_dashboard_gives():
    for length in (32, 256):
        explorer = sdx.explore(sd3(), prompt="a cat", max_sequence_length=length, section="Tokens")
        assert f"of {length} tokens" in Page(explorer).text
        assert "is fed a sequence of that" not in Page(explorer).text
        explorer.close()


def test_a_joint_layer_of_a_transformer_leads_to_its_attention():
    explorer = sdx.explore(sd3())
    page = Page(explorer).open("Components")
    block = ("transformer_blocks", "0")
    assert "JointTransformerBlock" in page.module(*block).description
    page.module(*block, "attn").click()
    assert "keys from the prompt, and itself" in page.text
    assert not page.find("Where it looked").disabled
    page.module(*block, "attn2").click()
    assert page.find("Where it looked").disabled
    explorer.close()


def test_a_click_on_a_layer_of_the_tree_leads_to_its_attention(explorer, page):
    explorer.run(wait=True)
    page.open("Components")
    block = ("mid_block", "attentions", "0", "transformer_blocks", "0")
    assert "BasicTransformerBlock" in page.module(*block).description
    page.module(*block, "attn2").click()
    assert "keys from the prompt" in page.text
    page.module(*block, "attn1").click()
    assert page.find("Where it looked").disabled
    page.module(*block, "attn2").click()
    page.press("Where it looked")
    assert page.title == "Attention"
    assert explorer.state.layers == "mid_block.attentions.0.transformer_blocks.0.attn2"
    assert "mid_block" in page.figure_code


def test_a_picture_and_a_sentence_stay_in_the_notebook(explorer):
    fresh, _ = explorer._repr_mimebundle_()
    assert base64.b64decode(fresh["image/png"]).startswith(b"\x89PNG")
    assert "kernel" in fresh["text/plain"]
    explorer.run(wait=True)
    bundle, metadata = explorer._repr_mimebundle_()
    assert "cat" in metadata["image/png"]["alt"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert metadata["image/png"]["alt"] in bundle["text/plain"]
    assert f'src="data:image/png;base64,{bundle["image/png"]}" alt="Heat maps' in bundle["text/html"]
    assert "sdx.views.attention(" in bundle["text/plain"]
    assert bundle["image/png"] != fresh["image/png"]


def test_every_control_has_a_label_and_a_tooltip(explorer, page):
    explorer.run(wait=True)
    for title in TITLES:
        page.open(title)
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
    page = Page(explorer)
    for title in TITLES:
        page.open(title)
    html = [one.value for one in controls(explorer) if isinstance(one, ipywidgets.HTML)]
    assert not [text for text in html if "<img src=x" in text or "<b>cat" in text]
    assert hostile in page.caption
    explorer.close()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("mini", sdx.RunError, r"sdx.explore\(sdx.load\('mini'\)\)"),
        ("missing.safetensors", sdx.TraceError, "missing.safetensors"),
        (3, sdx.InspectionError, "diffusers pipeline .* int"),
        ("~/missing.safetensors", sdx.TraceError, "missing.safetensors"),
    ],
)
def test_what_cannot_be_explored_is_said(source, error, message):
    with pytest.raises(error, match=message):
        sdx.explore(source)


def test_unknown_settings_are_refused(tiny):
    with pytest.raises(sdx.RunError, match="'promt'; did you mean 'prompt'"):
        sdx.explore(tiny, promt="a cat")


def test_state_writes_itself_as_code():
    state = State(prompt="it's", steps=[0, 3], words="cat")
    assert repr(state) == "State(prompt=\"it's\", words=('cat',), steps=(0, 3))"
    assert eval(repr(state)).values() == state.values()  # noqa: S307  (code is what it claims to be)
    assert set(state.values()) == {*RUN, *SHOW}
