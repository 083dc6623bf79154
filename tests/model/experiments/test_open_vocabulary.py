"""Maps of any word, also one that is not in the prompt, from the queries of a stored run."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from unchecked import unchecked

import sdexplore as sdx

PROMPT = "a photo of a cat beside an astronaut"
RECORD = sdx.Record(queries=True, dtype="float32", decode=0)
BOTH = replace(RECORD, roles=("cond", "uncond"))


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_with_the_runs_own_prompt_it_is_word_map(make, tmp_path):
    pipe = make()
    trace = sdx.run(pipe, PROMPT, record=RECORD, num_inference_steps=2, height=64, width=96)
    trace = sdx.Trace.load(trace.save(tmp_path / "with queries.safetensors")).verify()
    for word in ("cat", "astronaut"):
        found = sdx.open_word_map(pipe, trace, PROMPT, word=word)
        assert found.shape == (8, 12)
        assert np.abs(found - sdx.word_map(trace, word)).max() < 1e-6
    assert (
        np.abs(sdx.open_word_map(pipe, trace, PROMPT, word="cat", steps=1) - sdx.word_map(trace, "cat", steps=1)).max()
        < 1e-6
    )


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_the_text_is_encoded_as_the_run_s_was(make):
    pipe = make()
    size = {"num_inference_steps": 1, "height": 64, "width": 64}
    traces = list(sdx.clip_skip_ladder(pipe, PROMPT, (1,), record=RECORD, **size))
    if make is stable_diffusion_xl:  # whose own argument works
        traces.append(sdx.run(pipe, PROMPT, record=BOTH, clip_skip=1, negative_prompt="a red dog", **size))
        found = sdx.open_word_map(pipe, traces[-1], "a red dog", word="dog", role="uncond")
        assert np.abs(found - sdx.word_map(traces[-1], "dog", role="uncond")).max() < 1e-5
    for trace in traces:
        found = sdx.open_word_map(pipe, trace, PROMPT, word="cat")
        assert np.abs(found - sdx.word_map(trace, "cat")).max() < 1e-5
    plain = sdx.run(pipe, PROMPT, record=RECORD, **size)
    assert np.abs(sdx.open_word_map(pipe, plain, PROMPT, word="cat") - found).max() > 1e-4
    mixed = sdx.interpolation(pipe, PROMPT, "a dog", [0.5], record=RECORD, **size).traces[0]
    for trace, why in (
        (mixed, "mixed of 'a photo.*'a dog'"),
        (sdx.run(pipe, **sdx.clip_skip_embeds(pipe, PROMPT), record=RECORD, **size), "given as prompt_embeds"),
    ):
        with pytest.raises(sdx.RunError, match=f"this run's text was {why}"):
            sdx.open_word_map(pipe, trace, "a dog")


def test_a_fused_projection_makes_the_same_keys():
    pipe = stable_diffusion()
    trace = sdx.run(pipe, PROMPT, record=RECORD, num_inference_steps=1)
    before = sdx.open_word_map(pipe, trace, "a dog")
    step = np.int64(0)  # as argmax gives it
    np.testing.assert_array_equal(
        unchecked("model.experiments.open_vocabulary").open_word_map(pipe, trace, "a dog", steps=step), before
    )
    assert unchecked("analysis.selection").steps_of(trace, step, [0]) == (0,)
    pipe.fuse_qkv_projections()
    assert np.allclose(sdx.open_word_map(pipe, trace, "a dog"), before, atol=1e-6)


def test_the_embedded_model_finds_what_was_never_named():
    pipe = sdx.load()
    pipe.set_progress_bar_config(disable=True)
    record = sdx.Record(queries=True, decode=0)
    trace = sdx.run(pipe, "a red circle and a blue square on a white background", record=record, num_inference_steps=6)
    rgb = trace.image.astype(int)
    red = ((rgb[..., 0] > 150) & (rgb[..., 1] < 110)).reshape(32, 8, 32, 8).mean(axis=(1, 3))
    found = sdx.open_word_map(pipe, trace, "an apple", word="apple")  # red and round as well
    inside, outside = (found * red).sum() / red.sum(), (found * (1 - red)).sum() / (1 - red).sum()
    assert inside > outside


def test_what_cannot_be_asked_says_why(tiny):
    bare = sdx.run(tiny, PROMPT, num_inference_steps=1, record=sdx.Record(decode=0))
    with pytest.raises(sdx.TraceError, match=r"no queries of role 'cond': run with Record\(queries=True\)"):
        sdx.open_word_map(tiny, bare, "a dog")
    trace = sdx.run(tiny, PROMPT, num_inference_steps=1, record=RECORD)
    with pytest.raises(sdx.TokenError, match="no word 'cat'"):
        sdx.open_word_map(tiny, trace, "a dog", word="cat")
    with pytest.raises(sdx.TokenError, match="no token in it"):
        sdx.open_word_map(tiny, trace, "")
    with pytest.raises(sdx.TraceError, match="there is no step 7"):
        sdx.open_word_map(tiny, trace, "a dog", steps=7)
    with pytest.raises(sdx.RunError, match="made by another model"):
        sdx.open_word_map(stable_diffusion_xl(), trace, "a dog")


def test_cost_knows_of_queries(tiny):
    told = sdx.cost(tiny, RECORD, prompt=PROMPT, num_inference_steps=2)
    trace = sdx.run(tiny, PROMPT, record=RECORD, num_inference_steps=2)
    kept = sum(q.values.nbytes for q in trace.queries["cond"].values())
    assert sum(amount for name, amount in told.parts.items() if name.startswith("queries")) == kept


@pytest.mark.parametrize("word", ["cat", "wow", None])
def test_a_text_that_sdxls_tokenizers_read_otherwise_has_the_words_of_both(word):
    """The second reads "!!!" as three tokens."""
    pipe = stable_diffusion_xl()
    text = "wow!!! a cat"
    trace = sdx.run(pipe, text, record=RECORD, num_inference_steps=1, height=64, width=64)
    wanted = word or list(range(1, trace.tokens["cond"]["tokenizer_2"].first_end))
    found = sdx.open_word_map(pipe, trace, text, word=word)
    assert np.abs(found - sdx.word_map(trace, wanted)).max() < 1e-6
