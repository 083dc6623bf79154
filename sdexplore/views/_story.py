"""A whole run in one figure, for the head of an article."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..analysis.attention import word_maps
from ..analysis.selection import Selection, Word, label, words_of
from ..analysis.trajectory import StepPicture, step_pictures
from ..base import display
from ..base.errors import TraceError
from ..figures.alt_texts import in_words, peak, way_of
from ..figures.cells import place_of
from ..figures.code_lines import line_of_code, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN, SMALL
from ..figures.font_families import drawable
from ..figures.names import attention_name, drawn_by, not_decoded, selection_named, steps_named, word_name
from ..figures.picture import Picture, style
from ..figures.titles import run_title
from ..strings.wording import counted, wording
from ..text.token import Token
from ..trace.record import spread
from ..trace.trace import Trace
from ._story_page import CHIP, GAP, LINE, Page, lines_of, write_tokens
from .made_from import made_from

_MOST: Final = 6  # columns
_BAND: Final = 0.16  # inches between two bands
_OVERLAY: Final = 0.6


class _Seen(NamedTuple):
    """A word, the keys of its tokens, its map, and its colour in the figure."""

    word: Word
    keys: tuple[int, ...]
    pixels: np.ndarray
    colour: str


@made_from("trace")
def story(trace: Trace, words: Word | Sequence[Word] | None = None, *, decode: bool = True) -> Picture:
    """Draws a run from prompt to picture on one page: its tokens, noise, predicted x0, picture, and where words are.

    First band: the tokens of the prompt as the first text encoder reads them; padding is counted. Second: x_t before
    the first step, the predicted x0 at up to four steps, and the picture, decoded as in `views.denoising`. Third: the
    maps of up to six words over the picture, as in `views.attention`: mean over all recorded steps, layers and heads,
    each on its own scale from 0, printed beneath. A word has the same colour around its tokens and around its map. A
    band whose data the trace does not hold is left out. It is as wide as an article's column.

    Args:
        words: A word of the prompt, or up to six; by default those whose maps reach highest, in the prompt's order.
        decode: False decodes nothing: steps that were not decoded yet are linear previews.

    Raises:
        TraceError: The trace is no run that begins with noise, has neither decoded pictures nor latents, or more than
            six words are named.
        TokenError: The prompt has no such word.
    """
    if trace.kind != "run" or trace.video:
        raise TraceError(f"story(trace): this trace is {_what(trace)}; sdx.views.denoising draws its steps")
    asked = None if words is None else words_of(trace, "cond", words)
    if asked is not None and len(asked) > _MOST:
        raise TraceError(f"story(words={list(asked)!r}): name one to {_MOST} words")
    steps = spread(trace.shown_steps, _MOST - 2)
    noisy, clean = step_pictures(trace, steps, decode=decode and bool(trace.decoded))
    film = _film(trace, steps, noisy, clean)
    seen = _seen(trace, asked)
    tokens = next(iter(trace.tokens.get("cond", {}).values()), None)
    with style():
        figure = _drawn(trace, () if tokens is None else tokens.tokens, film, seen, bool(clean))
    shown = {step: [picture] for step, picture in zip(steps, clean or noisy, strict=True)}
    undecoded = not_decoded(shown)
    told = {
        "prompt": in_words(trace),
        "way": way_of(trace),
        "steps": steps_named(steps),
        "of": trace.num_steps,
        "attention": _in_words(trace, seen),
    }
    if tokens is None:
        alt = wording("story.alt.steps", **told)
    else:
        texts = sum(one.kind == "text" for one in tokens.tokens)
        alt = wording("story.alt", **told, tokens=counted(texts, "token"))
    caption = "story.caption.steps" if tokens is None else "story.caption" if seen else "story.caption.plain"
    given: dict[str, Any] = {} if asked is None else {"words": list(asked)}
    given |= {} if decode else {"decode": False}
    return Picture(
        figure=figure,
        data={name: picture.pixels for name, (_, picture) in film.items()}
        | {f"attention/{label(one.word)}": one.pixels for one in seen},
        alt=alt + (wording("denoising.not_decoded", pictures=undecoded) if undecoded else ""),
        caption=wording(caption),
        call=line_of_code("story", f"trace{options(given)}", trace),
    )


def _what(trace: Trace) -> str:
    return "a video" if trace.video else f"of kind {trace.kind!r}"


def _in_words(trace: Trace, seen: Sequence[_Seen]) -> str:
    if not seen:
        return ""
    peaks = (peak(display.clip(word_name(one.word)), one.pixels) for one in seen)
    kind = attention_name(Selection().of(trace))
    return wording("story.alt.attention", kind=kind, peaks=wording("list.semicolon").join(peaks))


def _film(
    trace: Trace, steps: Sequence[int], noisy: Sequence[StepPicture], clean: Sequence[StepPicture]
) -> Mapping[str, tuple[str, StepPicture]]:
    """The panels of the second band from left to right: name of the array → title and picture."""
    first = {f"x_t/{steps[0]}": (wording("story.x_t", step=steps[0]), noisy[0])}
    if clean:
        later = {
            f"predicted x0/{step}": (wording("story.x0", step=step), one)
            for step, one in zip(steps, clean, strict=True)
        }
    else:
        later = {
            f"x_t/{step}": (wording("story.x_t", step=step), one)
            for step, one in zip(steps[1:], noisy[1:], strict=True)
        }
    picture = {} if trace.image is None else {"image": (wording("panel.picture"), StepPicture(trace.image, "VAE"))}
    return first | later | picture


def _seen(trace: Trace, words: Sequence[Word] | None) -> list[_Seen]:
    """The words that are drawn, in order; none where there is no attention, or no picture to see it on."""
    if trace.image is None or not trace.cross_attention.get("cond"):
        if words is not None:
            raise TraceError("story(words=…): this trace has no attention to words, or no picture; leave words out")
        return []
    selection = Selection()
    asked = words_of(trace, "cond", None) if words is None else tuple(words)
    maps = word_maps(trace, asked, selection)
    layer = next(iter(selection.of(trace).layers.values()))
    highest = sorted(range(len(asked)), key=lambda place: -float(np.nan_to_num(maps[place]).max()))[:_MOST]
    return [
        _Seen(asked[place], tuple(selection.positions(trace, layer, asked[place])), maps[place], colour)
        for place, colour in zip(sorted(highest), PALETTE, strict=False)
    ]


def _drawn(
    trace: Trace,
    tokens: Sequence[Token],
    film: Mapping[str, tuple[str, StepPicture]],
    seen: Sequence[_Seen],
    predicted: bool,  # noqa: FBT001  (of this module alone)
) -> Figure:
    columns = max(len(film), len(seen), 3)
    wide = (BLOG_COLUMN - GAP * (columns - 1)) / columns
    y, x = next(iter(film.values()))[1].pixels.shape[:2]
    high = wide * y / x
    lines = lines_of(tokens)
    marked = any(picture.mark for _, picture in film.values())
    heights = (
        2 * LINE + _BAND,
        (LINE + CHIP * len(lines) + _BAND) * bool(lines),
        2 * LINE + high + LINE * marked + _BAND,
        (3 * LINE + high) * bool(seen),
    )
    figure = Figure(figsize=(BLOG_COLUMN, sum(heights)))
    page = Page(figure, sum(heights), wide, high)
    figure.suptitle(run_title(trace), fontsize=9, y=1.0, va="top")
    top = sum(heights) - heights[0]
    if lines:
        write_tokens(page, top, lines, {key: one.colour for one in seen for key in one.keys})
    top -= heights[1]
    page.words(0.0, top, wording("story.steps" if predicted else "story.steps.x_t"))
    for column, (title, picture) in enumerate(film.values()):
        ax = page.panel(column, top - 2 * LINE)
        ax.imshow(picture.pixels)
        ax.set_title(title, fontsize=SMALL)
        ax.set_xlabel(drawable(drawn_by(picture), 14), fontsize=SMALL)
        if column:
            page.words(column * (wide + GAP) - GAP / 2, top - 2 * LINE - high / 2, "→", ha="center", va="center")
    top -= heights[2]
    if seen:
        chosen = Selection().of(trace)
        told = {"attention": attention_name(chosen), "selection": drawable(selection_named(chosen), 70)}
        page.words(0.0, top, wording("story.attention", **told))
    for column, one in enumerate(seen):
        _attention(page.panel(column, top - 2 * LINE), trace.recorded("image"), one)
    return figure


def _attention(ax: Axes, image: np.ndarray, one: _Seen) -> None:
    finite = one.pixels[np.isfinite(one.pixels)]
    top = float(finite.max()) if finite.size else 0.0
    ax.imshow(image)
    ax.imshow(
        one.pixels,
        cmap=SEQUENTIAL,
        vmin=0.0,
        vmax=top or 1.0,
        extent=place_of(image),
        interpolation="bilinear",
        alpha=_OVERLAY,
    )
    ax.set_title(drawable(word_name(one.word), 16), fontsize=9)
    ax.set_xlabel(wording("maps.scale", least="0", most=f"{top:.3g}"), fontsize=SMALL)
    around = Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, edgecolor=one.colour, linewidth=2.5)
    around.set_clip_on(False)
    ax.add_patch(around)
