"""Word maps against a slow implementation that shares nothing with the one tested."""

import dataclasses

import numpy as np
import pytest
import synthetic
import torch
from synthetic import BRIGHT, DOWN, INNER, LAYERS, LENGTH, MID, STEPS, UP, UP10, X, Y

from sdexplore.analysis.attention import word_map
from sdexplore.analysis.selection import Selection
from sdexplore.base.errors import TokenError, TraceError

PLACES = {"a": (1, 4), "cat": (2,), "and": (3,), "rocketship": (5, 6)}


@pytest.fixture(scope="module")
def per_head():
    return synthetic.trace(heads=True, columns="all", dtype=np.float32)


def slow(trace, positions, *, role="cond", layers=LAYERS, steps=range(STEPS), heads=None):
    """Every sum in its own loop, in float64; resized by torch."""
    total = np.zeros((Y, X))
    for layer in layers:
        attention = trace.cross_attention[role][layer]
        calls, all_heads, y, x, _ = attention.probs.shape
        grid, seen = np.zeros((y, x)), 0
        for call in range(calls):
            if attention.steps[call] not in steps:
                continue
            for head in range(all_heads) if heads is None else heads:
                seen += 1
                for column, summed in enumerate(attention.columns):
                    if len(summed) == 1 and summed[0] in positions:
                        grid += np.asarray(attention.probs[call, head, :, :, column], np.float64)
        fine = torch.nn.functional.interpolate(torch.from_numpy(grid / seen)[None, None], size=(Y, X), mode="bilinear")
        total += fine[0, 0].numpy()
    return total / len(layers)


def same(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("word", PLACES)
def test_a_word_is_the_mean_over_steps_heads_and_layers_of_its_tokens_sum(trace, per_head, word):
    same(word_map(trace, word), slow(trace, PLACES[word]))
    same(word_map(per_head, word), slow(per_head, PLACES[word]))


def test_the_mean_over_heads_is_the_same_whether_taken_before_or_after():
    before, after = (synthetic.trace(heads=heads, dtype=np.float32) for heads in (False, True))
    np.testing.assert_allclose(word_map(before, "cat"), word_map(after, "cat"), atol=1e-6)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"steps": 3},
        {"steps": -1},
        {"steps": (0, 5)},
        {"steps": (5, 0, 0, -1)},
        {"steps": slice(1, None, 2)},
        {"layers": MID},
        {"layers": (UP, DOWN)},
        {"layers": UP10, "steps": 2},
        {"role": "uncond"},
    ],
)
def test_a_part_of_the_trace_is_that_part_s_mean(trace, kwargs):
    expected = dict(kwargs)
    steps = kwargs.get("steps", slice(None))
    if isinstance(steps, slice):
        expected["steps"] = range(STEPS)[steps]
    else:
        expected["steps"] = {step % STEPS for step in ([steps] if isinstance(steps, int) else steps)}
    if isinstance(kwargs.get("layers"), str):
        expected["layers"] = (kwargs["layers"],)
    word, places = ("picture", (2,)) if kwargs.get("role") == "uncond" else ("cat", (2,))
    same(word_map(trace, word, **kwargs), slow(trace, places, **expected))


@pytest.mark.parametrize("heads", [0, (1,), (0, 1)])
def test_heads_are_chosen(per_head, heads):
    chosen = (heads,) if isinstance(heads, int) else heads
    same(word_map(per_head, "cat", heads=heads), slow(per_head, (2,), heads=chosen))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("up_blocks", (UP, UP10)),
        ("up_blocks.1", (UP,)),  # and not up_blocks.10
        ("up_blocks.1.", (UP,)),
        ("up_blocks.10", (UP10,)),
        (MID, (MID,)),
        (12, (DOWN, UP10)),
        (6, (INNER, UP)),
        (3, (MID,)),
        ((3, "down_blocks.0"), (DOWN, MID)),
        (("up_blocks", UP), (UP, UP10)),
        (None, LAYERS),
    ],
)
def test_layers_are_named_by_beginning_or_by_their_longer_side(trace, asked, found):
    assert tuple(Selection(layers=asked).of(trace).layers) == found


