"""The front end's source: one file of JavaScript, the same in the widget and in the page."""

from functools import cache
from importlib.resources import files


@cache
def front_end() -> str:
    """The JavaScript module that shows a packed trace; it exports `mount`, `mountPage`, and anywidget's default."""
    return files(__package__).joinpath("js", "explorer.js").read_text(encoding="utf-8")
