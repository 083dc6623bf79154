"""Self-attention's maps and components against explicit matrices."""

import numpy as np
import pytest
import synthetic

import sdexplore as sdx
from sdexplore.base.errors import TraceError
from sdexplore.trace.trace import Attention

HIGH, WIDE, SIDE = 3, 4, 4
PIXELS = HIGH * WIDE
OUTER, INNER, SMALL = (f"{block}.attentions.0.transformer_blocks.0.attn1" for block in ("down.0", "up.1", "mid"))


def attention(grid, *, steps, heads, seed):
    pixels = grid[0] * grid[1]
    logits = np.random.default_rng(seed).normal(0, 1.5, (len(steps), heads, *grid, pixels))
    probs = np.exp(logits)
    probs /= probs.sum(-1, keepdims=True)
    return Attention(probs=probs.astype(np.float32), steps=steps, head_mean=heads == 1)


LAYERS = {
    OUTER: attention((HIGH, WIDE), steps=(0, 1, 2), heads=2, seed=0),
    INNER: attention((HIGH, WIDE), steps=(1, 1, 4), heads=3, seed=1),
    SMALL: attention((1, 2), steps=(0, 5), heads=1, seed=2),
}


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": LAYERS, "uncond": {SMALL: LAYERS[SMALL]}})


def slow(layers, step=None):
    """Mean over layers of each one's mean over calls and heads, in loops and float64."""
    found = np.zeros((HIGH, WIDE, HIGH, WIDE))
    voters = 0
    for layer in layers:
        recorded = LAYERS[layer]
        rows = [
            recorded.probs[call, head].astype(float)
            for call, seen in enumerate(recorded.steps)
            for head in range(recorded.probs.shape[1])
            if step in (None, seen)
        ]
        if not rows:
            continue
        voters += 1
        mean = sum(rows) / len(rows)
        for y in range(HIGH):
            for x in range(WIDE):
                for target in range(PIXELS):
                    found[y, x, target // WIDE, target % WIDE] += mean[y, x, target]
    return found / voters


@pytest.mark.parametrize("step", [None, 0, 1, 4])
def test_the_mean_gives_each_recorded_layer_one_vote(trace, step):
    found = sdx.self_attention_mean(trace, SIDE, steps=step)
    np.testing.assert_allclose(found, slow((OUTER, INNER), step), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=(2, 3)), 1, atol=1e-5)
    assert found.shape == (HIGH, WIDE, HIGH, WIDE)


def test_steps_count_from_the_end_and_roles_are_apart(trace):
    np.testing.assert_array_equal(
        sdx.self_attention_mean(trace, SIDE, steps=-2), sdx.self_attention_mean(trace, SIDE, steps=4)
    )
    assert sdx.self_attention_mean(trace, 2, role="uncond").shape == (1, 2, 1, 2)


def test_a_pixel_s_map_is_its_row(trace):
    for pixel in ((0, 0), (HIGH - 1, WIDE - 1), (1, 2)):
        found = sdx.pixel_map(trace, pixel, SIDE, steps=1)
        np.testing.assert_allclose(found, slow((OUTER, INNER), 1)[pixel], atol=1e-6)


def test_components_are_numpy_s_right_singular_vectors_up_to_their_sign(trace):
    matrix = slow((OUTER, INNER)).reshape(PIXELS, PIXELS)
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    _, values, vectors = np.linalg.svd(centred)
    found = sdx.self_attention_components(trace, SIDE, components=5)
    assert found.shape == (5, HIGH, WIDE)
    for component, expected, value in zip(found.reshape(5, -1), vectors, values, strict=False):
        assert abs(component @ expected) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(centred @ component) == pytest.approx(value, rel=1e-5)
        assert component[np.abs(component).argmax()] > 0


def test_components_are_orthogonal_and_as_many_as_there_are(trace):
    assert sdx.self_attention_components(trace, SIDE).shape == (10, HIGH, WIDE)
    every = sdx.self_attention_components(trace, SIDE, components=99).reshape(PIXELS, PIXELS)
    np.testing.assert_allclose(every @ every.T, np.eye(PIXELS), atol=1e-6)


def test_pixels_that_are_looked_at_alike_come_out_alike():
    """Two halves of a picture, each of which looks only at itself, are the first component's two signs."""
    half = np.arange(PIXELS) % WIDE < WIDE // 2
    probs = (half[:, None] == half[None, :]) / half.sum()
    layer = Attention(probs=probs.reshape(1, 1, HIGH, WIDE, PIXELS).astype(np.float32), steps=(0,))
    trace = synthetic.trace(self_attention={"cond": {OUTER: layer}})
    (first,) = sdx.self_attention_components(trace, SIDE, components=1)
    np.testing.assert_allclose(np.abs(first), 1 / np.sqrt(PIXELS), atol=1e-6)
    assert len(np.unique(np.sign(first.ravel()[half]))) == len(np.unique(np.sign(first.ravel()[~half]))) == 1
    assert np.sign(first.ravel()[half][0]) != np.sign(first.ravel()[~half][0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: sdx.self_attention_mean(t, 8), "no recorded self-attention of side 8; there are 2, 4"),
        (
            lambda t: sdx.self_attention_mean(t, 4, steps=3),
            "self-attention of step 3 was not recorded; there are [0, 1,",
        ),
        (lambda t: sdx.self_attention_mean(t, 4, steps=6), "there is no step 6: the trace has 6, 0 to 5"),
        (
            lambda t: sdx.self_attention_mean(t, 4, role="con"),
            "no self-attention of role 'con'; did you mean 'cond'",
        ),
        (lambda t: sdx.pixel_map(t, (3, 0), 4), "there is no pixel (3, 0) on a grid of 3 × 4 (row, column)"),
        (lambda t: sdx.pixel_map(t, (0, -1), 4), "there is no pixel (0, -1) on a grid of 3 × 4"),
        (lambda t: sdx.self_attention_components(t, 4, components=0), "components=0: ask for one at least"),
    ],
)
def test_what_is_not_there_is_said(trace, call, message):
    with pytest.raises(TraceError) as raised:
        call(trace)
    assert str(raised.value).startswith(message)


def test_a_trace_without_self_attention_says_how_to_record_it():
    with pytest.raises(TraceError, match=r"this trace holds no self-attention: run with Record\(self_attention="):
        sdx.self_attention_mean(synthetic.trace(), 4)
