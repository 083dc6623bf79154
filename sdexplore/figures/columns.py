"""The column that figures are drawn to fit: an article's, or the width that a dashboard has."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

BLOG_COLUMN: Final = 7.5  # inches: what a wide figure is scaled to fit in an article
SMALL: Final = 8.5  # points of the smallest text: 11 pixels where a figure as wide as the column is 720 wide
SCREEN_DPI: Final = 110.0  # in a notebook, whose file holds each picture twice


@dataclass(frozen=True)
class Column:
    """A place for figures.

    Attributes:
        inches: How wide it is.
        dpi: At how many dots per inch figures are laid out. Texts are measured once where they are shown at as many.
    """

    inches: float = BLOG_COLUMN
    dpi: float = SCREEN_DPI


ARTICLE: Final = Column()
_present: ContextVar[Column] = ContextVar("the column that figures are drawn to fit", default=ARTICLE)


def column() -> Column:
    """The column that figures are drawn to fit: an article's, or that of the `fitting` block around the call."""
    return _present.get()


@contextmanager
def fitting(place: Column) -> Iterator[None]:
    """Figures that are made in the block are drawn to fit `place`."""
    before = _present.set(place)
    try:
        yield
    finally:
        _present.reset(before)
