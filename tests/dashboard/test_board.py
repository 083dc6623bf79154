"""The arguments of a dashboard's next run."""

import pytest

from sdexplore.dashboard.board import Board
from sdexplore.dashboard.state import State

KNOWN = {"prompt": None, "height": None, "width": None}


@pytest.mark.parametrize(("set_", "other"), [("height", "width"), ("width", "height")])
def test_one_side_that_is_set_is_never_given_alone(tiny, set_, other):
    given = Board(State(**{set_: 96}), pipe=tiny, known=KNOWN).arguments()
    assert (given[set_], given[other]) == (96, 64)
    assert not {"height", "width"} & Board(State(), pipe=tiny, known=KNOWN).arguments().keys()
