"""A figure that is drawn into again and again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import numpy as np
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, FigureBase

from . import layout_cache
from .picture import Picture, style


@runtime_checkable
class Refillable(Protocol):
    """Axes that can be drawn into again.

    Attributes:
        bare: Whether there is nothing in them but what they know to draw again.
        left: Whether something stands there that was not drawn again.
    """

    @property
    def bare(self) -> bool:
        """Whether nothing but what they can draw again is in them."""

    @property
    def left(self) -> bool:
        """Whether something that was not drawn again is still in them."""

    def start_again(self) -> None:
        """From now on they draw into what they drew before."""


class Unlike(Exception):  # noqa: N818  (no error: a figure is made instead)
    """The picture that is drawn now has another build than the figure that is there: a new figure is made."""


lent: "ContextVar[Sheet | None]" = ContextVar("the sheet that views may draw on", default=None)


class Sheet:
    """A figure that views draw into again and again, for a dashboard that shows it and never hands it out.

    Making axes, images and a colour bar takes matplotlib as long as drawing them; collecting them takes Python as long.
    A picture of the same build as the last (so many panels, with as many images, colour maps and colour bars) gets
    other numbers and words instead; any other is drawn in a new figure.
    """

    def __init__(self) -> None:
        self._figure: Figure | None = None
        self._build: tuple[Any, ...] = ()
        self._axes = np.empty((0, 0), object)
        self._bars: list[tuple[Colorbar, tuple[Any, ...]]] = []
        self._before: Iterator[tuple[Colorbar, tuple[Any, ...]]] | None = None

    def draw(self, make: Callable[[], Picture]) -> Picture:
        """The picture that `make` makes, equal to the pixel to one in its own figure; valid until the next call."""
        try:
            return self._draw(make)
        except Unlike:
            return self._draw(make)

    def _draw(self, make: Callable[[], Picture]) -> Picture:
        before = lent.set(self)
        try:
            return make()
        except BaseException:
            self._figure = None  # half of it is drawn
            raise
        finally:
            lent.reset(before)

    def figure(
        self, build: tuple[Any, ...], make: Callable[[], tuple[Figure, np.ndarray]]
    ) -> tuple[Figure, np.ndarray]:
        """The figure and its panels: those that are there, emptied, or new ones."""
        if self._figure is not None and self._build == build and self._can_be_emptied():
            self._empty(self._figure)
            return self._figure, self._axes
        self._figure, self._axes = make()
        self._build, self._bars, self._before = build, [], None
        return self._figure, self._axes

    def _can_be_emptied(self) -> bool:
        figure = self._figure
        alone = figure is not None and not (figure.lines or figure.patches or figure.artists or figure.subfigs)
        return alone and all(isinstance(ax, Refillable) and ax.bare for ax in self._axes.flat)

    def _empty(self, figure: Figure) -> None:
        layout_cache.outdate(figure)
        title = figure.suptitle("")
        for one in (*figure.legends, *(text for text in figure.texts if text is not title)):
            one.remove()
        for panel in self._axes.flat:
            panel.start_again()
        self._before = iter(self._bars)

    def bar(
        self, figure: FigureBase, make: Callable[[], Colorbar], build: tuple[Any, ...], words: dict[str, Any]
    ) -> None:
        """A colour bar: the one that is there, or a new one; its label in `words`, as `Colorbar.set_label` takes it."""
        if figure is not self._figure or self._before is None:
            made = make()
            if figure is self._figure:
                self._bars.append((made, build))
            return
        bar, its_build = next_of(self._before)
        if its_build != build:
            raise Unlike
        bar.set_label(**words)

    def end(self) -> None:
        """Raises Unlike where something of the last picture is left."""
        bar_left = self._before is not None and next(self._before, None) is not None
        if bar_left or any(isinstance(ax, Refillable) and ax.left for ax in self._axes.flat):
            raise Unlike


def next_of(before: Iterator[Any]) -> Any:  # noqa: ANN401  (of what it iterates)
    """The next thing that was drawn here before.

    Raises:
        Unlike: There is no more.
    """
    for one in before:
        return one
    raise Unlike


@contextmanager
def drawn_on(
    build: tuple[Any, ...], make: Callable[[], tuple[Figure, np.ndarray]]
) -> Iterator[tuple[Figure, np.ndarray]]:
    """The figure and its axes in which a view draws: the lent sheet's, if it is of this build, or what `make` makes."""
    sheet = lent.get()
    with style():
        yield make() if sheet is None else sheet.figure(build, make)
    if sheet is not None:
        sheet.end()