def test_the_bright_pixel_is_where_its_word_peaks_and_others_do_not(trace):
    for kwargs in ({}, {"layers": 12}, {"layers": 12, "steps": 0}):
        found = word_map(trace, "cat", **kwargs)
        assert np.unravel_index(found.argmax(), found.shape) == BRIGHT
        assert found.argmax() == word_map(trace, "rocketship", **kwargs).argmin()


def test_all_columns_together_are_one_everywhere(per_head):
    for kwargs in ({}, {"layers": MID}, {"steps": 2, "heads": 1}):
        whole = sum(word_map(per_head, position, **kwargs) for position in range(LENGTH))
        np.testing.assert_allclose(whole, 1, atol=1e-5)
    np.testing.assert_allclose(word_map(per_head, range(LENGTH)), 1, atol=1e-5)


def test_the_sum_over_the_kept_columns_leaves_the_padding(trace):
    kept = word_map(trace, range(8))
    padding = np.mean([trace.attention()[layer].probs[..., 8].astype(float).mean() for layer in LAYERS])
    assert kept.mean() == pytest.approx(1 - padding, abs=2e-3)


def test_occurrences_positions_and_phrases(trace):
    both, first, second = (word_map(trace, "a", occurrence=occurrence) for occurrence in (None, 0, 1))
    np.testing.assert_allclose(first + second, both, atol=1e-6)
    same(first, slow(trace, (1,)))
    same(second, slow(trace, (4,)))
    same(word_map(trace, 2), slow(trace, (2,)))
    same(word_map(trace, (5, 6)), word_map(trace, "ROCKETSHIP"))
    same(word_map(trace, (6, 5, 6)), word_map(trace, "rocketship"))
    same(word_map(trace, "rocket"), slow(trace, (5,)))  # a token of its own
    same(word_map(trace, "cat and a"), slow(trace, (2, 3, 4)))
    same(word_map(trace, 0), slow(trace, (0,)))


def test_without_latents_the_finest_chosen_layer_is_the_grid(trace):
    blind = synthetic.trace(latents=None, noise_pred=None, noise_preds={}, pred_original_sample=None)
    assert word_map(blind, "cat").shape == (8, 12)
    assert word_map(blind, "cat", layers=("mid_block", "up_blocks.1")).shape == (4, 6)
    same(word_map(blind, "cat"), word_map(trace, "cat"))


def test_a_layer_that_was_not_called_at_a_step_has_no_say_in_it(trace):
    layers = dict(trace.attention())
    shorter = dataclasses.replace(layers[MID], probs=layers[MID].probs[:2], steps=(0, 1))
    uneven = synthetic.trace(cross_attention={"cond": layers | {MID: shorter}})
    others = tuple(layer for layer in LAYERS if layer != MID)
    same(word_map(uneven, "cat", steps=(3, 4)), slow(trace, (2,), layers=others, steps=(3, 4)))
    same(word_map(uneven, "cat", steps=0), slow(trace, (2,), steps=(0,)))


def test_two_calls_beneath_one_step_are_averaged(trace):
    twice = {
        layer: dataclasses.replace(attention, steps=(0, 0, 1, 1, 2, 2))
        for layer, attention in trace.attention().items()
    }
    found = word_map(synthetic.trace(cross_attention={"cond": twice}), "cat", steps=1)
    same(found, slow(trace, (2,), steps=(2, 3)))


