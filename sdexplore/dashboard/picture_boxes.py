"""Places for pictures, in which the next picture replaces the last one without a jump of the page."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8

from ..base.display import clip, escape
from ..base.png import png
from ..figures.picture import Picture
from .messages import FAINT, CodeLine


def enlarged_png(pixels: UInt8[np.ndarray, "Y X 3"], least: int) -> bytes:
    """A PNG file of the pixels, each of them repeated until the longer side has at least `least` pixels."""
    factor = max(1, -(-least // max(pixels.shape[:2])))
    return png(pixels.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else pixels)


def blank(side: int = 8) -> bytes:
    """A grey picture as a PNG file, which keeps the place of the picture to come."""
    return png(np.full((side, side, 3), 128, np.uint8))


def picture_box(side: int) -> Any:  # noqa: ANN401  (widgets have no types)
    """A square place for pictures. A new picture changes its source alone, so that nothing moves or flickers.

    ipywidgets gives a picture no alt text (and fails on a tooltip), so a caption beside it must say what it shows.
    """
    return widgets.Image(
        value=blank(),
        format="png",
        layout=widgets.Layout(
            width=f"{side}px", height=f"{side}px", max_width="100%", object_fit="contain", flex="0 0 auto"
        ),
    )


class Given:
    """A picture for later use: the one that was shown, or one that is made at the first request."""

    def __init__(self, make: Callable[[], Picture], picture: Picture | None = None) -> None:
        self._make, self._picture = make, picture

    @property
    def picture(self) -> Picture:
        """The picture, the same one at each request."""
        if self._picture is None:
            self._picture = self._make()
        return self._picture


class PictureBox:
    """A Picture, with its words and its line of code beneath.

    Args:
        written: Gives a line the user's own names.

    Attributes:
        given: The picture that is shown, for others to keep; None if there is none.
    """

    def __init__(self, written: Callable[[str], str] = str) -> None:
        self.image = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.words = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.code = CodeLine(written)
        self.given: Given | None = None
        self._sheet: Any = None
        self.widget = widgets.VBox(
            [self.image, self.words, self.code.widget], layout=widgets.Layout(width="100%", min_width="0")
        )

    @property
    def picture(self) -> Picture | None:
        """The picture that is shown; None if there is none."""
        return None if self.given is None else self.given.picture

    def show(self, picture: Picture) -> None:
        """Draws `picture`, on white, at the size of a notebook's pictures."""
        self._say(picture)
        self.given = Given(lambda: picture, picture)

    def redraw(self, make: Callable[[], Picture]) -> None:
        """Draws the picture that `make` makes, in the figure of the last one if possible: quick enough for a slider.

        The drawn figure changes with the next call. `picture` is therefore another one: `make` is called again for it.
        """
        from ..figures.reusable_figure import Sheet

        sheet, self._sheet = self._sheet or Sheet(), None  # a sheet that an error leaves half drawn is given up
        self._say(sheet.draw(make))
        self._sheet, self.given = sheet, Given(make)

    def _say(self, picture: Picture) -> None:
        self.image.value = picture.html()
        self.words.value = f'<div style="color:{FAINT};line-height:1.35">{escape(clip(picture.alt, 1000))}</div>'
        self.code.show(picture.call)

    def clear(self) -> None:
        """Removes picture, words and code."""
        self.given = self._sheet = None
        self.image.value = ""
        self.words.value = ""
        self.code.show()
