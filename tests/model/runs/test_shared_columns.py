"""Two tokenizers in one set of keys: SDXL's `prompt_2`, exclamation marks, and prompts that both read alike."""

import warnings

import numpy as np
import pytest
from tiny_pipelines import stable_diffusion_xl

import sdexplore as sdx
from sdexplore.base.errors import TraceError
from sdexplore.trace.codec import facts_of
from sdexplore.trace.schema import schema_of

BOTH = (("tokenizer", 0), ("tokenizer_2", 0))
SIZE = {"height": 64, "width": 64, "num_inference_steps": 2}
SECOND = "a very long second prompt about a dog on a bench in the park"


def traced(prompt, columns="all", **arguments):
    """A run of a tiny SDXL that decodes nothing."""
    record = sdx.Record(columns=columns, decode=0, dtype="float32")
    return sdx.run(stable_diffusion_xl(), prompt, record=record, **SIZE, **arguments)


@pytest.fixture(scope="module")
def two():
    """A run with two prompts."""
    with pytest.warns(UserWarning, match="in the prompt of 'cond', the tokenizers do not agree at positions 2 to 15"):
        return traced("a cat", prompt_2=SECOND)


def test_words_of_prompt_2_are_words_and_no_padding(two):
    end = two.tokens["cond"]["tokenizer_2"].first_end
    layers = two.cross_attention["cond"].values()
    assert {(one.tokenizer, one.tokenizers) for one in layers} == {(None, BOTH)}
    words = np.mean([np.asarray(one.probs, float)[..., 1:end].sum(-1).mean() for one in layers])
    mass = sdx.attention_mass(two).mean
    assert mass["words"] == pytest.approx(words, abs=1e-5)
    assert sum(mass.values()) == pytest.approx(1, abs=1e-5)
    assert sdx.word_map(two, "dog") == pytest.approx(
        sdx.word_map(two, two.tokens["cond"]["tokenizer_2"].positions("dog")), abs=1e-7
    )
    assert {"cat", "dog", "park"} <= set(sdx.region_words(two, np.ones((8, 8), bool)).words)
    assert sdx.word_map(two, "cat") == pytest.approx(sdx.word_map(two, 2), abs=1e-7)


def test_an_empty_second_prompt_is_the_prompt_and_a_list_of_one_is_empty():
    """As the pipeline reads them, `prompt_2 or prompt`: what the second encoder was given is what the trace says."""
    fed, pipe = [], stable_diffusion_xl()
    pipe.text_encoder_2.register_forward_pre_hook(lambda _, given: fed.append(given[0][0].tolist()))
    record = sdx.Record(decode=0, cross_attention=False)
    for cond, uncond in (("", ""), ([""], ["a dog"])):
        fed.clear()
        texts = {"negative_prompt": "blurry", "prompt_2": cond, "negative_prompt_2": uncond}
        trace = sdx.run(pipe, "a cat", record=record, **{**SIZE, "num_inference_steps": 1}, **texts)
        read = [trace.tokens[role]["tokenizer_2"].ids for role in ("cond", "uncond")]
        assert [list(ids) for ids in read] == fed


def test_a_word_has_the_columns_of_each_tokenizer_once(two):
    """In both prompts "a" stands at 1; in the second it stands at two other places too."""
    second = two.tokens["cond"]["tokenizer_2"].positions("a")
    assert second[0] == 1
    assert sdx.word_map(two, "a") == pytest.approx(sum(sdx.word_map(two, one) for one in second), abs=1e-6)
    assert sdx.word_map(two, "a", tokenizer="tokenizer") == pytest.approx(sdx.word_map(two, 1), abs=1e-7)
    assert sdx.word_map(two, "a", tokenizer="tokenizer_2") == pytest.approx(sdx.word_map(two, "a"), abs=1e-7)
    assert sdx.word_map(two, 3, tokenizer="tokenizer_2") == pytest.approx(sdx.word_map(two, 3))
    with pytest.raises(TraceError, match="tokenizer='tokenizer_3'"):
        sdx.word_map(two, "a", tokenizer="tokenizer_3")


