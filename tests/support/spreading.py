"""How pytest-xdist divides the tests among its processes: file by file, the longest files first.

A file stays in one process, so that its fixtures are made once. Tests that need JupyterLab stay together as well,
whatever their files, so that one server serves them all.
"""

from pathlib import Path

import pytest
from xdist.scheduler import LoadGroupScheduling

TESTS = Path(__file__).parents[1]
JUPYTERLAB = "jupyterlab"
# Seconds on one core, of what takes more than a few: a long file that starts last would keep one process busy alone.
SECONDS = {}
# Tests that take as long as a file each, and share nothing with the others of theirs.
APART = ("tests/product/test_notebooks.py::test_notebook_runs[",)


def group(items):
    """Marks the tests that stay together across files."""
    for item in items:
        if "lab" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(JUPYTERLAB))


class LongestFirst(LoadGroupScheduling):
    """Gives a free process the longest unit that is left: a group of tests, or a file."""

    def _split_scope(self, nodeid):
        unit = super()._split_scope(nodeid)
        return unit if unit.startswith(APART) else unit.partition("::")[0]

    def _assign_work_unit(self, node):
        longest = max(self.workqueue, key=lambda unit: SECONDS.get(unit, 0))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
