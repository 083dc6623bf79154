"""One word's map as the picture forms."""

import dataclasses

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown
from synthetic import STEPS

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.theory import linear_preview

SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


def test_steps_are_maps_on_one_scale_beneath_what_they_predict(trace):
    picture = views.attention_steps(trace, "cat", steps=[0, 3, -1])
    above, below = panels(picture)[:3], panels(picture)[3:]
    assert [ax.get_title() for ax in above] == [
        *("step 0\nt 999\nσ 14.6", "step 3\nt 400\nσ 1.4", "step 5\nt 0\nσ 0.1")
    ]
    assert (above[0].get_ylabel(), below[0].get_ylabel()) == ("predicted x0\ndecoded", "attention")
    for column, step in enumerate((0, 3, 5)):
        expected = sdx.word_map(trace, "cat", steps=step)
        np.testing.assert_array_equal(shown(below[column])[0], expected)
        np.testing.assert_array_equal(picture.data["maps"][column], expected)
        np.testing.assert_array_equal(shown(above[column])[0], trace.decoded_x0[step])
    top = picture.data["maps"].max()
    same_scale([image for ax in below for image in heat_maps(ax)], 0.0, top)
    (bar,) = bars(picture)
    assert (bar.get_ylabel(), bar.get_ylim()) == ("probability", (0.0, pytest.approx(float(top))))
    assert picture.figure.get_suptitle().endswith("“cat”: cond, mean over 5 layers, all heads")
    assert "at steps 0, 3, 5 of 6, on one scale from 0 to" in picture.alt
    assert "beneath the picture that the step predicts (decoded)" in picture.alt
    assert "bottom right" in picture.alt


def test_predicted_pictures_are_all_previews_where_one_step_was_not_decoded(trace):
    picture = views.attention_steps(trace, "cat", steps=[3, 4])
    above = panels(picture)[:2]
    assert above[0].get_ylabel() == "predicted x0\nlinear"
    for ax, step in zip(above, (3, 4), strict=True):
        x0 = linear_preview(trace.pred_original_sample[step], trace.latent_rgb)
        np.testing.assert_array_equal(shown(ax)[0], x0)
    assert "the step predicts (linear)" in picture.alt
    never = synthetic.trace(decoded_x0={}, latent_rgb=None)
    assert [ax.get_ylabel() for ax in panels(views.attention_steps(never, "cat", steps=[3, 4]))] == ["attention", ""]


def test_steps_default_to_eight_of_those_recorded(trace):
    assert list(views.attention_steps(trace, "cat").data["steps"]) == list(range(STEPS))
    some = {
        layer: dataclasses.replace(a, probs=a.probs[::2], steps=(0, 2, 4)) for layer, a in trace.attention().items()
    }
    picture = views.attention_steps(synthetic.trace(cross_attention={"cond": some}), "cat")
    assert list(picture.data["steps"]) == [0, 2, 4]
    with pytest.raises(TraceError, match=r"attention of step 1 was not recorded; there are \[0, 2, 4\]"):
        views.attention_steps(synthetic.trace(cross_attention={"cond": some}), "cat", steps=1)


def test_steps_without_a_prediction_are_maps_only_and_an_occurrence_is_named():
    blind = synthetic.trace(pred_original_sample=None)
    picture = views.attention_steps(blind, "a", occurrence=1)
    assert len(panels(picture)) == STEPS
    assert "“a”, occurrence 1: cond" in picture.figure.get_suptitle()
    np.testing.assert_array_equal(picture.data["maps"][2], sdx.word_map(blind, "a", steps=2, occurrence=1))
