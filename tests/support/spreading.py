"""How pytest-xdist divides the tests among its processes: file by file, the longest files first.

A file stays in one process, so that its fixtures are made once. The files that need JupyterLab stay together as well,
so that one server and one page serve them all; and so do those that open the explorer's page, in one Chromium.
"""

import functools
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[2]
JUPYTERLAB, PAGES = "JupyterLab", "explorer's pages"
# Seconds on one core, of units that take more than ten. A long unit that starts last would keep one process busy alone.
SECONDS = {
    JUPYTERLAB: 85,
    "tests/model/compiled/test_denoiser.py": 57,
    "tests/product/test_notebooks.py::test_notebook_runs[10_what_if]": 65,
    "tests/product/test_notebooks.py::test_notebook_runs[02_tokens_and_text]": 35,
    "tests/product/test_readme.py": 40,
    "tests/product/test_notebooks.py::test_notebook_runs[04_guidance]": 32,
    "tests/product/test_notebooks.py::test_notebook_runs[12_the_whole_algorithm]": 38,
    "tests/product/test_notebooks.py::test_notebook_runs[01_a_look_inside]": 20,
    "tests/product/test_site.py": 37,
    "tests/product/test_notebooks.py::test_notebook_runs[05_attention]": 31,
    PAGES: 27,
    "tests/reproduction/test_every_view.py": 28,
    "tests/product/test_notebooks.py::test_notebook_runs[07_write_an_article]": 22,
    "tests/product/test_notebooks.py::test_notebook_runs[03_denoising]": 20,
    "tests/product/test_real_checkpoints.py": 20,
    "tests/mini/training/test_training.py": 23,
    "tests/model/compiled/test_changes_between_calls.py": 17,
    "tests/model/series/test_comparison.py": 10,
    "tests/model/runs/test_run_pipeline.py": 10,
    "tests/mini/test_pipeline.py": 11,
    "tests/dashboard/test_closing.py": 12,
    "tests/product/test_notebooks.py::test_notebook_runs[08_real_checkpoints]": 9,
    "tests/dashboard/test_explorer.py": 12,
    "tests/figures/test_reusable_figure.py": 11,
    "tests/model/loading/test_checkpoint_families.py": 10,
    "tests/product/test_notebooks.py::test_notebook_runs[00_explore]": 9,
    "tests/model/loading/test_load_pipeline.py": 10,
    "tests/product/test_package.py": 13,
    "tests/bench/test_tracing.py": 10,
}
# Tests that take as long as a file each, and share nothing with the others of theirs.
APART = ("tests/product/test_notebooks.py::test_notebook_runs[",)


@functools.cache
def unit_of_file(path):
    """The unit of the tests in a file, whose path is relative to the project."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return JUPYTERLAB if "open_notebook(" in text else PAGES if "from explorer_pages" in text else path


class LongestFirst(LoadFileScheduling):
    """Gives a free process the longest unit that is left."""

    def _split_scope(self, nodeid):
        return nodeid if nodeid.startswith(APART) else unit_of_file(nodeid.partition("::")[0])

    def _assign_work_unit(self, node):
        longest = max(self.workqueue, key=lambda unit: SECONDS.get(unit, 0))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
