"""The arguments of a dashboard's next run."""

import inspect

import pytest

from sdexplore.dashboard.board import Board
from sdexplore.dashboard.state import State

KNOWN = {"prompt": None, "height": None, "width": None}


@pytest.mark.parametrize(("set_", "other"), [("height", "width"), ("width", "height")])
def test_one_side_that_is_set_is_never_given_alone(tiny, set_, other):
    given = Board(State(**{set_: 96}), pipe=tiny, known=KNOWN).arguments()
    assert (given[set_], given[other]) == (96, 64)
    assert not {"height", "width"} & Board(State(), pipe=tiny, known=KNOWN).arguments().keys()


def test_the_size_that_is_shown_is_the_one_that_is_drawn(tiny, explorer, page):
    unit = tiny.vae_scale_factor
    assert (page.find("height").value, page.find("width").value) == (64, 64)
    page.set("height", 96 + unit - 1)
    assert (page.find("height").value, explorer.state.height) == (96, 96)
    page.set("height", 96 + 1)  # means what is set already
    assert (page.find("height").value, explorer.state.height) == (96, 96)
    trace = explorer.run(wait=True)
    assert trace.image.shape[:2] == (page.find("height").value, page.find("width").value) == (96, 64)
    page.set("height", 0)
    assert (page.find("height").value, explorer.state.height) == (64, None)


def test_a_size_that_the_pipeline_settled_otherwise_is_shown_after_the_run(tiny, explorer, page, monkeypatch):
    call = type(tiny).__call__

    def rounding(self, *given, height=None, **options):
        return call(self, *given, height=height and height // 32 * 32, **options)

    rounding.__signature__ = inspect.signature(call)
    monkeypatch.setattr(type(tiny), "__call__", rounding)
    page.set("height", 104)
    trace = explorer.run(wait=True)
    assert trace.image.shape[0] == page.find("height").value == explorer.state.height == 96
