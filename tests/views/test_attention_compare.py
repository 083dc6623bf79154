"""Where the same words looked in two runs."""

import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, panels, same_scale, shown
from synthetic import STEPS

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TokenError, TraceError

SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


@pytest.fixture(scope="module")
def other():
    return synthetic.trace(seed=7, prompt="the cat or a rocketship")


def test_two_runs_share_one_scale_and_their_difference_has_its_own(trace, other):
    picture = views.attention_compare(trace, other, ["cat", "rocketship"])
    axes = np.array(panels(picture)).reshape(3, 3)
    first, second = ([sdx.word_map(t, w) for w in ("cat", "rocketship")] for t in (trace, other))
    np.testing.assert_array_equal(shown(axes[0, 0])[0], trace.image)
    np.testing.assert_array_equal(shown(axes[1, 0])[0], other.image)
    assert shown(axes[2, 0]) == []
    for column in (0, 1):
        np.testing.assert_array_equal(shown(axes[0, column + 1])[0], first[column])
        np.testing.assert_array_equal(shown(axes[1, column + 1])[0], second[column])
        np.testing.assert_array_equal(shown(axes[2, column + 1])[0], second[column] - first[column])
    top = max(map(np.max, first + second))
    reach = max(np.abs(b - a).max() for a, b in zip(first, second, strict=True))
    same_scale([image for ax in axes[:2, 1:].flat for image in heat_maps(ax)], 0.0, top)
    same_scale([image for ax in axes[2, 1:] for image in heat_maps(ax)], -reach, reach)
    assert [bar.get_ylabel() for bar in bars(picture)] == ["attention probability", "difference"]
    np.testing.assert_allclose(bars(picture)[1].get_ylim(), (-reach, reach), rtol=1e-6)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["a", "b", "b − a"]
    assert list(picture.data) == [f"{row}/{w}" for row in ("a", "b", "difference") for w in ("cat", "rocketship")]
    title = picture.figure.get_suptitle().splitlines()
    assert title[0] == "a: “a cat and a rocketship”, synthetic, DDIM, seed 0"
    assert title[1] == "b: “the cat or a rocketship”, synthetic, DDIM, seed 7"
    assert picture.call.endswith(f"# traces {trace.fingerprint} and {other.fingerprint}")
    equal(picture, again(picture, a=trace, b=other))


def test_the_words_that_both_prompts_hold_are_the_default(trace, other):
    data = views.attention_compare(trace, other).data
    assert [name for name in data if name.startswith("a/")] == ["a/a", "a/cat", "a/rocketship"]
    stranger = synthetic.trace(prompt="the dog")
    with pytest.raises(TraceError, match="attention_compare: the two prompts share no word; give positions"):
        views.attention_compare(trace, stranger)
    assert "a/position 2" in views.attention_compare(trace, stranger, [2]).data


def test_equal_runs_differ_by_nothing(trace):
    picture = views.attention_compare(trace, trace, "cat")
    assert not picture.data["difference/cat"].any()
    picture.png(dpi=40)


def test_traces_of_different_grids_and_missing_words_are_said(trace, other):
    small = synthetic.trace(
        latents=np.zeros((STEPS + 1, 4, 4, 6), np.float32),
        noise_preds={},
        noise_pred=None,
        pred_original_sample=None,
    )
    with pytest.raises(TraceError) as raised:
        views.attention_compare(trace, small, "cat")
    assert str(raised.value) == (
        "attention_compare: a's latent grid is 8 × 12 and b's 4 × 6; maps are compared pixel by pixel, "
        "so run both at the same height and width"
    )
    with pytest.raises(TokenError, match="trace b: no word 'and' in the prompt"):
        views.attention_compare(trace, other, "and")
    with pytest.raises(TokenError, match="trace a: no word 'or' in the prompt"):
        views.attention_compare(trace, other, "or")
    pictureless = views.attention_compare(synthetic.trace(image=None), other, "cat")
    assert len(panels(pictureless)) == 3
