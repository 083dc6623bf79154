"""What else one asks of a transformer's run: occlusion, another prompt on the way, files, figures, refusals by name."""

import numpy as np
import pytest
from tiny_transformers import flux, sd3
from transformer_matrix import PROMPT, SIZE, TEXT

import sdexplore as sdx
from sdexplore import views
from sdexplore.figures.titles import short_layers

CALL = {**SIZE, "num_inference_steps": 2, "max_sequence_length": TEXT}


@pytest.fixture(scope="module", params=[sd3, flux])
def run(request):
    pipe = request.param()
    return pipe, sdx.run(pipe, PROMPT, seed=5, record=sdx.Record(decode=0, queries=True), **CALL)


def test_occlusion_predicts_what_the_run_predicted(run):
    pipe, trace = run
    found = sdx.occlusion(pipe, trace, ["rocket"], steps=[0, 1])
    assert found.deviation.max() < 1e-4
    assert found.changes.shape == (1, 2, 8, 6)
    assert (found.changes.max(axis=(2, 3)) > 0).all()


def test_another_text_has_no_map_and_the_refusal_says_why(run):
    with pytest.raises(sdx.RunError, match="one softmax"):
        sdx.open_word_map(*run, "a dog")


def test_a_file_gives_back_columns_tokenizers_and_maps(run, tmp_path):
    _, trace = run
    trace.save(tmp_path / "trace.safetensors")
    again = sdx.Trace.load(tmp_path / "trace.safetensors")
    again.verify()
    assert again.fingerprint == trace.fingerprint
    for name, layer in trace.cross_attention["cond"].items():
        read = again.cross_attention["cond"][name]
        assert (read.columns, read.read_by) == (layer.columns, layer.read_by)
    assert np.array_equal(sdx.word_map(again, "rocket"), sdx.word_map(trace, "rocket"))


@pytest.mark.parametrize("view", [views.attention, views.segmentation, views.attention_mass, views.denoising])
def test_views_draw_it(run, view):
    picture = view(run[1])
    assert picture.alt
    assert picture.figure.axes


def test_layers_have_short_names_of_their_own(run):
    named = short_layers(tuple(run[1].cross_attention["cond"]))
    assert len(set(named.values())) == len(named)
    assert named["transformer_blocks.1.attn"] == "block 1"


def test_the_rest_is_a_segment_of_its_own(run):
    picture = views.attention_mass(run[1])
    assert "rest" in picture.alt
    assert picture.data["by_layer"].sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_a_prompt_is_exchanged_on_the_way_where_all_of_it_can_be():
    trace = sdx.run(sd3(), PROMPT, prompt_at={1: "a dog"}, record=sdx.Record(decode=0), **CALL)
    assert {"cond", "cond@1"} <= trace.cross_attention.keys()
    assert "dog" in trace.tokens["cond@1"]["tokenizer_3"].text
    with pytest.raises(sdx.RunError, match=r"prompt_at.*FluxPipeline lets a callback change prompt_embeds"):
        sdx.run(flux(), PROMPT, prompt_at={1: "a dog"}, **CALL)
