"""Shares, entropy and the layers special to a word, against sums in plain loops."""

import dataclasses
from math import log2

import numpy as np
import pytest
import synthetic
from synthetic import DOWN, HEADS, LAYERS, LENGTH, MID, STEPS, UP

import sdexplore as sdx
from sdexplore.analysis.attention_mass import KINDS
from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text.tokenization import Tokenizations
from sdexplore.trace.trace import Attention

KIND_OF = ["start", *["words"] * 6, "end", *["padding"] * 4]


@pytest.fixture(scope="module")
def per_head():
    return synthetic.trace(heads=True, columns="all", dtype=np.float32)


def slow_shares(attention, step, heads=None):
    """{kind: share} of one layer at one step."""
    sums, seen = dict.fromkeys(KINDS, 0.0), 0
    calls, all_heads, height, width, _ = attention.probs.shape
    for call in range(calls):
        for head in range(all_heads) if heads is None else heads:
            for y in range(height):
                for x in range(width):
                    if attention.steps[call] != step:
                        continue
                    seen += 1
                    for column, summed in enumerate(attention.columns):
                        sums[KIND_OF[summed[0]]] += float(attention.probs[call, head, y, x, column])
    return [sums[kind] / seen for kind in KINDS]


@pytest.mark.parametrize("name", ["trace", "per_head"])
def test_shares_are_sums_over_each_kind_s_columns(name, request):
    trace = request.getfixturevalue(name)
    mass = sdx.attention_mass(trace, steps=(1, 4))
    assert (mass.layers, mass.steps) == (LAYERS, (1, 4))
    for row, layer in enumerate(LAYERS):
        for column, step in enumerate((1, 4)):
            expected = slow_shares(trace.attention()[layer], step)
            np.testing.assert_allclose(mass.shares[row, column], expected, atol=1e-6)


def test_the_four_shares_add_up_to_one(trace, per_head):
    for each in (trace, per_head):
        np.testing.assert_allclose(sdx.attention_mass(each).shares.sum(-1), 1, atol=1e-3)
    assert sum(sdx.attention_mass(per_head).mean.values()) == pytest.approx(1, abs=1e-5)


def test_heads_and_roles_are_chosen(per_head):
    one = sdx.attention_mass(per_head, heads=1, steps=0, layers=MID).shares[0, 0]
    np.testing.assert_allclose(one, slow_shares(per_head.attention()[MID], 0, heads=(1,)), atol=1e-6)
    both = [sdx.attention_mass(per_head, heads=head).shares for head in range(HEADS)]
    np.testing.assert_allclose(np.mean(both, axis=0), sdx.attention_mass(per_head).shares, atol=1e-6)
    uncond = sdx.attention_mass(per_head, role="uncond", steps=0, layers=MID)
    probs = per_head.attention("uncond")[MID].probs[0].mean(axis=(0, 1, 2))
    assert uncond.role == "uncond"
    np.testing.assert_allclose(
        uncond.shares[0, 0], [probs[0], probs[1:3].sum(), probs[3], probs[4:].sum()], atol=1e-6
    )  # "blurry picture": two tokens


def uneven(trace):
    layers = dict(trace.attention())
    layers[MID] = dataclasses.replace(layers[MID], probs=layers[MID].probs[:2], steps=(0, 3))
    return synthetic.trace(cross_attention={"cond": layers})


def test_a_layer_not_recorded_at_a_step_is_nan_there_and_out_of_the_mean(trace):
    found = uneven(trace)
    row = LAYERS.index(MID)
    for values in (sdx.attention_mass(found).shares, sdx.entropy(found).bits[..., None]):
        missing = np.isnan(values)
        assert missing[row, [1, 2, 4, 5]].all()
        assert not missing[row, [0, 3]].any()
        assert not np.delete(missing, row, axis=0).any()
    mass = sdx.attention_mass(found)
    assert sum(mass.mean.values()) == pytest.approx(1, abs=2e-3)
    assert "nan" not in repr(mass)


def test_two_calls_beneath_one_step_are_averaged(trace):
    layers = {
        layer: dataclasses.replace(attention, steps=(0, 0, 1, 1, 2, 2))
        for layer, attention in trace.attention().items()
    }
    twice = synthetic.trace(cross_attention={"cond": layers})
    for function in (lambda t: sdx.attention_mass(t).shares, lambda t: sdx.entropy(t).bits):
        once = function(trace)
        expected = (once[:, 0::2] + once[:, 1::2]) / 2
        np.testing.assert_allclose(function(twice), expected, atol=1e-5)


def test_two_tokenizers_share_positions_and_the_layer_s_own_names_them():
    """As in SDXL: one key is both encoders' features of one position."""
    first, second = (synthetic.tokenization(tokenizer=name) for name in ("tokenizer", "tokenizer_2"))
    tokens = {"cond": Tokenizations({"tokenizer": first, "tokenizer_2": second})}
    np.testing.assert_array_equal(
        sdx.attention_mass(synthetic.trace(tokens=tokens)).shares, sdx.attention_mass(synthetic.trace()).shares
    )
    short = {"cond": Tokenizations({"tokenizer": synthetic.tokenization("a cat"), "tokenizer_2": second})}
    trace = synthetic.trace(tokens=short)
    probs = trace.attention()[UP].probs[0].astype(float).mean(axis=(0, 1, 2))
    expected = [probs[0], probs[1:3].sum(), probs[3], probs[4:].sum()]
    np.testing.assert_allclose(sdx.attention_mass(trace, layers=UP).shares[0, 0], expected, atol=1e-6)


