"""The pictures of a comparison on its grid."""

import numpy as np
import pytest
import synthetic
from artists import again, equal, panels, shown

from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.trace.collections import Comparison


def comparison():
    over = {"guidance_scale": (1, 7.5), "eta": (0.0, 0.5, 1.0)}
    return Comparison(over=over, traces=tuple(synthetic.trace(seed=seed) for seed in range(6)))


def test_a_comparison_is_drawn_as_its_grid():
    found = comparison()
    picture = views.guidance(found)
    axes = panels(picture)
    assert axes[0].get_gridspec().get_geometry() == (2, 3)
    for number, (ax, trace, cell) in enumerate(zip(axes, found, found.settings(), strict=True)):
        np.testing.assert_array_equal(shown(ax)[0], trace.image)
        np.testing.assert_array_equal(picture.data[str(number)], trace.image)
        row, column = divmod(number, 3)
        assert ax.get_title() == (f"eta {cell['eta']}" if row == 0 else "")
        assert ax.get_ylabel() == (f"guidance_scale {cell['guidance_scale']}" if column == 0 else "")
    assert picture.alt.startswith("6 pictures of 'a cat and a rocketship'")
    named = (f"guidance_scale {cell['guidance_scale']}, eta {cell['eta']}" for cell in found.settings())
    assert "; ".join(named) in picture.alt
    assert picture.call.endswith(f", from trace {found.traces[0].fingerprint}")
    equal(picture, again(picture, comparison=found))


def test_nothing_that_is_left_out_is_said_in_words():
    two = tuple(synthetic.trace(seed=seed) for seed in range(2))
    picture = views.comparison(Comparison(over={"without": (None, "cat")}, traces=two))
    assert [ax.get_title() for ax in panels(picture)] == ["nothing left out", "without cat"]
    assert "None" not in picture.alt


def test_a_function_goes_by_its_name():
    def shows_a_rocket(step):
        return step

    two = tuple(synthetic.trace(seed=seed) for seed in range(2))
    found = Comparison(over={"guide": (None, shows_a_rocket)}, traces=two)
    picture = views.comparison(found)
    assert [ax.get_title() for ax in panels(picture)] == ["guide None", "guide shows_a_rocket"]
    assert "guide shows_a_rocket" in picture.alt
    assert "over={'guide': [None, shows_a_rocket]}" in picture.call
    assert " at 0x" not in picture.alt + picture.call + repr(found)


def test_what_a_comparison_is_over_does_not_stand_in_its_title():
    two = tuple(synthetic.trace(seed=seed) for seed in range(2))
    assert "seed" not in views.guidance(Comparison(over={"seed": (0, 1)}, traces=two)).figure.get_suptitle()
    other = (synthetic.trace(), synthetic.trace(prompt="a dog"))
    picture = views.guidance(Comparison(over={"prompt": ("a cat", "a dog")}, traces=other))
    assert "cat" not in picture.figure.get_suptitle()
    assert picture.alt.startswith("2 pictures")
    assert "prompt a cat; prompt a dog" in picture.alt


def test_a_comparison_refuses_steps_and_cells_without_a_picture():
    with pytest.raises(TraceError, match="a Comparison shows final pictures; leave steps out"):
        views.guidance(comparison(), steps=[0])
    blind = Comparison(over={"eta": (0.0,)}, traces=(synthetic.trace(image=None),))
    with pytest.raises(TraceError, match="this trace holds no image: the run was stopped, or asked for"):
        views.guidance(blind)


@pytest.mark.parametrize(("count", "lines", "across"), [(12, 1, 12), (13, 2, 7), (60, 5, 12)])
def test_many_columns_are_wrapped_and_none_is_lost(count, lines, across):
    """60 in one line would be 8862 pixels wide."""
    traces = tuple(synthetic.trace(seed=seed, decoded={}, decoded_x0={}) for seed in range(3))
    over = {"eta": (0.0, 1.0), "guidance_scale": tuple(range(count))}
    found = Comparison(over=over, traces=tuple(traces[number % 3] for number in range(2 * count)))
    picture = views.comparison(found)
    axes = panels(picture)
    assert axes[0].get_gridspec().get_geometry() == (2 * lines, across)
    assert picture.figure.get_size_inches()[0] < 14
    filled = [ax for ax in axes if ax.images]
    assert len(filled) == 2 * count
    for number, ax in enumerate(filled):
        np.testing.assert_array_equal(shown(ax)[0], found.traces[number].image)
        if lines > 1 or number < count:
            assert ax.get_title() == f"guidance_scale {number % count}"
    assert [ax.get_ylabel() for ax in axes if ax.get_ylabel()] == ["eta 0.0", "eta 1.0"]
    assert axes.index(next(ax for ax in axes if ax.get_ylabel() == "eta 1.0")) == lines * across
