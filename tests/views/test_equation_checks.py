"""Equations held against code, and how a UNet is told the time."""

import numpy as np
import pytest
from artists import again, equal, panels, same_scale, shown
from tiny_pipelines import stable_diffusion

import sdexplore as sdx


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def test_equations_are_curves_of_their_differences(pipe):
    found = sdx.equation_checks(pipe, num_inference_steps=20)
    picture = sdx.views.equation_checks(found)
    for ax, (name, one) in zip(panels(picture), found.items(), strict=True):
        size, single, double = (line.get_ydata() for line in ax.get_lines())
        np.testing.assert_array_equal(single, np.maximum(one.float32, 1e-17))
        np.testing.assert_array_equal(double, np.maximum(one.float64, 1e-17))
        np.testing.assert_array_equal(size, np.maximum(one.size, 1e-17))
        assert ax.get_title().startswith(f"{name}\n")
    equal(picture, again(picture, pipe=pipe))


def test_time_is_drawn_as_it_is_told(pipe):
    found = sdx.time_embedding(pipe)
    picture = sdx.views.time_embedding(found)
    sinusoids, before, after = panels(picture)
    np.testing.assert_array_equal(shown(sinusoids)[0], found.sinusoids)
    np.testing.assert_array_equal(shown(before)[0], found.similarity())
    np.testing.assert_array_equal(shown(after)[0], found.similarity(learned=True))
    same_scale([ax.get_images()[0] for ax in (sinusoids, before, after)], -1, 1)
    equal(picture, again(picture, pipe=pipe))
    few = sdx.views.time_embedding(sdx.time_embedding(pipe, [900, 500, 1]))
    assert [label.get_text() for label in panels(few)[1].get_yticklabels()] == ["900", "500", "1"]