def test_embeddings_without_a_prompt_have_no_kinds(trace):
    nameless = {layer: dataclasses.replace(a, tokenizer=None) for layer, a in trace.attention().items()}
    blind = synthetic.trace(tokens={}, cross_attention={"cond": nameless})
    message = f"there is no prompt for 'cond' to tell start, words, end and padding of {LAYERS[0]} by"
    for function in (sdx.attention_mass, lambda t: sdx.word_layers(t, 2)):
        with pytest.raises(TraceError) as raised:
            function(blind)
        assert str(raised.value) == message
    np.testing.assert_array_equal(sdx.entropy(blind).bits, sdx.entropy(trace).bits)


def test_more_positions_than_the_prompt_fills_are_said():
    short = synthetic.tokenization("b c d e f g h i")
    cut = dataclasses.replace(short, tokens=short.tokens[:-2])
    trace = synthetic.trace(columns="all", tokens={"cond": Tokenizations({"tokenizer": cut})})
    message = rf"{LAYERS[0]} looked at position 10, and the prompt of 'cond' fills 10: start, words, end and padding"
    with pytest.raises(TraceError, match=message):
        sdx.attention_mass(trace)


def test_mass_shows_a_row_a_layer_and_the_mean(trace):
    mass = sdx.attention_mass(trace)
    lines = repr(mass).splitlines()
    most = max(mass.mean, key=mass.mean.get)
    assert lines[0] == f"Attention of cond: {mass.mean[most]:.0%} goes to {most}"
    assert [line.split()[0] for line in lines if line.split()[0] in (*LAYERS, "mean")] == [*LAYERS, "mean"]
    assert mass._repr_html_().count("<tr") == len(LAYERS) + 2


# entropy


def with_probs(probs, columns=None):
    """A trace of one layer with these probabilities (call, head, y, x, column)."""
    columns = columns or tuple((position,) for position in range(probs.shape[-1]))
    attention = Attention(
        probs=probs.astype(np.float32),
        steps=tuple(range(len(probs))),
        columns=columns,
        tokenizer="tokenizer",
        head_mean=False,
    )
    return synthetic.trace(cross_attention={"cond": {MID: attention}})


def test_entropy_of_a_uniform_row_is_log2_of_the_columns_and_of_one_column_0():
    uniform = np.full((1, 1, 2, 3, LENGTH), 1 / LENGTH)
    np.testing.assert_allclose(sdx.entropy(with_probs(uniform)).bits, [[log2(LENGTH)]], rtol=1e-6)
    single = np.zeros((1, 1, 2, 3, LENGTH))
    single[..., 4] = 1
    np.testing.assert_array_equal(sdx.entropy(with_probs(single)).bits, [[0]])


def test_entropy_is_the_mean_over_pixels_and_heads(per_head):
    result = sdx.entropy(per_head, layers=(MID, UP), steps=(2, 5))
    found = result.bits
    assert found.shape == (2, 2)
    assert (result.layers, result.steps, result.columns) == ((MID, UP), (2, 5), (LENGTH, LENGTH))
    assert [line.split()[:1] for line in repr(result).splitlines()[-2:]] == [[MID], [UP]]
    assert f"{log2(LENGTH):.3f}" in repr(result)
    assert result._repr_html_().count("<tr") == 3
    for row, layer in enumerate((MID, UP)):
        for column, step in enumerate((2, 5)):
            rows = per_head.attention()[layer].probs[step].reshape(-1, LENGTH).astype(float)
            expected = np.mean([sum(-p * log2(p) for p in one if p > 0) for one in rows])
            assert found[row, column] == pytest.approx(expected, rel=1e-5)


def test_the_summed_padding_is_a_lower_bound():
    apart, together = (synthetic.trace(columns=columns, dtype=np.float32) for columns in ("all", "prompt"))
    assert (sdx.entropy(together).bits < sdx.entropy(apart).bits).all()


# word_layers


def with_bright(layer, head=None, *, heads=False):
    """A trace in which only `layer` (and head) looks at one pixel for "cat"; all the rest is almost flat."""
    dull = {
        name: synthetic.attention(grid, heads=heads, columns="all", dtype=np.float32, seed=3)
        for name, grid in synthetic.GRIDS.items()
    }
    for name, attention in dull.items():
        probs = np.full_like(attention.probs, 1 / LENGTH)
        if name == layer:
            where = slice(None) if head is None else head
            probs[:, where, 1, 2, 2], probs[:, where, 1, 2, 3] = 1.5 / LENGTH, 0.5 / LENGTH
        dull[name] = dataclasses.replace(attention, probs=probs)
    return synthetic.trace(cross_attention={"cond": dull})


