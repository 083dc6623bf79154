"""Where a pipeline came from, as a trace and a line of code name it."""

import re
from pathlib import Path
from typing import Any


def model_source(pipe: Any) -> str:
    """Where a pipeline came from: "mini", a hub id, the last name of a folder, or "unknown".

    It never contains a local path.
    """
    name = str(getattr(getattr(pipe, "config", None), "_name_or_path", None) or "")
    if not name:
        return "unknown"
    path = Path(name)
    if name == "mini" or path.resolve() == MINI:
        return "mini"
    if cached := re.search(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]", name):
        return f"{cached[1]}/{cached[2]}"
    if HUB_ID.fullmatch(name) and not path.is_dir():
        return name
    return re.split(r"[/\\]", str(path.resolve()))[-1]


MINI = Path(__file__).resolve().parents[2] / "mini" / "pipeline"


HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
