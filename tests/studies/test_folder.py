"""A study's folder: read by other tools, whole after every accident, of one schema at the end."""

import json
import resource
import warnings

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import study_sources as source

import sdexplore as sdx
from sdexplore.base.errors import RunError, TraceError


def parts(folder):
    return sorted(folder.glob("part-*.parquet"))


def readers(folder):
    """What pandas, polars and DuckDB read in a folder."""
    yield pd.read_parquet(folder)
    yield pl.scan_parquet(str(folder / "*.parquet")).collect().to_pandas()
    yield duckdb.sql(f"select * from '{folder}/*.parquet'").df()  # noqa: S608  (a path of the test's)


def test_pandas_polars_and_duckdb_read_a_folder_that_a_driver_was_killed_in(study, tmp_path):
    made = study(measure=[source.ink, source.letters], keep="thumbnails")
    made.run()
    folder = tmp_path / "study"
    (folder / ".part-1.parquet.abcdefgh.part").write_bytes(b"PAR1 half")
    expected = made.table().sort_values("identity")["ink"].tolist()
    for frame in readers(folder):
        assert frame.sort_values("identity")["ink"].tolist() == expected
        assert frame["letters.letters"].dtype == np.float64
        assert len(frame["thumbnail"].iloc[0]) > 50
    made.run()
    assert not list(folder.glob(".part-*"))


def test_a_number_that_was_whole_first_is_read_rightly_by_every_reader(study, tmp_path):
    values = [{"prompt": "a cat", "about": {"value": value}} for value in (1, True)]
    study(runs=values).run()
    later = [*values, *({"prompt": "a cat", "about": {"value": value}} for value in (0.5, None, 0.25))]
    study(runs=later).run()
    for frame in readers(tmp_path / "study"):
        assert frame["about.value"].dropna().tolist() == [1.0, 1.0, 0.5, 0.25]


def test_a_measure_that_is_added_is_seen_by_every_reader_and_computed_from_kept_traces(study, tmp_path):
    note = tmp_path / "note"
    runs = [{"prompt": f"run {number}", "seed": number, "note": str(note)} for number in range(6)]
    made = study(runs=runs, keep=source.is_bright)
    made.run()
    before = made.table().set_index("identity")
    kept = before["trace"].notna()
    assert kept.tolist() == (before["ink"] > 0).tolist()
    assert 0 < kept.sum() < 6
    added = study(runs=runs, keep=source.is_bright, measure=[source.ink, source.letters])
    with pytest.warns(
        UserWarning, match=rf"lack letters; .* {kept.sum()} are measured .* {6 - kept.sum()} are made again"
    ):
        assert added.run().made == 6
    assert len(note.read_text().split("\n")) - 1 == 6 + (~kept).sum()
    after = added.table().set_index("identity").loc[before.index]
    assert after["ink"].tolist() == before["ink"].tolist()
    assert after["letters.letters"].notna().all()
    for frame in readers(tmp_path / "study"):
        assert len(frame) == 6
        assert frame["letters.letters"].notna().all()
    assert added.run().made == 0
    trace = added.open(after[kept].reset_index().iloc[0])
    assert trace.path is not None


def test_a_measure_that_asks_the_pipeline_makes_the_runs_again(study):
    study(keep="traces").run()
    added = study(keep="traces", measure=[source.ink, source.asks_pipe])
    with pytest.warns(UserWarning, match="6 are made again"):
        assert added.run().made == 6
    assert added.table()["asks_pipe"].tolist() == [1.0] * 6


def test_rows_that_are_made_again_count_once_while_that_is_under_way(study, tmp_path):
    study().run()
    added = study(measure=[source.ink, source.letters])

    def stop_after_four(progress):
        if progress.made == 4:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="made again"), pytest.raises(KeyboardInterrupt):
        added.run(on_row=stop_after_four)
    table = sdx.studies.read(tmp_path / "study").table()
    assert len(table) == len(sdx.studies.read(tmp_path / "study")) == 6
    assert table["letters.letters"].notna().sum() == 4
    with pytest.warns(UserWarning, match="2 are made again"):
        assert added.run().made == 2
    assert added.table()["letters.letters"].notna().all()


def test_two_measures_of_one_name_have_their_arguments_in_their_columns(study):
    def times(trace, by):
        return by * source.ink(trace)

    one, two = (sdx.studies.Measure(times, "times", arguments={"by": by}) for by in (1, 2))
    made = study(measure=[one, two])
    made.run()
    table = made.table()
    assert table["times[by=2]"].tolist() == (2 * table["times[by=1]"]).tolist()
    alone = study(measure=[sdx.studies.Measure(times, "times", version=2, arguments={"by": 3})])
    with pytest.warns(UserWarning, match="made again"):
        alone.run()
    assert alone.table()["times"].tolist() == pytest.approx((3 * table["times[by=1]"]).tolist())