def test_columns_of_the_prompt_alone_keep_the_words_of_both():
    with pytest.warns(UserWarning, match="do not agree"):
        short = traced("a cat", columns="prompt", prompt_2=SECOND)
    assert short.cross_attention["cond"].keys()
    assert sdx.word_map(short, "park").shape == (8, 8)
    assert sum(sdx.attention_mass(short).mean.values()) == pytest.approx(1, abs=1e-5)


def test_exclamation_marks_move_the_second_tokenizers_words():
    with pytest.warns(UserWarning, match=r"tokenizer has '!!!', tokenizer_2 has '!'"):
        trace = traced("wow!!! a cat")
    assert [read.positions("cat") for read in trace.tokens["cond"].values()] == [(4,), (6,)]
    assert sdx.word_map(trace, "cat") == pytest.approx(sdx.word_map(trace, [4, 6]), abs=1e-7)
    alone = sdx.word_map(trace, "cat", tokenizer="tokenizer_2")
    assert alone == pytest.approx(sdx.word_map(trace, 6), abs=1e-7)


def test_tokenizers_that_agree_write_what_they_wrote():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = traced("a cat, wow!", negative_prompt="blurry")
    assert {(one.tokenizer, one.tokenizers) for one in trace.cross_attention["cond"].values()} == {("tokenizer", ())}
    facts = facts_of(trace)
    assert schema_of({**facts, "provenance": {}}) == 1
    assert {frozenset(said) for said in facts["attention"].values()} == {
        frozenset({"steps", "columns", "tokenizer", "head_mean"})
    }


def test_what_tokenizers_share_comes_back_from_the_file(two, tmp_path):
    again = sdx.Trace.load(two.save(tmp_path / "two.safetensors")).verify()
    assert {(one.tokenizer, one.tokenizers) for one in again.cross_attention["cond"].values()} == {(None, BOTH)}
    assert np.array_equal(sdx.word_map(again, "dog"), sdx.word_map(two, "dog"))
    assert schema_of({**facts_of(two), "provenance": {}}) == 2
    assert again.fingerprint == two.fingerprint


def test_each_column_says_what_each_tokenizer_has_there(two):
    tree = two.to_xarray()
    layer = next(node for node in tree.subtree if "token" in node.coords)
    names = layer.coords["token"].values.tolist()
    assert names[:4] == ["start", "a", "cat | very", "end | long"]


def test_figures_say_where_the_tokenizers_part(two):
    assert "the tokenizers do not agree at positions 2 to 15" in sdx.views.attention(two, "dog").figure.get_suptitle()
    assert "do not agree" not in sdx.views.attention(traced("a cat"), "cat").figure.get_suptitle()


def test_a_seed_and_counts_of_numpys_are_recorded_as_numbers():
    pipe = stable_diffusion_xl()
    given = {"height": np.int64(64), "width": 64, "guidance_scale": np.float32(5), "record": sdx.Record(decode=0)}
    found = sdx.run(pipe, "a cat", seed=np.int64(3), num_inference_steps=np.int32(2), **given)
    plain = sdx.run(pipe, "a cat", seed=3, num_inference_steps=2, **given | {"height": 64, "guidance_scale": 5.0})
    assert found.call == plain.call
    assert type(found.call["seed"]) is int
    assert found.fingerprint == plain.fingerprint


def test_a_run_from_embeddings_names_the_tokenizers_that_part():
    ladder = sdx.clip_skip_ladder(stable_diffusion_xl(), "wow!!! a cat", (0,), record=sdx.Record(decode=0), **SIZE)
    layers = ladder.traces[0].cross_attention["cond"].values()
    assert {(one.tokenizer, one.tokenizers) for one in layers} == {(None, BOTH)}
    assert np.array_equal(sdx.word_map(ladder.traces[0], "cat"), sdx.word_map(ladder.traces[0], [4, 6]))
