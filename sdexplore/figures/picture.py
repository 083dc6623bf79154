"""A figure that describes itself, shows itself once, and knows how it was made."""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import atomic_files, json_text
from ..base.display import escape, harmless
from ..base.errors import PublishError
from ..base.options import THEMES, Theme, options
from ..base.png import png
from ..base.user_warnings import warn_user
from . import layout_cache
from .code_lines import CodeLine, summary
from .columns import SCREEN_DPI, column
from .font_families import families, has_glyph, is_east_asian
from .themes import themed

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

DPI = 144  # of saved files
_CSS_PIXELS_PER_INCH = 96
_FORMATS = (".png", ".svg", ".pdf", ".webp", ".jpg")
_IN_PIXELS = (".png", ".webp", ".jpg")
_OPAQUE = 255
_ONE_AT_A_TIME = RLock()
_PAD = 0.05  # inches around a saved figure


@dataclass(frozen=True, eq=False)
class Picture:
    """What a view returns: one figure with the arrays drawn in it, in words, and in code.

    Attributes:
        figure: The matplotlib figure, made without pyplot, so that it shows once and pyplot does not keep it.
        data: Name -> array as drawn.
        alt: What is to be seen, in a sentence or two, for a reader who does not see it.
        call: The line of code that makes it again; a comment names the trace by its fingerprint. A `CodeLine`
            also knows how the traces in it were made.
        caption: What the figure means, in a sentence, for a reader who sees it: it stands beneath in an article.
        lang: The language of its words.
        theme: The page that `save` and `png` draw it for, where they are given no other.
    """

    figure: "Figure"
    data: Mapping[str, np.ndarray]
    alt: str
    call: str
    caption: str = ""
    lang: str = field(default_factory=lambda: options().lang)
    theme: Theme = field(default_factory=lambda: options().theme)

    @property
    def sources(self) -> tuple[Mapping[str, Any], ...]:
        """How the traces in it were made, as JSON; empty where none is known."""
        return self.call.sources if isinstance(self.call, CodeLine) else ()

    @property
    def over(self) -> Mapping[str, Any] | None:
        """The axes of the Comparison that it shows; else None."""
        return self.call.over if isinstance(self.call, CodeLine) else None

    @property
    def given(self) -> Mapping[str, Any]:
        """Digests of the user's own arrays that it shows, by their names in the line of code; empty where none is."""
        return self.call.given if isinstance(self.call, CodeLine) else {}

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader of the figure should know: that no font has some of its characters, say."""
        from matplotlib.text import Text

        written = "".join(text.get_text() for text in self.figure.findobj(Text))
        named = {int(code, 16) for code in re.findall(r"U\+([0-9A-F]{4,5})", written)}
        lost = sorted(code for code in named if is_east_asian(code) and not has_glyph(code))
        if not lost:
            return ()
        shown = "".join(map(chr, lost[:12])) + "…" * (len(lost) > 12)  # noqa: PLR2004  (enough to see which)
        notice = (
            f"No font has {shown}: the figure names {'it' if len(lost) == 1 else 'them'} by number. Install a font of "
            "that script, Noto Sans CJK JP say (Debian, Ubuntu, Colab: apt install fonts-noto-cjk), and draw the "
            "figure again; the kernel need not start anew."
        )
        return (notice,)

    def save(self, path: str | Path, *, dpi: int = DPI, width: int | None = None, theme: Theme | None = None) -> Path:
        """Writes the figure to `path` (.png, .svg, .pdf, .webp, .jpg), folders included, atomically; returns the path.

        A PNG carries the alt text, the call, and model, prompt, seed, scheduler and versions as text chunks.

        Args:
            dpi: Dots per inch of a file of pixels.
            width: Instead of dpi: how many pixels wide the file is, to a hundredth. A blog's column is about 700
                wide, and twice that is sharp on every screen.
            theme: The page that it is for: "light" (white), "dark", or "transparent", without a page of its own and
                with ink that reads on both. Only page and ink differ; colours that carry data stay. None: the theme
                that `set_options` had set when the picture was made, "light" where it set none.

        Raises:
            PublishError: Another ending; a width for a file without pixels; a theme that does not exist.
        """
        path = atomic_files.named(path, PublishError)
        ending = path.suffix.lower()
        if ending not in _FORMATS:
            raise PublishError(f"cannot save a picture as {path.name!r}: the ending is one of {', '.join(_FORMATS)}")
        if width is not None and ending not in _IN_PIXELS:
            raise PublishError(f"{path.name!r} has no pixels: leave width={width!r} out, or save as .png")
        theme = self.theme if theme is None else theme
        if theme == "transparent" and ending == ".jpg":
            raise PublishError(f"{path.name!r}: a JPEG is never transparent; save as .png or .webp")
        content = self._render(ending.removeprefix("."), dpi, width=width, theme=theme)
        atomic_files.save(path, content, PublishError)
        for notice in self.notices:
            warn_user(notice)
        return path

    def png(self, *, dpi: int = DPI, width: int | None = None, theme: Theme | None = None) -> bytes:
        """The figure as the bytes of a PNG file; arguments as those of `save`."""
        return self._render("png", dpi, width=width, theme=theme)

    def _render(self, kind: str, dpi: int, *, width: int | None = None, theme: Theme | None = None) -> bytes:
        theme = self.theme if theme is None else theme
        if theme not in THEMES:
            raise PublishError(f"theme {theme!r}: a theme is one of {', '.join(map(repr, THEMES))}")
        if width is not None and width < 1:
            raise PublishError(f"width={width!r}: a picture is at least one pixel wide")
        metadata: dict[str, Any] = {"Description": self.alt, "Source": self.call, "Software": "sdexplore"}
        if self.sources:
            metadata["Comment"] = json_text.dumps(summary(self.sources))
        if kind == "svg":
            metadata = {"Description": self.alt, "Source": self.call, "Date": None}
        elif kind == "pdf":
            metadata = {"Subject": self.alt, "Keywords": self.call, "CreationDate": None}
        buffer, density = io.BytesIO(), float(dpi)
        with style(), np.errstate(invalid="ignore", over="ignore"), _laid_out(self.figure), themed(self.figure, theme):
            if width is not None:
                density = width / (_extent(self.figure, self.figure.dpi).width + 2 * _PAD)
            canvas_of(self.figure).print_figure(
                buffer,
                format=kind,
                dpi=density,
                bbox_inches=_extent(self.figure, density).padded(_PAD) if f".{kind}" in _IN_PIXELS else "tight",
                pad_inches=_PAD,
                metadata=metadata if kind in ("png", "svg", "pdf") else None,
            )
        return buffer.getvalue()

    def screen(self, *, dpi: float = SCREEN_DPI, theme: Theme | None = None) -> bytes:
        """The figure as the bytes of a PNG file that a dashboard shows and no file keeps.

        Its pixels are those of `png`, on white where its page is not opaque; they are packed less tightly.
        """
        return png(self._pixels(dpi, self.theme if theme is None else theme))

    def _pixels(self, dpi: float, theme: Theme) -> np.ndarray:
        """The pixels (Y, X, 3) uint8 of `png`, on white."""
        with style(), np.errstate(invalid="ignore", over="ignore"), _laid_out(self.figure), themed(self.figure, theme):
            canvas = canvas_of(self.figure)
            around = _extent(self.figure, dpi).padded(_PAD)
            canvas.print_figure(io.BytesIO(), format="rgba", dpi=dpi, bbox_inches=around, pad_inches=_PAD)
        pixels = np.asarray(canvas.buffer_rgba())
        colours, opaque = pixels[..., :3], pixels[..., 3:]
        if opaque.min() == _OPAQUE:
            return colours
        return np.asarray(np.round(_OPAQUE + (opaque / _OPAQUE) * (colours - float(_OPAQUE))), np.uint8)

    def html(self) -> str:
        """The figure as HTML: one <img> with its alt text, at the size of a notebook's pictures.

        Its pixels are those of `screen`.
        """
        return self._html(self.screen())

    def _html(self, png: bytes) -> str:
        pixels = int.from_bytes(png[16:20], "big")  # the width in PNG's header
        wide = round(pixels * _CSS_PIXELS_PER_INCH / SCREEN_DPI)
        source = base64.b64encode(png).decode("ascii")
        return (
            f'<figure style="margin:0"><img src="data:image/png;base64,{source}" alt="{harmless(self.alt)}" '
            f'style="width:{wide}px;max-width:100%;background:#fff">'
            + "".join(f"<figcaption>{escape(notice)}</figcaption>" for notice in self.notices)
            + "</figure>"
        )

    def kept(self) -> dict[str, str]:
        """What a notebook's file keeps of it, by MIME type: HTML with its alt text, and a PNG in base64.

        A site that is made of notebooks shows the HTML, and would show the PNG without its alt text.
        """
        png = self.png(dpi=round(SCREEN_DPI))
        return {"text/html": self._html(png), "image/png": base64.b64encode(png).decode("ascii")}

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401  (Jupyter's)
        try:
            kept = self.kept()
        except Exception as error:  # noqa: BLE001  (a repr never raises)
            return {"text/plain": f"{self!r}\ncannot be drawn, {type(error).__name__}: {error}"}, {}
        return {**kept, "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}

    def __repr__(self) -> str:
        return "\n".join((f"Picture: {self.alt}", self.call, *self.notices))


def _extent(figure: "Figure", dpi: float) -> "Bbox":
    """What a file of this density holds, in inches: all that is drawn, found without drawing it.

    matplotlib's "tight" draws the whole figure once more to find the same.
    """
    before = figure.dpi
    try:
        figure.set_dpi(dpi)
        layout_cache.place(figure)
        return figure.get_tightbbox(canvas_of(figure).get_renderer())
    finally:
        figure.set_dpi(before)


def canvas_of(figure: "Figure") -> Any:  # noqa: ANN401  (matplotlib's types do not know what a canvas prints)
    """The canvas of a figure, which remembers texts; a new one where it has another."""
    from . import text_cache

    return figure.canvas if isinstance(figure.canvas, text_cache.Canvas) else text_cache.Canvas(figure)


@contextmanager
def _laid_out(figure: "Figure") -> Iterator[None]:
    """The layout is done, so matplotlib, which would draw everything to see to it, has no engine in the block."""
    canvas_of(figure)  # with whose renderer texts are measured
    layout_cache.lay_out(figure)
    engine = figure.get_layout_engine()
    figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure, independent of the user's rcParams, which the end of the block restores.

    rcParams are one for all threads, so one thread at a time is in such a block.
    """
    import matplotlib.style

    from .text_cache import styled

    look = {
        "figure.dpi": column().dpi,  # so that texts are measured once for layout and screen
        "font.family": list(families()),
        "font.size": 9.0,
        "axes.titlesize": 9.0,
        "axes.titley": 1.0,  # no ticks are above, which matplotlib would look for at each drawing
        "figure.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "image.interpolation": "nearest",
        "text.hinting": "none",  # letters spaced as the font has it at every density; and in two thirds of the time
        "svg.fonttype": "none",
        "svg.hashsalt": "sdexplore",  # or its ids would be others at each saving
    }
    with _ONE_AT_A_TIME:
        before = styled.set(True)
        try:
            with matplotlib.style.context(["default", look]):
                yield
        finally:
            styled.reset(before)
