"""A study in this process: rows, errors, going on, and what its folder may hold."""

import json
import threading

import numpy as np
import pandas as pd
import pytest
import study_sources as source

import sdexplore as sdx
from sdexplore.base.errors import RunError, TraceError


def test_a_row_a_run_with_arguments_and_measures(study):
    made = study(measure=[source.ink, source.letters])
    assert (made.progress().rows, made.progress().planned) == (0, 6)
    assert list(made.table().columns) == list(made.columns)
    done = made.run()
    assert (done.rows, done.made, done.errors, done.stopped) == (6, 6, 0, False)
    table = made.table()
    assert table["run.prompt"].tolist() == ["a cat"] * 3 + ["a dog"] * 3
    assert table["seed"].tolist() == [0, 1, 2] * 2
    assert table["letters.letters"].dtype == np.float64
    assert table["letters.upper"].tolist() == ["A CAT"] * 3 + ["A DOG"] * 3
    assert table["ink"].tolist() == [source.ink(made.open(row)) for _, row in table.iterrows()]
    assert table["identity"].nunique() == 6


def test_the_same_call_goes_on_with_more_runs_and_another_order(study):
    first = study()
    first.run()
    before = first.table().set_index("identity")
    more = study(runs=sdx.grid(seed=range(4), prompt=["a pig", "a dog", "a cat"]))
    assert more.run().made == 6
    assert len(more.table()) == 12
    after = more.table().set_index("identity").loc[before.index]
    pd.testing.assert_series_equal(before["ink"], after["ink"])
    assert study().run().made == 0
    again = study(runs=[*sdx.grid(prompt="a cat", seed=range(3)), {"prompt": "a cat", "seed": 1}]).run()
    assert (again.made, again.repeated) == (0, 1)
    assert "more than once" in repr(again)


def test_a_run_that_fails_is_a_row_and_is_made_again_when_asked(study, tmp_path):
    mended = tmp_path / "mended"
    runs = [{"prompt": "a cat", "seed": 1}, {"prompt": "a cat", "fail": "no\nluck \ud800", "then": str(mended)}]
    made = study(runs=runs)
    assert made.run().errors == 1
    (error,) = made.errors()["error"]
    assert error.startswith("ValueError: no\nluck")
    assert (made.run().made, made.run().errors, made.progress().errors) == (0, 1, 1)
    mended.touch()
    with pytest.warns(UserWarning, match="1 that failed"):
        assert made.run(retry_errors=True).made == 1
    assert made.errors().empty
    assert len(made.table()) == 2


@pytest.mark.parametrize(
    ("wanted", "value", "missing"),
    [
        ("nan", None, "odd: NaN"),
        ("nothing", None, "odd: nothing"),
        ("list", [1.0, 2.5], None),
        ("text", "a half pair \\ud800", None),
        ("inf", np.inf, None),
        ("bool", 1.0, None),
    ],
)
def test_what_a_measure_returns_is_a_cell_or_is_said_to_be_missing(study, wanted, value, missing):
    made = study(measure=source.odd, runs=[{"prompt": "a cat", "about": {"wanted": wanted}}])
    assert made.run().errors == 0
    row = made.table().iloc[0]
    found = row.get("odd")
    assert (found is None or pd.isna(found)) if value is None else np.all(found == value)
    assert (None if pd.isna(row["missing"]) else row["missing"]) == missing


def test_one_odd_row_spoils_no_part_and_no_other_measure(study):
    runs = [{"prompt": "a cat", "about": {"wanted": wanted}} for wanted in ("one", "text", "array", "two")]
    made = study(measure=[source.ink, source.odd], runs=runs)
    assert made.run().errors == 2
    table = made.table().set_index("about.wanted")
    assert table["ink"].notna().all()
    assert table["odd"].isna().tolist() == [False, True, True, False]
    assert "text" in table.loc["text", "error"]
    assert "(2, 2)" in table.loc["array", "error"]


def test_stop_ends_it_after_a_row_and_ctrl_c_loses_no_row(study):
    made = study()
    done = made.run(on_row=lambda progress: made.stop() if progress.made == 2 else None)
    assert (done.stopped, done.rows) == (True, 2)

    def interrupt(progress):
        if progress.made == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(on_row=interrupt)
    assert len(made.table()) == 4
    assert made.run().rows == 6
    assert made.table()["identity"].nunique() == 6