@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_with_the_bright_pixel_is_first(layer):
    found = sdx.word_layers(with_bright(layer), "cat")
    assert found.layers[0] == layer
    assert found.heads == (None,) * len(LAYERS)
    assert found.bits[0] > 0
    np.testing.assert_allclose(found.bits[1:], 0, atol=1e-7)


def test_so_is_its_head():
    found = sdx.word_layers(with_bright(UP, head=1, heads=True), "cat")
    assert (found.layers[0], found.heads[0]) == (UP, 1)
    assert len(found.layers) == len(LAYERS) * HEADS
    assert sorted(set(zip(found.layers, found.heads, strict=True))) == sorted(
        (layer, head) for layer in LAYERS for head in range(HEADS)
    )


def test_bits_and_probability_are_those_of_the_definition(per_head):
    found = sdx.word_layers(per_head, "rocketship", layers=MID, steps=(0, 2))
    for head, bits, probability in zip(found.heads, found.bits, found.probability, strict=True):
        probs = per_head.attention()[MID].probs[[0, 2], head].astype(float).mean(axis=0)
        mine, theirs = probs[..., [5, 6]].sum(-1).ravel(), probs[..., [1, 2, 3, 4]].sum(-1).ravel()
        p, q = mine / mine.sum(), theirs / theirs.sum()
        assert bits == pytest.approx(sum(a * log2(a / b) for a, b in zip(p, q, strict=True)), rel=1e-4)
        assert probability == pytest.approx(mine.mean(), rel=1e-5)
    weighed = [bits * probability for bits, probability in zip(found.bits, found.probability, strict=True)]
    assert weighed == sorted(weighed, reverse=True)


def test_a_head_that_hardly_looks_at_the_word_is_no_specialist_of_it():
    """One pixel of 1e-7 has many bits and means nothing; a real peak in another layer comes first."""
    trace = with_bright(UP)
    faint = trace.attention()[DOWN]
    probs = faint.probs.copy()
    probs[..., 2] = 1e-30
    probs[:, :, 0, 0, 2] = 1e-7
    layers = {**trace.attention(), DOWN: dataclasses.replace(faint, probs=probs)}
    found = sdx.word_layers(dataclasses.replace(trace, cross_attention={"cond": layers}), "cat")
    assert found.layers[0] == UP
    assert found.bits[found.layers.index(DOWN)] > 5 > found.bits[0]


def test_a_ranking_of_many_heads_shows_the_first(per_head):
    many = sdx.word_layers(per_head, "cat", layers=(DOWN, MID, UP))
    assert len(many.layers) == 3 * HEADS
    long = dataclasses.replace(
        many, layers=many.layers * 9, heads=many.heads * 9, bits=many.bits * 9, probability=many.probability * 9
    )
    assert f"… and {27 * HEADS - 12} more" in repr(long)
    assert long._repr_html_().count("<tr") == 13
    assert "more" not in repr(many)


def test_zeroed_embeddings_are_said():
    """SDXL without a negative prompt."""
    tokens = {"tokenizer": synthetic.tokenization("")}
    flat = synthetic.trace(
        cross_attention={"uncond": synthetic.trace().attention()},
        tokens={"uncond": Tokenizations(tokens)},
        provenance={**synthetic.trace().provenance, "zeroed_roles": ["uncond"]},
    )
    assert "embeddings are all zeros" in repr(sdx.attention_mass(flat, role="uncond"))
    with pytest.raises(TraceError, match=r"'uncond' holds no word, and its embeddings are all zeros.* name positions"):
        sdx.region_words(flat, (0, 0, 9, 9), role="uncond")


def test_word_layers_names_the_word_and_shows_itself(trace):
    assert sdx.word_layers(trace, (5, 6)).word == "positions 5, 6"
    found = sdx.word_layers(trace, "cat", layers=(MID, UP))
    lines = repr(found).splitlines()
    assert lines[0] == "Layers most special to 'cat'"
    best = f"{found.bits[0]:.3f}"
    assert any(line.split()[:4] == [found.layers[0], "mean", best, f"{found.probability[0]:.4f}"] for line in lines)
    assert found._repr_html_().count("<tr") == 3


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"word": "dog"}, TokenError, "no word 'dog' in the prompt"),
        ({"word": "a cat and a rocketship"}, TraceError, "word_layers('a cat and a rocketship'): the prompt has no"),
        ({"word": "cat", "steps": STEPS}, TraceError, "there is no step 6"),
        ({"word": "cat", "layers": 99}, TraceError, "no recorded layer of side 99; there are 3, 6, 12"),
        ({"word": "cat", "role": "perturbed"}, TraceError, "no cross-attention of role 'perturbed'"),
    ],
)
def test_word_layers_refuses_what_is_not_there(trace, kwargs, error, message):
    with pytest.raises(error) as raised:
        sdx.word_layers(trace, **kwargs)
    assert str(raised.value).startswith(message)


def test_heads_that_were_not_recorded_are_said(trace):
    for function in (sdx.attention_mass, sdx.entropy):
        with pytest.raises(TraceError, match="heads=1: only their mean was recorded"):
            function(trace, heads=1)