def test_a_full_disk_is_told_and_no_finished_run_is_lost(study, tmp_path):
    note = tmp_path / "note"
    runs = [{"prompt": f"run {number}", "note": str(note)} for number in range(12)]
    made = study(runs=runs)

    def fill(progress):
        if progress.made == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(RunError, match=r"cannot write.*make room"):
            made.run(on_row=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 1 < len(note.read_text().split()) / 2 < 12
    assert made.run().rows == 12
    assert len(note.read_text().split()) / 2 == 12


def test_a_torn_part_is_named_and_set_aside_and_its_runs_are_made_again(study, tmp_path):
    folder = tmp_path / "study"
    study().run()
    (part,) = parts(folder)
    part.write_bytes(part.read_bytes()[:-7])
    reader = sdx.studies.read(folder)
    with pytest.warns(UserWarning, match=part.name):
        assert reader.table().empty
    with warnings.catch_warnings(action="error"):  # a further reading warns no more
        assert reader.table("seed").empty
    with pytest.warns(UserWarning, match=f"_{part.name}.damaged"):
        assert study().run().made == 6
    assert (folder / f"_{part.name}.damaged").exists()
    assert [len(frame) for frame in readers(folder)] == [6, 6, 6]


def test_small_parts_are_put_together_with_every_column_in_each(study, tmp_path):
    folder = tmp_path / "study"
    for count in (2, 4, 6):
        study(runs=[{"prompt": f"run {number}"} for number in range(count)]).run()
    (part,) = parts(folder)
    assert set(pq.read_schema(part).names) == set(study().columns)
    assert len(study().table()) == 6


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_parts_that_were_being_put_together_when_the_driver_died_are_read_once(study, tmp_path, moved):
    """The driver dies after it renamed some of two new parts; both hold what three old ones hold."""
    folder = tmp_path / "study"
    for count in (2, 4, 6):
        study(runs=[{"prompt": f"run {number}"} for number in range(count)]).run()
    (whole,) = parts(folder)
    table = pq.read_table(whole)
    halves = [f"part-{place:020d}-00000000.parquet" for place in range(2)]
    for place, name in enumerate(halves):
        there = folder / (name if place < moved else f"_new-{name}.tmp")
        pq.write_table(table.slice(3 * place, 3).replace_schema_metadata(pq.read_metadata(whole).metadata), there)
    (folder / "_compaction.json").write_text(json.dumps({"new": halves, "old": [whole.name]}))
    assert len(sdx.studies.read(folder).table()) == 6
    assert study(runs=[{"prompt": f"run {number}"} for number in range(6)]).run().made == 0
    assert [len(frame) for frame in readers(folder)] == [6, 6, 6]
    assert {path.name for path in folder.iterdir()} - {path.name for path in parts(folder)} == {"_lock", "_study.json"}


def test_a_folder_from_elsewhere_names_no_file_outside_and_loads_no_pickle(study, tmp_path):
    folder, outside = tmp_path / "study", tmp_path / "outside.parquet"
    study().run()
    row = study().table().iloc[0]
    outside.touch()
    (folder / "_compaction.json").write_text(json.dumps({"new": [], "old": ["../outside.parquet"]}))
    study().run()
    assert outside.exists()
    manifest = json.loads((folder / "_study.json").read_text())
    (folder / "_study.json").write_text(json.dumps({**manifest, "load": {"allow_pickle": True}}))
    with pytest.raises(RunError, match="allow_pickle"):
        sdx.studies.read(folder).open(row)
    with pytest.raises((RunError, TraceError), match=r"identity|row"):
        sdx.studies.read(folder).open("../outside")


def test_a_table_is_read_by_columns_and_rows(study, tmp_path):
    study(measure=[source.ink, source.letters]).run()
    found = sdx.studies.read(tmp_path / "study")
    assert len(found) == 6
    chosen = found.table(["seed", "ink"], where={"run.prompt": "a cat", "seed": [0, 2]})
    assert list(chosen.columns) == ["seed", "ink"]
    assert chosen["seed"].tolist() == [0, 2]
    assert len(found.table("ink", where={"error": None})) == 6
    with pytest.raises(TraceError, match="did you mean 'ink'"):
        found.table(["inc"])
    with pytest.raises(TraceError, match="no study"):
        sdx.studies.read(tmp_path)
    assert found.identity in repr(found)
