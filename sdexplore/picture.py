"""A figure that describes itself, shows itself once, and knows how it was made."""

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .display import MOST_CHARACTERS, clip, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 144  # of saved files
_SCREEN_DPI = 110  # in a notebook, whose file holds each picture twice
_CSS_PIXELS_PER_INCH = 96
_JAPANESE = ("Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "IPAexGothic", "Noto Sans JP")
_FORMATS = (".png", ".svg", ".pdf", ".webp", ".jpg")


@dataclass(frozen=True, eq=False)
class Picture:
    """What a view returns: one figure with the arrays drawn in it, in words, and in code.

    Attributes:
        figure: The matplotlib figure, made without pyplot, so that it shows once and leaks nowhere.
        data: Name -> array as drawn.
        alt: What is to be seen, in a sentence or two.
        call: The line of code that makes it again; a comment names the trace by its fingerprint.
    """

    figure: "Figure"
    data: Mapping[str, np.ndarray]
    alt: str
    call: str

    def save(self, path: str | Path, *, dpi: int = DPI) -> Path:
        """Writes the figure to `path` (.png, .svg, .pdf, .webp, .jpg), folders included; returns the path.

        A PNG carries the alt text and the call as text chunks.

        Raises:
            ValueError: The ending is none of these.
        """
        path = Path(path)
        if path.suffix.lower() not in _FORMATS:
            raise ValueError(f"cannot save a picture as {path.name!r}: the ending is one of {', '.join(_FORMATS)}")
        content = self._render(path.suffix.lower().removeprefix("."), dpi)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def png(self, *, dpi: int = DPI) -> bytes:
        """The figure as the bytes of a PNG file."""
        return self._render("png", dpi)

    def _render(self, kind: str, dpi: int) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        metadata: dict[str, Any] = {"Description": self.alt, "Source": self.call, "Software": "sdexplore"}
        if kind == "svg":
            metadata = {"Description": self.alt, "Source": self.call, "Date": None}
        elif kind == "pdf":
            metadata = {"Subject": self.alt, "Keywords": self.call, "CreationDate": None}
        buffer = io.BytesIO()
        with style():
            FigureCanvasAgg(self.figure).print_figure(
                buffer,
                format=kind,
                dpi=dpi,
                bbox_inches="tight",
                pad_inches=0.05,
                metadata=metadata if kind in ("png", "svg", "pdf") else None,
            )
        return buffer.getvalue()

    def html(self) -> str:
        """The figure as HTML: one <img> with its alt text, at the size of a notebook's pictures."""
        return self._html(self.png(dpi=_SCREEN_DPI))

    def _html(self, png: bytes) -> str:
        pixels = int.from_bytes(png[16:20], "big")  # the width in PNG's header
        wide = round(pixels * _CSS_PIXELS_PER_INCH / _SCREEN_DPI)
        source = base64.b64encode(png).decode("ascii")
        return (
            f'<figure style="margin:0"><img src="data:image/png;base64,{source}" alt="{escape(self.alt)}" '
            f'style="width:{wide}px;max-width:100%;background:#fff"></figure>'
        )

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401  (Jupyter's)
        try:
            png = self.png(dpi=_SCREEN_DPI)
        except Exception as error:  # noqa: BLE001  (a repr never raises)
            return {"text/plain": f"{self!r}\ncannot be drawn, {type(error).__name__}: {error}"}, {}
        bundle = {
            "text/html": self._html(png),
            "image/png": base64.b64encode(png).decode("ascii"),
            "text/plain": repr(self),
        }
        return bundle, {"image/png": {"alt": self.alt}}

    def __repr__(self) -> str:
        return f"Picture: {self.alt}\n{self.call}"


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure, whatever the user's rcParams are; they are as before when the block ends."""
    import matplotlib.style

    look = {
        "font.family": list(_fonts()),
        "font.size": 9.0,
        "axes.titlesize": 9.0,
        "figure.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "image.interpolation": "nearest",
        "svg.fonttype": "none",
    }
    with matplotlib.style.context(["default", look]):
        yield


def drawable(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text` for a figure: on one line, cut at `most`, and what no installed font can draw named as "U+1F338"."""
    known = _drawn_characters()
    shown = clip(text, most).replace("$", r"\$")  # matplotlib would set what stands between two as mathematics
    return "".join(c if ord(c) in known else f"U+{ord(c):04X}" for c in shown)


@cache
def _drawn_characters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(code for name in _fonts() for code in get_font(findfont(FontProperties(name))).get_charmap())


@cache
def _fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    # Families that are not installed would print a warning for every text.
    installed = {font.name for font in fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in _JAPANESE if name in installed][:1])
