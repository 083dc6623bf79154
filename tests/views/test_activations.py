"""Sizes of activations as they are drawn, and the first module that is not finite."""

import numpy as np
import pytest
import synthetic
from artists import again, equal

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError

MODULES = [
    "conv_in",
    "down_blocks.0.conv",
    "down_blocks.0",
    "mid_block.act",
    "mid_block.act#1",
    "mid_block",
    "conv_out",
]


def measured(bad=None):
    values = np.tile(np.array([0.5, 2.0, -7.0, 3.0, 0.0], np.float32), (synthetic.STEPS, len(MODULES), 1))
    values[:, 3, 2:4] = (-1e5, 4.0)
    values[5] = np.nan  # not looked at
    if bad is not None:
        step, place = bad
        values[step, place:, -1] = 0.25
        values[step, place + 1 :, :4] = np.nan
    plain = synthetic.trace()
    return plain.altered(statistics={"cond": values}, provenance={**plain.provenance, "modules": MODULES})


def points(picture, name):
    (line,) = (one for one in picture.figure.axes[0].lines if one.get_label() == name)
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_every_module_has_its_greatest_magnitude_and_deviation():
    picture = views.activation_statistics(measured())
    places, sizes = points(picture, "greatest magnitude")
    np.testing.assert_array_equal(places, range(len(MODULES)))
    np.testing.assert_allclose(sizes, [7, 7, 7, 1e5, 7, 7, 7])
    np.testing.assert_allclose(points(picture, "standard deviation")[1], 2.0)
    assert picture.figure.axes[0].get_yscale() == "log"
    assert "all are finite" in picture.alt
    assert "step 4" in picture.figure.get_suptitle()


def test_the_first_that_is_not_finite_is_marked_and_named():
    trace = measured(bad=(2, 4))
    picture = views.activation_statistics(trace)
    assert "step 2" in picture.figure.get_suptitle()
    assert "the first that is not finite: mid_block.act#1" in picture.figure.get_suptitle()
    assert "mid_block.act#1 is the first of 3 that are not finite" in picture.caption
    places, _ = points(picture, "greatest magnitude")
    np.testing.assert_array_equal(places, range(5))
    assert any(list(line.get_xdata()) == [4, 4] for line in picture.figure.axes[0].lines)
    found = sdx.activation_statistics(trace)
    assert (found.first.module, found.first.step, found.first.role) == ("mid_block.act#1", 2, "cond")
    assert (found.first.before, found.first.share) == ("mid_block.act", 0.25)
    assert found.first.greatest == pytest.approx(1e5)
    assert "1 of them reach beyond 65504" in repr(sdx.activation_statistics(trace, step=0))


def test_what_was_not_measured_is_refused_in_words():
    trace = measured()
    for asked, why in (
        ({"step": 5}, "step 5 was not measured; there are 0, 1, 2, 3, 4"),
        ({"step": 9}, "there is no step 9"),
        ({"role": "con"}, "did you mean 'cond'"),
    ):
        with pytest.raises(TraceError, match=why):
            views.activation_statistics(trace, **asked)
    with pytest.raises(TraceError, match=r"Record\(statistics=True\)"):
        sdx.activation_statistics(synthetic.trace())
    with pytest.raises(TraceError, match="'mid_blok' was not measured; did you mean 'mid_block'"):
        sdx.activation_statistics(trace).of("mid_blok")


def test_the_call_makes_an_equal_picture():
    trace = measured(bad=(1, 2))
    for picture in (views.activation_statistics(trace), views.activation_statistics(trace, step=3)):
        equal(picture, again(picture, trace=trace))
