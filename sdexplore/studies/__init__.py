"""Studies: one question asked of many runs, as a table with a row a run.

From the question to the table::

    runs = sdx.grid(prompt=[…], seed=range(8))
    study = sdx.Study("mini", runs=runs, measure=[("word_map", {"word": "cat"})], to="cats")
    study.run()                    # here; study.run(client) on a Dask cluster
    study.table()                  # a pandas DataFrame; sdx.studies.read("cats") opens it without torch

It needs `pip install 'sdexplore[studies]'`: pandas and pyarrow for the table, dask and distributed for a cluster.
"""

from .grid import Grid, grid
from .library import MEASURES
from .measure import Measure, OfRun
from .reading import StudyTable, read
from .study import Study

__all__ = ["MEASURES", "Grid", "Measure", "OfRun", "Study", "StudyTable", "grid", "read"]
