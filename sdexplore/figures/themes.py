"""The same figure on a light page, on a dark page, or with a transparent background."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..base.options import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_PAGE: Final = "#181818"
_DARKEST, _LIGHTEST = 0.62, 0.93  # of ink on that page: faint ink stays fainter, and legible
_BETWEEN: Final = "#797979"  # contrast 4.3 : 1 against white, 4.0 : 1 against the dark page
_CHROMA = 0.25  # between the largest and smallest of red, green, blue: beneath it a colour is a grey
_BLACK = 0.2


@contextmanager
def themed(figure: "Figure", theme: Theme) -> Iterator[None]:
    """`figure` for a page of `theme` while the block runs; the end of the block restores every colour.

    What carries data keeps its colours: images, colour bars, bars, boxes and coloured lines, and the text that stands
    on them. Page and ink change: titles, labels, ticks, frames, grey text, and black lines, which a dark page would
    hide. "dark" turns ink from dark to light on a page of #181818. "transparent" has no page and a grey ink that reads
    on white and on dark.
    """
    if theme == "light":
        yield
        return
    figure.draw_without_rendering()  # ticks and their labels are there only then
    undo: list[Callable[[], object]] = []
    try:
        for artist, name in _ink(figure):
            _change(artist, name, _inked, theme, undo)
        for artist in _pages(figure):
            _change(artist, "facecolor", _paged, theme, undo)
        yield
    finally:
        for restore in reversed(undo):
            restore()


def _change(
    artist: Any,  # noqa: ANN401  (artists of matplotlib of many kinds)
    name: str,
    change: Callable[[Any, Theme], Any],
    theme: Theme,
    undo: list[Callable[[], object]],
) -> None:
    before = getattr(artist, f"get_{name}")()
    after = change(before, theme)
    if after is not None:
        write = getattr(artist, f"set_{name}")
        undo.append(lambda: write(before))
        write(after)


def _inked(colour: Any, theme: Theme) -> Any:  # noqa: ANN401  (a colour of matplotlib's)
    """The ink in which `colour` is written on that page; None where it stays."""
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(colour)
    if max(red, green, blue) - min(red, green, blue) > _CHROMA or alpha == 0:
        return None
    if theme == "transparent":
        return (*to_rgba(_BETWEEN)[:3], alpha)
    light = (red + green + blue) / 3
    return (*[_LIGHTEST - (_LIGHTEST - _DARKEST) * light] * 3, alpha)


def _paged(colour: Any, theme: Theme) -> Any:  # noqa: ANN401  (a colour of matplotlib's)
    from matplotlib.colors import to_rgba

    alpha = to_rgba(colour)[3]
    return (0.0, 0.0, 0.0, 0.0) if theme == "transparent" else (*to_rgba(_PAGE)[:3], alpha)


def _pages(figure: "Figure") -> Iterator[Any]:
    from matplotlib.legend import Legend

    yield figure.patch
    yield from (ax.patch for ax in figure.axes)
    yield from (legend.get_frame() for legend in figure.findobj(Legend))


def _ink(figure: "Figure") -> Iterator[tuple[Any, str]]:
    """What is written in ink: (artist, which of its colours)."""
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    on_data = {id(text) for ax in figure.axes for text in _on_data(ax)}
    over_images = {id(line) for ax in figure.axes if ax.images for line in ax.lines}
    ticks = {
        id(line)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for line in (tick.tick1line, tick.tick2line, tick.gridline)
    }
    for artist in figure.findobj():
        if isinstance(artist, Text) and id(artist) not in on_data:
            yield artist, "color"
        elif isinstance(artist, Spine):
            yield artist, "edgecolor"
        elif isinstance(artist, Line2D) and id(artist) not in over_images:
            if id(artist) in ticks:
                yield from ((artist, name) for name in ("color", "markeredgecolor"))
            elif _is_black(artist.get_color()):
                yield from ((artist, name) for name in ("color", "markerfacecolor", "markeredgecolor"))


def _is_black(colour: Any) -> bool:  # noqa: ANN401  (a colour of matplotlib's)
    from matplotlib.colors import to_rgba

    red, green, blue, _ = to_rgba(colour)
    return max(red, green, blue) < _BLACK


def _on_data(ax: "Axes") -> Iterator["Text"]:
    """The texts of an axes that stand on an image, on a box of their own, or on a bar or box of the data."""
    from matplotlib.colors import to_rgba

    opaque = 0.5
    boxes = [
        patch.get_window_extent()
        for patch in ax.patches
        if patch.get_fill() and patch.get_visible() and to_rgba(patch.get_facecolor())[3] > opaque
    ]
    for text in ax.texts:
        if ax.images or text.get_bbox_patch() is not None:
            yield text
            continue
        extent = text.get_window_extent()
        middle = ((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2)
        if any(box.contains(*middle) for box in boxes):
            yield text
