"""A cell that is run again closes the dashboards that it opened before: the page has dropped them by then."""

import sys
from typing import Any
from weakref import WeakSet

_OPENED: dict[str, tuple[str, "WeakSet[Any]"]] = {}
"""Cell -> its last execution, and the dashboards that this opened."""


def opened(dashboard: Any) -> None:  # noqa: ANN401  (an Explorer, which imports this)
    """Notes that the cell that is running opened this dashboard, and closes those of its earlier executions.

    Where no notebook says which cell is running, nothing is closed.
    """
    cell, execution = _running()
    if not cell:
        return
    last, dashboards = _OPENED.get(cell, ("", WeakSet()))
    if last != execution:
        for old in list(dashboards):
            old.close()
        dashboards = WeakSet()
    dashboards.add(dashboard)
    _OPENED[cell] = (execution, dashboards)


def _running() -> tuple[str, str]:
    """The cell that is running, and its execution, as JupyterLab names them; "" where they are not known."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    parent = parent if isinstance(parent, dict) else {}
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))