def test_a_folder_is_one_study_s(study):
    study().run()
    with pytest.raises(RunError, match="load"):
        study(load={"loads": "elsewhere"})
    with pytest.raises(RunError, match="record"):
        study(record=sdx.Record())
    with pytest.raises(RunError, match="source"):
        study(source=source.no_source)


def test_a_second_driver_is_refused_while_the_first_runs(study):
    first, refused = study(), []

    def second(progress):
        if progress.made == 1:
            with pytest.raises(RunError, match="driver"):
                study().run()
            refused.append(True)

    assert first.run(on_row=second).rows == 6
    assert refused
    assert study().run().made == 0


def test_a_source_that_cannot_be_loaded_ends_the_study_without_a_row(study):
    made = study(source=source.no_source)
    with pytest.raises(RunError, match="no weights here"):
        made.run()
    assert made.table().empty


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"measure": "word_mop"}, "word_map"),
        ({"measure": ("word_map", {"ward": "cat"})}, "word"),
        ({"measure": lambda _: 0}, "Measure"),
        ({"measure": [source.ink, source.ink]}, "twice"),
        ({"measure": 3}, "a measure is"),
        ({"keep": "everything"}, "thumbnails"),
        ({"keep": [source.is_bright, "traces"]}, "one condition"),
        ({"runs": "a cat"}, "grid"),
        ({"runs": {"prompt": "a cat"}}, "dictionaries"),
        ({"load": {"scheduler": object()}}, "another process"),
    ],
)
def test_what_is_not_right_is_said_before_anything_is_made(study, tmp_path, given, says):
    with pytest.raises(RunError, match=says):
        study(**given)
    assert not (tmp_path / "study").exists()


def test_a_function_of_a_notebook_is_a_measure_under_a_name(study):
    made = study(
        measure=sdx.studies.Measure(lambda trace, times: times * source.ink(trace), "twice", arguments={"times": 2})
    )
    made.run()
    table = made.table()
    assert table["twice"].tolist() == [2 * source.ink(made.open(row)) for _, row in table.iterrows()]
    with pytest.raises(RunError, match="columns already"):
        sdx.studies.Measure(source.ink, "seed")


def test_a_run_is_given_back_by_its_row(study, tmp_path):
    made = study()
    made.run()
    row = made.table().iloc[4]
    assert made.open(row).fingerprint == row["fingerprint"]
    assert made.open(row["identity"]).fingerprint == row["fingerprint"]
    with pytest.raises(TraceError, match="no row"):
        made.open("0" * 32)
    with pytest.raises(TraceError, match="not the same"):
        opened_otherwise(made, tmp_path)


def opened_otherwise(made, tmp_path):
    """Opens a row whose numbers are not those of its run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (part,) = sorted((tmp_path / "study").glob("part-*.parquet"))
    table = pq.read_table(part)
    place = table.column_names.index("fingerprint")
    table = table.set_column(place, "fingerprint", pa.array(["0" * 8] * len(table)))
    place = table.column_names.index("ink")
    table = table.set_column(place, "ink", pa.array([9.0] * len(table)))
    pq.write_table(table, part)
    return made.open(made.table().iloc[0])


def test_an_argument_that_a_row_has_only_the_hash_of_comes_from_the_runs(study, tmp_path):
    picture = np.arange(12).reshape(3, 4)
    made = study(runs=[{"prompt": "a cat", "image": picture}])
    made.run()
    assert made.open(made.table().iloc[0]).call["prompt"] == "a cat"
    with pytest.raises(RunError, match="image"):
        sdx.studies.read(tmp_path / "study").open(made.table().iloc[0])


def test_stop_from_another_thread(study):
    made = study(runs=[{"prompt": str(number), "seconds": 0.05} for number in range(1000)])
    timer = threading.Timer(0.3, made.stop)
    timer.start()
    done = made.run()
    assert done.stopped
    assert done.rows < 1000
    assert json.loads(made.table().iloc[0]["call"])["arguments"]["prompt"] == "0"
