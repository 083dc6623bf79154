"""Rows as one looks through them: conditions, order, pages; and the conditions that `table` takes."""

import numpy as np
import pytest
import study_sources as source

from sdexplore.base.errors import TraceError
from sdexplore.studies.rows import page_of, values_of, values_with


@pytest.fixture
def made(study):
    """Six runs; what `about` asks for makes some cells empty."""
    runs = [
        {"prompt": prompt, "seed": seed, "about": {"wanted": wanted, "größe": seed}}
        for seed, (prompt, wanted) in enumerate(
            [("b", "list"), ("A", "nan"), ("c", "number"), ("c", "nothing"), ("a 犬", "inf"), ("d", "array")]
        )
    ]
    found = study(runs=runs, measure=[source.ink, source.odd_number])
    found.run()
    return found


@pytest.mark.parametrize(
    ("where", "seeds"),
    [
        ({"seed": slice(1, 3)}, [1, 2, 3]),
        ({"seed": slice(4, None)}, [4, 5]),
        ({"about.größe": slice(None, 0.5)}, [0]),
        ({"run.prompt": slice("b", "c")}, [0, 2, 3]),
        ({"odd_number": None}, [0, 1, 3, 5]),
        ({"odd_number": ...}, [2, 4]),
        ({"odd_number": slice(None, None)}, [2, 4]),
        ({"error": ...}, [0, 5]),
        ({"seed": []}, []),
        ({"seed": [2.0, 2.5, np.int64(3), 2**70]}, [2, 3]),
        ({"seed": slice(3.5, float("inf"))}, [4, 5]),
        ({"seed": slice(-(10**30), 0.5)}, [0]),
        ({"seed": slice(float("inf"), None)}, []),
        ({"about.größe": True}, [1]),
        ({"run.prompt": ["c"], "seed": [3]}, [3]),
    ],
)
def test_a_condition_is_a_value_several_a_range_any_or_none(made, where, seeds):
    assert made.table("seed", where=where)["seed"].tolist() == seeds


@pytest.mark.parametrize(
    "where",
    [{"seed": "one"}, {"seed": slice("a", "b")}, {"seed": slice(0, 4, 2)}, {"seed": float("nan")}, {"thumbnail": 1}],
)
def test_a_condition_of_another_kind_is_told_with_what_was_asked(made, where):
    with pytest.raises(TraceError, match=str(next(iter(where)))):
        made.table(where=where)


def test_rows_are_sorted_with_the_empty_ones_last_either_way(made):
    for descending, first in ((False, [2, 4]), (True, [4, 2])):
        page = page_of(made, ["seed", "odd_number"], sort="odd_number", descending=descending)
        assert [row["seed"] for row in page.rows] == [*first, 0, 1, 3, 5]
        assert [row["odd_number"] for row in page.rows[2:]] == [None] * 4


def test_a_page_behind_the_last_one_is_the_last_one(made):
    page = page_of(made, ["seed"], sort="seed", first=40, most=4)
    assert (page.first, page.found, [row["seed"] for row in page.rows]) == (4, 6, [4, 5])
    nothing = page_of(made, ["seed"], where={"seed": 99}, first=4, most=4)
    assert (nothing.first, nothing.found, nothing.rows) == (0, 0, ())


def test_lists_have_no_order(made):
    with pytest.raises(TraceError, match="thumbnail"):
        page_of(made, ["seed"], sort="thumbnail")


def test_values_are_offered_in_order_and_a_text_finds_those_that_contain_it(made):
    assert values_of(made, "run.prompt", 3) == (["A", "a 犬", "b"], 5)
    assert values_with(made, "run.prompt", "c") == ["c"]
    assert sorted(values_with(made, "run.prompt", "a")) == ["A", "a 犬"]
    with pytest.raises(TraceError, match="'zebra'"):
        values_with(made, "run.prompt", "zebra")


def test_a_condition_finds_seeds_that_no_float_of_four_bytes_holds(study):
    large = 2**60 + 1
    found = study(runs=[{"seed": 7}, {"seed": large}])
    found.run()
    assert found.table("seed", where={"seed": large})["seed"].tolist() == [large]
    assert found.table("seed", where={"seed": slice(6.5, 20.0)})["seed"].tolist() == [7]
