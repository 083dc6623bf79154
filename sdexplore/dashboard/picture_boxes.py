"""Places for pictures, in which the next picture replaces the last one without a jump of the page."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8

from ..base.display import clip, escape
from ..base.errors import TraceError
from ..base.options import Theme
from ..base.png import png
from ..figures.columns import fitting
from ..figures.picture import Picture
from ..strings.wording import wording
from .article_form import ArticleForm, ArticlePlace
from .in_page import PIXELS_PER_INCH, ShownPicture, Surroundings
from .messages import FAINT, CodeLine


def enlarged_png(pixels: UInt8[np.ndarray, "Y X 3"], least: int) -> bytes:
    """A PNG file of the pixels, each of them repeated until the longer side has at least `least` pixels."""
    factor = max(1, -(-least // max(pixels.shape[:2])))
    return png(pixels.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else pixels)


def blank(side: int = 8) -> bytes:
    """A grey picture as a PNG file, which keeps the place of the picture to come."""
    return png(np.full((side, side, 3), 128, np.uint8))


def picture_box(side: int, alt: str = "") -> ShownPicture:
    """A square place for pictures; a new picture moves nothing. `alt` says what is to be seen at first."""
    alt = alt or wording("dashboard.place.picture")
    place = widgets.Layout(width=f"{side}px", height=f"{side}px", max_width="100%", flex="0 0 auto")
    box = ShownPicture(value=blank(), alt=alt, layout=place)
    box.add_class("sdexplore-square")
    return box


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
    """A Picture as the page has room and colours for it, with its words and its line of code beneath.

    Args:
        article: The article that the figure can go into.
        written: Gives a line the user's own names.

    Attributes:
        given: The picture that is shown, for others to keep, as an article has it; None if there is none.
    """

    def __init__(self, article: ArticlePlace, written: Callable[[str], str] = str) -> None:
        self.image = ShownPicture()
        self.words = widgets.HTML()
        self.code = CodeLine(written)
        self.given: Given | None = None
        self.form = ArticleForm(article, lambda: self._given().picture)
        self.form.widget.layout.display = "none"
        self._sheet: Any = None
        self._shown: Callable[[Surroundings], None] | None = None
        self._look: tuple[Any, ...] = ()
        self.widget = widgets.VBox(
            [self.image, self.words, self.code.widget, self.form.widget],
            layout=widgets.Layout(width="100%", min_width="0"),
        )

    def _given(self) -> Given:
        if self.given is None:
            raise TraceError("there is no figure here any more")
        return self.given

    @property
    def picture(self) -> Picture | None:
        """The picture that is shown; None if there is none."""
        return None if self.given is None else self.given.picture

    def show(self, make: Callable[[], Picture], page: Surroundings) -> None:
        """Draws the picture that `make` makes, for the width and the theme of the page.

        `picture` is another one, for an article's column: `make` is called again for it.
        """
        self._draw(make, page)
        self.given = Given(make)
        self._shown = lambda page: self._draw(make, page)

    def redraw(self, make: Callable[[], Picture], page: Surroundings) -> None:
        """As `show`, in the figure of the last picture if possible: quick enough for a slider."""
        self._redraw(make, page)
        self.given = Given(make)
        self._shown = lambda page: self._redraw(make, page)

    def follow(self, page: Surroundings) -> None:
        """Draws again what is shown, if the page has become another one since."""
        if self._shown is not None and self._look != page.look:
            self._shown(page)

    def _draw(self, make: Callable[[], Picture], page: Surroundings) -> None:
        theme, place = page.look
        with fitting(place):
            self._put(make(), page, theme)

    def _redraw(self, make: Callable[[], Picture], page: Surroundings) -> None:
        from ..figures.reusable_figure import Sheet

        theme, place = page.look
        sheet, self._sheet = self._sheet or Sheet(), None  # a sheet that an error leaves half drawn is given up
        with fitting(place):
            self._put(sheet.draw(make), page, theme)
        self._sheet = sheet

    def _put(self, picture: Picture, page: Surroundings, theme: Theme) -> None:
        self._look = page.look
        dpi = page.look[1].dpi
        pixels = picture.screen(dpi=dpi, theme=theme)
        wide = round(int.from_bytes(pixels[16:20], "big") * PIXELS_PER_INCH / dpi)  # of the width in PNG's header
        self.image.put(pixels, picture.alt, wide)
        said = "".join(f"<br>{escape(text)}" for text in picture.notices)
        words = escape(clip(picture.caption, 1000))
        self.words.value = f'<div style="color:{FAINT};line-height:1.35">{words}{said}</div>'
        self.code.show(picture.call)
        self.form.widget.layout.display = ""

    def clear(self) -> None:
        """Removes picture, words and code."""
        self.given = self._sheet = self._shown = None
        self.image.put(b"", "")
        self.words.value = ""
        self.form.fold()
        self.form.widget.layout.display = "none"
        self.code.show()
