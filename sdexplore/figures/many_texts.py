"""Many short texts as one artist."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from matplotlib.artist import allow_rasterization
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from matplotlib.transforms import Bbox


class Written(Text):
    """Texts of one kind along the x axis, each centred at its place: names under bars, numbers over them.

    One tick or one `Text` for each of them would take several times as long to make, to lay out and to draw.

    Attributes:
        places, words: Where each stands, on the axis; and what it says.
    """

    def __init__(self, ax: Axes, height: float, *, side: Literal["above", "below"], **options: Any) -> None:  # noqa: ANN401
        """Adds them to `ax`, none at first.

        Args:
            height: Where they begin, of the axes' height from its lower edge.
            side: Whether they stand above that, or hang below.
            options: As matplotlib's Text takes them: fontsize, color.
        """
        super().__init__(0, height, "", clip_on=False, **options)  # so that a layout makes room for them
        self.places: tuple[float, ...] = ()
        self.words: tuple[str, ...] = ()
        self._above = side == "above"
        self.set_transform(ax.get_xaxis_transform())
        ax.add_artist(self)

    def write(self, places: Sequence[float], words: Sequence[str], *, upright: bool = False) -> None:
        """Replaces the texts; `upright` ones read from the bottom up."""
        self.places, self.words = tuple(places), tuple(words)
        self.set_text("\n".join(words))
        self.set_rotation(90 if upright else 0)

    def _each(self, renderer: Any) -> Iterator[tuple[str, float, float, float, float, float]]:  # noqa: ANN401  (matplotlib's)
        """Each text, the pixel at which its first letter stands, and its width, height and depth below the line."""
        font, upright = self.get_fontproperties(), bool(self.get_rotation())
        _, high, deep = renderer.get_text_width_height_descent("lp", font, False)  # noqa: FBT003  (matplotlib's)
        points = self.get_transform().transform([(place, self.get_position()[1]) for place in self.places])
        for written, (x, y) in zip(self.words, points.tolist(), strict=True):
            word = written.replace(r"\$", "$")  # as a Text reads it
            if not word:
                continue
            wide = renderer.get_text_width_height_descent(word, font, False)[0]  # noqa: FBT003
            if upright:
                yield word, x + high / 2 - deep, y if self._above else y - wide, wide, high, deep
            else:
                yield word, x - wide / 2, y + deep if self._above else y - high + deep, wide, high, deep

    @allow_rasterization  # type: ignore[untyped-decorator]  # matplotlib's
    def draw(self, renderer: Any) -> None:  # noqa: ANN401  (matplotlib's)
        """As matplotlib's."""
        if not self.get_visible():
            return
        ink = renderer.new_gc()
        ink.set_foreground(to_rgba(self.get_color()), isRGBA=True)
        ink.set_alpha(self.get_alpha())
        top = renderer.get_canvas_width_height()[1]
        for word, x, y, *_ in self._each(renderer):
            place = (x, top - y if renderer.flipy() else y)
            renderer.draw_text(ink, *place, word, self.get_fontproperties(), self.get_rotation())
        ink.restore()

    def get_window_extent(self, renderer: Any = None, dpi: float | None = None) -> Bbox:  # noqa: ANN401, ARG002
        """The box around all of them, in pixels."""
        figure: Any = self.get_figure()
        renderer = renderer or figure._get_renderer()  # noqa: SLF001  (as Text does)
        boxes = []
        for _, x, y, wide, high, deep in self._each(renderer):
            upright = bool(self.get_rotation())
            corner = (x - high + deep, y) if upright else (x, y - deep)
            boxes.append(Bbox.from_bounds(*corner, *((high, wide) if upright else (wide, high))))
        return Bbox.union(boxes) if boxes else super().get_window_extent(renderer)

    def get_tightbbox(self, renderer: Any = None) -> Bbox:  # noqa: ANN401
        """As matplotlib's."""
        return self.get_window_extent(renderer) if self.get_visible() and self.words else Bbox.null()
