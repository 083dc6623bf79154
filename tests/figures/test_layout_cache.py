"""A layout that is taken over is the one that matplotlib would have found."""

import itertools

import numpy as np
import pytest
import synthetic
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sdexplore import views
from sdexplore.figures import layout_cache


@pytest.fixture
def executed(monkeypatch):
    """How many layouts matplotlib has been asked for; none is known at first."""
    monkeypatch.setattr(layout_cache, "_known", {})
    count = [0]
    real = ConstrainedLayoutEngine.execute

    def execute(self, figure):
        count[0] += 1
        return real(self, figure)

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", execute)
    return count


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace()


def places(picture):
    """Where everything stands in the end, in pixels."""
    layout_cache.lay_out(picture.figure)
    picture.figure.draw_without_rendering()
    return [
        *(ax.bbox.extents for ax in picture.figure.axes),
        *(text.get_window_extent().extents for text in picture.figure.texts),
    ]


VIEWS = {
    "attention": lambda trace, step: views.attention(trace, ["cat"], steps=(0, step)),
    "own scales": lambda trace, step: views.attention(trace, ["cat", "and"], steps=(0, step), scale="each"),
    "by layer": lambda trace, step: views.attention_layers(trace, "cat", steps=(0, step)),
    "by step": lambda trace, step: views.attention_steps(trace, "cat", steps=(step, step + 1)),
    "with a legend": lambda trace, step: views.segmentation(trace, ["cat", "and"], steps=(0, step)),
    "with bars": lambda trace, step: views.attention_mass(trace, steps=(0, step)),
}


@pytest.mark.parametrize("draw", VIEWS.values(), ids=VIEWS)
def test_the_next_figure_of_its_kind_stands_as_it_would_by_itself(trace, executed, monkeypatch, draw):
    places(draw(trace, 1))
    assert executed == [1]
    taken_over = [places(draw(trace, step)) for step in (2, 3, 4)]
    assert executed[0] < 4
    for step, found in zip((2, 3, 4), taken_over, strict=True):
        monkeypatch.setattr(layout_cache, "_known", {})
        np.testing.assert_array_equal(found, places(draw(trace, step)))


OTHERS = {
    "comparison of two": lambda one, other: views.attention_compare(one, other, ["cat"]),
    "denoising": lambda one, _: views.denoising(one),
    "guidance": lambda one, _: views.guidance(one),
    "latents": lambda one, _: views.latents(one),
    "region": lambda one, _: views.region(one, (8, 8, 40, 40)),
    "schedule": lambda one, _: views.schedule(one),
    "tokens": lambda one, _: views.tokens(one.tokens["cond"]),
}


@pytest.mark.parametrize("draw", OTHERS.values(), ids=OTHERS)
def test_another_run_of_the_same_kind_stands_as_it_would_by_itself(executed, monkeypatch, draw):
    runs = [synthetic.trace(seed=seed) for seed in (0, 7, 13)]
    pairs = list(itertools.pairwise([*runs, runs[0]]))
    found = [places(draw(*pair)) for pair in pairs]
    assert executed[0] >= 1
    for pair, standing in zip(pairs, found, strict=True):
        monkeypatch.setattr(layout_cache, "_known", {})
        np.testing.assert_array_equal(standing, places(draw(*pair)))


def test_it_is_how_many_lines_a_title_has_that_counts(trace, executed):
    def titled(text):
        picture = views.attention(trace, ["cat"])
        picture.figure.suptitle(text)
        return places(picture)

    first, second = titled("step 1"), titled("steps 1 to 177")
    assert executed == [1]
    np.testing.assert_array_equal(first[:-1], second[:-1])
    titled("step 1\nof two lines")
    assert executed == [2]


def test_longer_numbers_at_the_colour_bar_get_their_own_layout(trace, executed, monkeypatch):
    def scaled(top):
        picture = views.attention(trace, ["cat"])
        for ax in picture.figure.axes:
            for image in ax.get_images():
                image.set_clim(0.0, top)
        return places(picture)

    narrow, wide = scaled(1.0), scaled(0.0004)
    assert executed == [2]
    assert narrow[0][2] != wide[0][2]
    monkeypatch.setattr(layout_cache, "_known", {})
    np.testing.assert_array_equal(wide, scaled(0.0004))


def test_numbers_that_grow_where_they_stand_in_the_end_undo_it(trace, executed, monkeypatch):
    places(views.attention(trace, ["cat"]))
    ((key, (placement, around)),) = layout_cache._known.items()
    layout_cache._known[key] = placement, (*around[:-1], tuple(edge + 20 for edge in around[-1]))
    found = places(views.attention(trace, ["cat"]))
    assert executed == [2]
    monkeypatch.setattr(layout_cache, "_known", {})
    np.testing.assert_array_equal(found, places(views.attention(trace, ["cat"])))


def test_a_figure_of_figures_is_laid_out_by_itself(trace, executed):
    for _ in range(2):
        places(views.guidance_steps(trace))
    assert executed == [2]


def test_only_so_many_are_remembered(trace, executed, monkeypatch):
    monkeypatch.setattr(layout_cache, "_MOST", 2)
    for words in (["cat"], ["cat", "and"], ["cat", "and", "rocketship"]):
        places(views.attention(trace, words))
    assert len(layout_cache._known) == 2
    places(views.attention(trace, ["cat"]))
    assert executed == [4]