def test_a_run_from_embeddings_is_asked_by_position(trace):
    blind = synthetic.trace(
        tokens={},
        cross_attention={
            "cond": {layer: dataclasses.replace(a, tokenizer=None) for layer, a in trace.attention().items()}
        },
    )
    same(word_map(blind, 2), slow(trace, (2,)))
    same(word_map(blind, (2, 2)), slow(trace, (2,)))
    with pytest.raises(
        TraceError, match="cannot find 'cat': this run was given embeddings without a prompt for 'cond'"
    ):
        word_map(blind, "cat")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"word": "cats"}, TokenError, "no word 'cats' in the prompt; did you mean 'cat'?"),
        ({"word": "rock"}, TokenError, "'rock' is a part of the word 'rocketship'"),
        (
            {"word": "a", "occurrence": 2},
            TokenError,
            "'a' stands 2 times in the prompt: occurrence may be 0 to 1, not 2",
        ),
        ({"word": 12}, TokenError, "position 12 is not in the sequence of 12 tokens, 0 to 11"),
        ({"word": 2, "occurrence": 0}, TokenError, "occurrence=0 goes with a word, not with positions"),
        ({"word": 9}, TraceError, "position 9 was not recorded by itself: columns='prompt' sums the padding; "),
        ({"word": (2, 9)}, TraceError, "position 9 was not recorded by itself: columns='prompt' sums the padding; "),
        ({"method": "dam"}, TraceError, "no method 'dam'; did you mean 'daam' or 'amd'?"),
        (
            {"role": "perturbed"},
            TraceError,
            "no cross-attention of role 'perturbed'; there is 'uncond', 'cond' (Record(ro",
        ),
        ({"steps": 6}, TraceError, "there is no step 6: the trace has 6, 0 to 5"),
        ({"steps": (0, -7)}, TraceError, "there is no step -7: the trace has 6, 0 to 5"),
        ({"steps": ()}, TraceError, "steps=() is no step whose attention was recorded; there are [0, 1, 2, 3, 4, 5]"),
        ({"steps": slice(9, None)}, TraceError, "steps=slice(9, None, None) is no step whose attention was recorded"),
        ({"layers": "up_block"}, TraceError, "no recorded layer 'up_block'; "),
        ({"layers": ""}, TraceError, "no recorded layer ''; there is 'down_blocks', 'mid_block', 'up_blocks', "),
        ({"layers": "mid"}, TraceError, "no recorded layer 'mid'; did you mean 'mid_block'?"),
        ({"layers": 64}, TraceError, "no recorded layer of side 64; there are 3, 6, 12"),
        ({"layers": (12, 8)}, TraceError, "no recorded layer of side 8; there are 3, 6, 12"),
        ({"layers": ()}, TraceError, "layers=() asks for no layer at all; leave it out to take every recorded one"),
        ({"heads": 0}, TraceError, "heads=0: only their mean was recorded; run with Record(cross_attention='heads')"),
    ],
)
def test_what_is_not_there_is_said(trace, kwargs, error, message):
    with pytest.raises(error) as raised:
        word_map(trace, **{"word": "cat", **kwargs})
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        (2, f"there is no head 2 in {DOWN}: it has 2, from 0"),
        (-1, f"there is no head -1 in {DOWN}"),
        ((), "heads=() asks for no head at all; leave it out to take all"),
    ],
)
def test_heads_that_are_not_there(per_head, heads, message):
    with pytest.raises(TraceError) as raised:
        word_map(per_head, "cat", heads=heads)
    assert str(raised.value).startswith(message)


def test_steps_that_were_not_recorded_are_listed(trace):
    some = {layer: dataclasses.replace(a, probs=a.probs[:2], steps=(0, 4)) for layer, a in trace.attention().items()}
    found = synthetic.trace(cross_attention={"cond": some})
    with pytest.raises(TraceError, match=r"attention of step 3 was not recorded; there are \[0, 4\]"):
        word_map(found, "cat", steps=(4, 3))
    assert Selection(steps=slice(2, None)).of(found).steps == (4,)
    assert Selection().of(found).steps == (0, 4)
