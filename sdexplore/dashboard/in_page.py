"""What a dashboard adds to the page: a picture that changes in one go, and what the kernel is told of the page."""

from importlib.resources import files
from typing import Any, Final

import anywidget
import traitlets

from ..base.options import Theme
from ..figures.columns import ARTICLE, Column
from ..strings.wording import wording

CLASS: Final = "sdexplore"
"""The class of the element around a dashboard, which style.css knows."""

PIXELS_PER_INCH: Final = 143.0
"""CSS pixels that an inch of a figure takes. The smallest text of figures, of 6 points, has 11.9 pixels then, and 11
where labels beside the panels make a figure wider than its place, so that the page shows it smaller.
"""

_LEAST = 5.5  # inches: figures for a narrower page are scaled by the browser
_MOST_DENSE = 2.0  # a denser screen shows each dot of a figure as several


def _text(file: str) -> str:
    return files(__package__).joinpath("js", file).read_text(encoding="utf-8")


def _names_of_parts() -> dict[str, str]:
    """Part of a control -> its name, in which the page puts the control's own name in the place of "{name}"."""
    named = {part: wording(f"dashboard.page.{part}", name="{name}") for part in ("first", "last", "typed")}
    return {**named, **{part: wording(f"dashboard.page.{part}") for part in ("play", "to_first", "repeat")}}


class ShownPicture(anywidget.AnyWidget):
    """A picture in the page.

    Attributes:
        value: A PNG file; empty where there is no picture.
        alt: What is to be seen, in words.
        wide: How wide it is shown, in CSS pixels, and never wider than the place; 0 for as wide as the place says.
    """

    _esm = _text("shown_picture.mjs")
    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    wide = traitlets.Int(0).tag(sync=True)

    def put(self, value: bytes, alt: str, wide: int = 0) -> None:
        """Shows another picture, with its words and its width."""
        with self.hold_sync():
            self.wide, self.alt, self.value = wide, alt, value


class Surroundings(anywidget.AnyWidget):
    """What is around a dashboard in the page; the page sets it, and nothing is to be seen of it.

    Attributes:
        theme: Whether the page is "light" or "dark".
        wide: The width that a section has, in CSS pixels; 0 while no page has said it.
        density: Pixels of the screen in one of CSS.
        words: What parts of controls are called that ipywidgets gives no name.
    """

    _esm = _text("surroundings.mjs")
    _css = _text("style.css")
    theme = traitlets.Enum(("light", "dark"), "light").tag(sync=True)
    wide = traitlets.Int(0).tag(sync=True)
    density = traitlets.Float(1.0).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  (ipywidgets')
        super().__init__(layout={"display": "none"}, words=_names_of_parts(), **options)

    @property
    def look(self) -> tuple[Theme, Column]:
        """Theme and column of a figure that is drawn here; the column is an article's until a page says its width."""
        theme: Theme = "dark" if self.theme == "dark" else "light"
        if not self.wide:
            return theme, ARTICLE
        inches = max(_LEAST, self.wide / PIXELS_PER_INCH)
        return theme, Column(inches, PIXELS_PER_INCH * min(max(self.density, 1.0), _MOST_DENSE))
