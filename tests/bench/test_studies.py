"""The benchmark of studies: what it says of memory and reading is of tables that are whole. Runs are timed by hand."""

import numpy as np

from sdexplore.bench.studies import driver_memory, table_readings
from sdexplore.studies.reading import read


def test_the_driver_s_memory_is_measured_over_runs_that_all_have_a_row(tmp_path):
    row = driver_memory(tmp_path, 300)
    assert "the driver grew by" in row.note
    table = read(tmp_path / "stubs").table()
    assert table["seed_of"].tolist() == list(range(300))
    assert table["error"].isna().all()


def test_the_large_table_is_a_study_s_and_each_reading_has_its_time(tmp_path):
    readings = list(table_readings(tmp_path / "large", 1200))
    assert [reading.budget for reading in readings] == [1000.0, 1000.0, None]
    assert all(reading.milliseconds.median > 0 and "1,200 rows" in reading.name for reading in readings)
    found = read(tmp_path / "large")
    assert len(found) == 1200
    assert found.table("word_map.peak")["word_map.peak"].dtype == np.float64
