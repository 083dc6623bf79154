"""What heads do by their reading of a word and as a whole, against runs that are changed one head at a time."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from tiny_families import stable_diffusion_2
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux, sd3
from unchecked import unchecked

import sdexplore as sdx

PROMPT, STEP = "a cat and a rocket", 1
CALL = {"num_inference_steps": 3, "height": 64, "width": 64}
BARE = sdx.Record(cross_attention=False, decode=0)
RECORD = sdx.Record(cross_attention="heads", dtype="float32", decode=0)


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def trace(pipe):
    return sdx.run(pipe, PROMPT, record=RECORD, **CALL)


@pytest.fixture(scope="module")
def found(pipe, trace):
    return sdx.head_effects(pipe, trace, "rocket", step=STEP)


def changed(pipe, trace, change):
    """The root mean square by which a run's own prediction changes under `run(change=…)`."""
    again = sdx.run(pipe, PROMPT, record=BARE, change=change, **CALL)
    difference = again.noise_preds["cond"][STEP].astype(float) - trace.noise_preds["cond"][STEP]
    return float(np.sqrt(np.square(difference).mean()))


def test_effects_are_those_of_runs_that_are_changed_one_at_a_time(pipe, trace, found):
    reading, whole = found.table(found.reading), found.table(found.whole)
    assert found.deviation < 1e-5
    for layer, head in ((0, 3), (len(found.layers) - 1, 0)):
        name = found.layers[layer]
        without = sdx.Reweight("rocket", 0, layers=name, heads=head, steps=STEP)
        assert reading[layer, head] == pytest.approx(changed(pipe, trace, without), rel=1e-3, abs=1e-7)
        out = sdx.Ablate(name, heads=head, steps=STEP)
        assert whole[layer, head] == pytest.approx(changed(pipe, trace, out), rel=1e-3)
    layer = found.layers[1]
    several = sdx.Reweight("rocket", 0, layers=layer, steps=STEP)
    assert found.layer_reading[1] == pytest.approx(changed(pipe, trace, several), rel=1e-3)
    every = sdx.Ablate(layer, heads=range(found.heads[1]), steps=STEP)
    assert found.layer_whole[1] == pytest.approx(changed(pipe, trace, every), rel=1e-3)


def test_a_question_prints_no_bar_of_the_pipelines_and_leaves_its_setting(capfd, trace):
    pipe = stable_diffusion()
    pipe.set_progress_bar_config(disable=False, desc="mine")
    sdx.head_effects(pipe, trace, "rocket", step=STEP, layers="mid_block")
    assert "mine" not in capfd.readouterr().err
    with pipe.progress_bar(total=1) as bar:
        assert bar.desc.startswith("mine")


def test_attention_is_what_the_trace_holds_of_each_head(trace, found):
    paid = found.table(found.attention)
    for row, name in enumerate(found.layers):
        maps = [sdx.word_map(trace, "rocket", steps=STEP, layers=name, heads=head) for head in range(found.heads[row])]
        probs = [float(one.mean()) for one in maps]
        np.testing.assert_allclose(paid[row, : found.heads[row]], probs, rtol=0.02)


def test_ranks_are_those_of_scipy_and_the_strongest_stands_first(found):
    told = found.correlations
    assert told["head: whole ~ attention"] == pytest.approx(spearmanr(found.whole, found.attention).statistic)
    assert told["head: reading ~ attention"] == pytest.approx(spearmanr(found.reading, found.attention).statistic)
    layer, head = found.ranking[0]
    assert found.table(found.reading)[found.layers.index(layer), head] == found.reading.max()
    assert layer in repr(found).splitlines()[4]


def test_some_layers_alone_and_layers_of_several_widths(pipe, trace, found):
    up = sdx.head_effects(pipe, trace, "rocket", step=STEP, layers="up_blocks")
    assert up.layers == tuple(name for name in found.layers if name.startswith("up_blocks"))
    there = [name.startswith("up_blocks") for name in found.layers]
    np.testing.assert_allclose(up.table(up.reading), found.table(found.reading)[there], rtol=1e-2, atol=1e-7)
    wide = stable_diffusion_2()
    several = sdx.head_effects(wide, sdx.run(wide, PROMPT, num_inference_steps=1), "cat", step=0)
    assert len(several.reading) == sum(several.heads)
    table = several.table(several.reading)
    assert np.isfinite(table).sum() == sum(several.heads)


def test_sdxl_is_asked_by_its_own_call():
    larger = stable_diffusion_xl()
    trace = sdx.run(larger, PROMPT, num_inference_steps=1, height=64, width=64)
    made = sdx.head_effects(larger, trace, "cat", step=0, layers="up_blocks.0.attentions.1")
    assert made.deviation < 1e-5
    assert (made.whole > made.reading).any()
    assert (made.reading > 0).all()


def test_what_is_wrong_is_said_before_anything_is_computed(pipe, trace):
    called, asked = [], unchecked("model.experiments.head_effects").head_effects
    hook = pipe.unet.register_forward_pre_hook(lambda *_: called.append(1))
    try:
        for word, more, error, message in (
            ("bird", {}, sdx.TokenError, "no word 'bird'"),
            ("cat", {"layers": "up_block"}, sdx.RunError, r"head_effects\(layers='up_block'\).*up_blocks"),
            ("cat", {"layers": ()}, sdx.RunError, r"layers=\(\)"),
            ("cat", {"step": 7}, sdx.TraceError, "head_effects: there is no step 7"),
            ("cat", {"layers": 1}, sdx.RunError, r"head_effects\(layers=1\): layers are named"),
            ("cat", {"layers": [1]}, sdx.RunError, r"head_effects\(layers=\[1\]\): layers are named"),
        ):
            with pytest.raises(error, match=message):
                asked(pipe, trace, word, **more)
        assert not called
    finally:
        hook.remove()


@pytest.mark.parametrize("make", [sd3, flux], ids=["sd3", "flux"])
def test_joint_attention_is_that_of_runs_that_are_changed_one_at_a_time(make):
    """The picture reads nothing of the word; a whole head gives nothing to words either."""
    pipe, call = make(), {"height": 64, "width": 48, "num_inference_steps": 2, "max_sequence_length": 32}
    trace = sdx.run(pipe, PROMPT, record=RECORD, **call)
    found = sdx.head_effects(pipe, trace, "rocket", max_sequence_length=32)
    layer, head = found.layers[1], 1
    for change, effect in (
        (sdx.Reweight("rocket", 0, layers=layer, heads=head, steps=STEP), found.table(found.reading)[1, head]),
        (sdx.Ablate(layer, heads=head, steps=STEP), found.table(found.whole)[1, head]),
        (sdx.Reweight("rocket", 0, layers=layer, steps=STEP), found.layer_reading[1]),
    ):
        again = sdx.run(pipe, PROMPT, record=BARE, change=change, **call)
        away = again.noise_preds["cond"][STEP].astype(float) - trace.noise_preds["cond"][STEP]
        assert effect == pytest.approx(np.sqrt(np.square(away).mean()), rel=1e-3)
    paid = float(sdx.word_map(trace, "rocket", steps=STEP, layers=layer, heads=head).mean())
    assert found.table(found.attention)[1, head] == pytest.approx(paid, rel=1e-3)
