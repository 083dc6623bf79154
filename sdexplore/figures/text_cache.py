"""Agg's canvas with a memory for texts.

Texts take half of the time of drawing a figure, and the next figure of the same kind has nearly the same texts.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.font_manager import findfont, fontManager, get_font

styled: Final = ContextVar("whether the look of our figures is on, for which texts are remembered", default=False)
_MOST: Final = 2048  # texts
_LARGEST: Final = 2**15  # bytes of one; at a screen's density a line has an eighth of that

_Drawn = tuple[tuple[Any, ...], ...]
_sizes: dict[Any, tuple[float, float, float]] = {}
_heights: dict[Any, tuple[float | None, ...]] = {}
_drawings: dict[Any, _Drawn | None] = {}


class Canvas(FigureCanvasAgg):
    """Agg's canvas: every pixel as Agg has it, in less time."""

    _size: Any = None

    renderer: RendererAgg

    def get_renderer(self) -> RendererAgg:
        """A renderer of the figure's size and density, as matplotlib's."""
        size = (*self.figure.bbox.size, self.figure.dpi)
        if size != self._size:
            self._size, self.renderer = size, _Renderer(*size)  # type: ignore[no-untyped-call]
        return self.renderer


class _Renderer(RendererAgg):
    """Agg's renderer. A text that was measured, or drawn at the same place, is not shaped and rasterised again."""

    _renderer: Any

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:  # noqa: ANN401  (matplotlib's)
        """As matplotlib's; pixels."""

        def measured() -> Any:  # noqa: ANN401
            return super(_Renderer, self).get_text_width_height_descent(s, prop, ismath)  # type: ignore[no-untyped-call]

        key = (s, prop.copy(), ismath, self.dpi, len(fontManager.ttflist))
        size: tuple[float, float, float] = _remembered(_sizes, key, measured) if styled.get() else measured()
        return size

    def _get_font_height_metrics(self, prop: Any) -> tuple[float | None, ...]:  # noqa: ANN401
        """How far a font goes above and below its line, and the gap between two lines, in pixels.

        From matplotlib 3.11 on a text asks its renderer for them. Where that does not know, it looks for the font and
        reads the font's tables, at each measuring of each text. None for all three: it shall do so.
        """
        if not styled.get():
            return None, None, None
        key = (prop.copy(), self.dpi, len(fontManager.ttflist))
        return _remembered(_heights, key, lambda: _heights_of(prop, float(self.dpi)))  # type: ignore[no-any-return]

    def draw_text(
        self,
        gc: Any,  # noqa: ANN401
        x: Any,  # noqa: ANN401
        y: Any,  # noqa: ANN401
        s: str,
        prop: Any,  # noqa: ANN401
        angle: Any,  # noqa: ANN401
        ismath: Any = False,  # noqa: ANN401, FBT002
        mtext: Any = None,  # noqa: ANN401
    ) -> None:
        """As matplotlib's."""
        if not styled.get():
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)  # type: ignore[no-untyped-call]
            return
        own = None if mtext is None else _way_of_setting(mtext)
        place = (x, y, angle, self.height, self.dpi)
        key = (s, prop.copy(), ismath, own, place, gc.get_antialiased(), len(fontManager.ttflist))
        known = _drawings.get(key)
        if known is not None:
            for glyphs, *placed in known:
                self._renderer.draw_text_image(glyphs, *placed, gc)
            return
        real = self._renderer
        witness = self._renderer = _Witness(real)
        try:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)  # type: ignore[no-untyped-call]
        finally:
            self._renderer = real
        _remembered(_drawings, key, witness.seen)


def _heights_of(prop: Any, dpi: float) -> tuple[float | None, ...]:  # noqa: ANN401
    """As matplotlib has them: OpenType's own where the font has them, else those of its horizontal header."""
    font: Any = get_font(findfont(prop))
    tables = (
        ("OS/2", ("sTypoAscender", "sTypoDescender", "sTypoLineGap")),
        ("hhea", ("ascent", "descent", "lineGap")),
    )
    for name, (ascent, descent, gap) in tables:
        table, head = (font.get_sfnt_table(one) for one in (name, "head"))
        if table is not None and head is not None:
            scale = 1 / head["unitsPerEm"] * prop.get_size_in_points() * dpi / 72
            return table[ascent] * scale, -table[descent] * scale, table[gap] * scale
    return None, None, None


class _Witness:
    """Agg's own renderer, which also notes what is drawn with it while a text is drawn."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401  (matplotlib's, compiled)
        self._real = real
        self._glyphs: list[tuple[Any, ...]] = []
        self._more = False

    def draw_text_image(self, glyphs: Any, *placed: Any) -> None:  # noqa: ANN401
        """As Agg's, whose last argument is the ink."""
        if isinstance(glyphs, np.ndarray):  # before 3.11 it is the font, with the whole text in it
            self._glyphs.append((glyphs.copy(), *placed[:-1]))
        else:
            self._more = True
        self._real.draw_text_image(glyphs, *placed)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        self._more = True
        return getattr(self._real, name)

    def seen(self) -> _Drawn | None:
        """The pictures of glyphs, each with its place; None where these were not all, or are too large to keep."""
        large = sum(glyphs.nbytes for glyphs, *_ in self._glyphs) > _LARGEST
        return None if self._more or large else tuple(self._glyphs)


def _way_of_setting(text: Any) -> Any:  # noqa: ANN401  (matplotlib's)
    """OpenType features and language of a text, where this matplotlib has them."""
    return tuple(getattr(text, name, str)() for name in ("get_fontfeatures", "get_language"))


def _remembered(memory: dict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever it makes)
    """The value under `key`, made if it is missing; the oldest values are dropped when there are too many."""
    if key not in memory:
        while len(memory) >= _MOST:
            memory.pop(next(iter(memory)), None)
        memory[key] = make()
    return memory[key]
