"""What an article is given, as the content of a file with words, code and provenance."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from .. import views
from ..base import json_text
from ..base.display import clip
from ..base.errors import PublishError
from ..base.options import Theme, options
from ..figures.alt_texts import in_words
from ..figures.code_lines import summary, without_language
from ..figures.picture import Picture
from ..strings.wording import wording
from ..trace.facts import facts_of
from ..trace.provenance import model_in_words
from ..trace.trace import Trace
from .animations import Animation
from .media.stills import Encoded, fitted, png_of

_VIEW = re.compile(r"sdx\.(?:views\.)?(\w+)\(")


@dataclass(frozen=True, kw_only=True)
class Material:
    """A picture that is ready to be written.

    Attributes:
        encoded: The file's content.
        alt, caption: In words.
        code: The line that makes it again; None if there is none.
        sources: How the traces in it were made, as JSON.
        over: The axes, if the traces are the cells of a Comparison.
        given: Name in the line -> digest of the user's own array that it stands for.
        name: Its key, if none is given.
        theme, lang: The page that it was drawn for, and the language of its words.
        notices: What a reader or the author should know of it.
    """

    encoded: Encoded
    alt: str
    caption: str
    name: str
    theme: Theme = "light"
    lang: str = "en"
    code: str | None = None
    sources: Sequence[Mapping[str, Any]] = ()
    over: Mapping[str, Any] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = field(default_factory=tuple)


def material_of(
    thing: object, *, alt: str | None, caption: str | None, most_bytes: int | None, theme: Theme | None
) -> Material:
    """A Picture, Trace, Animation, matplotlib figure, PIL image or uint8 array as the content of a file.

    Raises:
        PublishError: `thing` is none of these; or it has no words of its own and none were given.
    """
    if isinstance(thing, Picture):
        return Material(
            encoded=fitted(thing.png(theme=theme), most_bytes),
            theme=theme or thing.theme,
            lang=thing.lang,
            alt=thing.alt if alt is None else alt,
            caption=thing.caption if caption is None else caption,
            code=str(thing.call),
            name=name_of(thing.call, "figure"),
            notices=thing.notices,
            sources=thing.sources,
            over=thing.over,
            given=thing.given,
        )
    own = thing.theme if isinstance(thing, Animation) else "light"
    if theme not in (None, own):
        raise PublishError(
            f"theme={theme!r} is for pictures of sdexplore's views; this is for a {own} page, and an animation is made "
            "with its own theme"
        )
    if isinstance(thing, Animation):
        encoded = thing.encoded("webp", most_bytes)
        return Material(
            encoded=Encoded(encoded.content, ".webp", encoded.pixels, encoded.note),
            alt=thing.alt if alt is None else alt,
            caption=thing.caption if caption is None else caption,
            code=str(thing.call),
            name="animation",
            theme=thing.theme,
            lang=thing.lang,
            sources=thing.sources,
        )
    if isinstance(thing, Trace):
        return _trace(thing, alt, caption, most_bytes)
    return _foreign(thing, alt, caption, most_bytes)


def _trace(trace: Trace, alt: str | None, caption: str | None, most_bytes: int | None) -> Material:
    pixels = trace.recorded("image")
    told = {"model": clip(model_in_words(trace.provenance)), "prompt": in_words(trace)}
    height, width = pixels.shape[:2]
    words = wording("trace.alt", **told, seed=trace.call.get("seed"), width=width, height=height)
    sources = [facts_of(trace)]
    code = f"trace.image  # trace {trace.fingerprint}"
    chunks = {"Description": alt or words, "Source": code, "Software": "sdexplore"}
    chunks["Comment"] = json_text.dumps(summary(sources))
    return Material(
        encoded=fitted(png_of(Image.fromarray(pixels), chunks), most_bytes),
        alt=words if alt is None else alt,
        caption=wording("trace.caption", **told) if caption is None else caption,
        code=code,
        lang=options().lang,
        name="picture",
        sources=sources,
    )


def _foreign(thing: object, alt: str | None, caption: str | None, most_bytes: int | None) -> Material:
    """A figure or image that was not made by sdexplore."""
    if isinstance(thing, Figure):
        own, name = _words_of(thing), "figure"
    elif isinstance(thing, np.ndarray | Image.Image) and 0 in _size(thing):
        raise PublishError(f"cannot publish a picture of {' × '.join(map(str, _size(thing)))}: it has no pixels")
    elif isinstance(thing, np.ndarray) and thing.dtype == np.uint8 and thing.ndim == 3 and thing.shape[2] in (3, 4):  # noqa: PLR2004  (Y, X, RGB or RGBA)
        own, name, thing = "", "image", Image.fromarray(thing)
    elif isinstance(thing, Image.Image):
        own, name = "", "image"
    else:
        raise PublishError(
            f"cannot publish {clip(repr(thing), 80)}: {_drawn_by(thing)}give a Picture (what sdx.views draw), a Trace, "
            "sdx.animation(…), a matplotlib figure, a PIL image or an array of uint8 (Y, X, 3)"
        )
    words = alt if alt is not None else caption or own
    if not words.strip():
        raise PublishError(
            f"this {name} has no words of its own: describe in alt= what it shows, for readers who cannot see it"
        )
    chunks = {"Description": words, "Software": "sdexplore"}
    if isinstance(thing, Figure):
        buffer = io.BytesIO()
        thing.savefig(buffer, format="png", dpi=144, bbox_inches="tight", metadata=chunks)
        png = buffer.getvalue()
    else:
        assert isinstance(thing, Image.Image)  # noqa: S101  (for the type checker)
        png = png_of(thing, chunks)
    return Material(encoded=fitted(png, most_bytes), alt=words, caption=own if caption is None else caption, name=name)


def _size(thing: np.ndarray | Image.Image) -> tuple[int, ...]:
    """Rows and columns (and channels) of an array, or width and height of an image."""
    return thing.size if isinstance(thing, Image.Image) else thing.shape


def _drawn_by(thing: object) -> str:
    """The views that draw it, for an error; "" if there are none."""
    takers = {name: next(iter(get_type_hints(getattr(views, name)).values())) for name in views.__all__}
    names = [name for name, taken in takers.items() if isinstance(thing, taken)]
    if not names:
        return ""
    drawn = " or ".join(f"sdx.views.{name}(…)" for name in names)
    return f"{drawn} draws a {type(thing).__name__} as a Picture; "


def name_of(code: str, otherwise: str) -> str:
    """The name of the view in a line of code, which is the key of its picture if none is given."""
    match = _VIEW.match(without_language(code))
    return match[1] if match else otherwise


def _words_of(figure: Figure) -> str:
    """The words in the titles and labels of a figure."""
    titles = [figure.get_suptitle(), *(ax.get_title() for ax in figure.axes)]
    labels = [f"{ax.get_ylabel()} over {ax.get_xlabel()}" for ax in figure.axes if ax.get_ylabel() and ax.get_xlabel()]
    lines = [line for line in (*titles, *labels) if line.strip()]
    if not lines:
        lines = [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]
    return clip("; ".join(dict.fromkeys(lines)), 300)
