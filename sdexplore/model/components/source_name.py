"""The name of the place that a pipeline was loaded from, as a trace and a line of code give it."""

import re
from pathlib import Path
from typing import Any

from ...trace.provenance import UNKNOWN

MINI = Path(__file__).resolve().parents[2] / "mini" / "pipeline"
"""The folder of the embedded model."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""How the hub names a model: owner/name."""


def model_source(pipe: Any) -> str:
    """The name of a pipeline's source: "mini", a hub id, the last name of a folder or UNKNOWN; never a local path."""
    name = str(getattr(getattr(pipe, "config", None), "_name_or_path", None) or "")
    if not name:
        return UNKNOWN
    path = Path(name)
    if name == "mini" or path.resolve() == MINI:
        return "mini"
    if cached := re.search(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]", name):
        return f"{cached[1]}/{cached[2]}"
    if HUB_ID.fullmatch(name) and not path.is_dir():
        return name
    return re.split(r"[/\\]", str(path.resolve()))[-1]


def model_name(pipe: Any) -> str:
    """The name of a pipeline's source, or where it has none, of its class."""
    source = model_source(pipe)
    return type(pipe).__name__ if source == UNKNOWN else source
