"""Grids and other runs: made one at a time, never listed."""

import pandas as pd
import pytest

import sdexplore as sdx
from sdexplore.base.errors import RunError
from sdexplore.studies.planned import Plan, planned_run


def test_the_last_axis_is_the_fastest():
    found = sdx.grid(prompt=["a cat", "a dog"], seed=range(3))
    assert list(found) == [{"prompt": p, "seed": s} for p in ("a cat", "a dog") for s in range(3)]
    assert [found[place] for place in range(len(found))] == list(found)
    assert found[-1] == {"prompt": "a dog", "seed": 2}
    assert found[1:3] == list(found)[1:3]
    with pytest.raises(IndexError):
        found[6]


def test_a_million_runs_are_counted_and_reached_without_being_made():
    found = sdx.grid(prompt=["a cat", "a dog"], seed=range(10**6), guidance_scale=[1, 7.5])
    assert len(found) == 4 * 10**6
    assert found[3_999_999] == {"prompt": "a dog", "seed": 999_999, "guidance_scale": 7.5}
    assert next(iter(found)) == {"prompt": "a cat", "seed": 0, "guidance_scale": 1}
    assert "4,000,000" in repr(found)


def test_one_text_is_one_value_and_nothing_is_refused():
    assert sdx.grid(prompt="a cat", change=sdx.Reweight("cat", 2.0))[0]["prompt"] == "a cat"
    with pytest.raises(RunError, match="seed"):
        sdx.grid(prompt="a cat", seed=[])
    with pytest.raises(RunError, match="at least one"):
        sdx.grid()


def test_rows_of_a_frame_are_runs_and_a_missing_cell_gives_no_argument():
    frame = pd.DataFrame({"prompt": ["a cat", "a dog"], "seed": [3, 4], "guidance_scale": [7.5, None]})
    plan = Plan(frame)
    assert plan.count == 2
    assert list(plan) == [{"prompt": "a cat", "seed": 3, "guidance_scale": 7.5}, {"prompt": "a dog", "seed": 4}]
    assert list(plan) == list(plan)


def test_an_iterator_is_used_once():
    plan = Plan({"prompt": str(number)} for number in range(2))
    assert plan.count is None
    assert len(list(plan)) == 2
    with pytest.raises(RunError, match="used up"):
        list(plan)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("a cat", "dictionary"),
        ({"prompt": "a cat", "seed": 1.5}, "seed=1.5"),
        ({"prompt": "a cat", "seed": 2**70}, "2⁶³"),
        ({"prompt": "a cat", "record": sdx.Record()}, r"Study\(record"),
        ({"prompt": "a cat", "guide": lambda _: 0}, "import"),
        ({"prompt": "a cat", "about": "rocket"}, "about='rocket'"),
        ({"prompt": "a cat", "eta": float("nan")}, "nan"),
    ],
)
def test_what_is_no_run_is_refused_with_its_number(given, says):
    with pytest.raises(RunError, match=f"run 5.*{says}"):
        planned_run(given, 5, {})


def test_seed_0_is_no_seed_and_about_makes_another_run():
    one, same = (planned_run(given, 0, {}) for given in ({"prompt": "a cat"}, {"prompt": "a cat", "seed": 0}))
    other = planned_run({"prompt": "a cat", "about": {"second": "rocket"}}, 0, {})
    elsewhere = planned_run({"prompt": "a cat"}, 0, {"source": "mini"})
    assert one.identity == same.identity
    assert len({one.identity, other.identity, elsewhere.identity}) == 3
