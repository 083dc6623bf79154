"""Where words looked in two runs."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..analysis.attention import word_maps
from ..analysis.selection import Heads, Layers, Selection, Word, label, words_of
from ..base.display import clip
from ..base.errors import TokenError, TraceError
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import DIVERGING, SEQUENTIAL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.names import attention_name, word_name
from ..figures.not_numbers import reach_of, top_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import first_words, grid_of, run_title, selection_title
from ..strings.wording import listed, wording
from ..text.words import fold
from ..trace.trace import Steps, Trace
from .made_from import made_from

_NAME = 12  # characters of a word over a panel


@made_from("trace")
def attention_compare(
    a: Trace,
    b: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> Picture:
    """Draws where the same words looked in two runs, a column a word: a, b, and b − a beneath.

    A map is `word_map`'s: the probability (0 to 1) that a latent pixel gives to the word, one square a latent pixel.
    Both rows of maps share one scale from 0. The third row is their difference: blue where b looks less than a,
    white 0, red where it looks more, on one scale as far below 0 as above. Both scales are printed at their colour
    bars. The first column holds both pictures.

    Args:
        a, b: Two traces whose latents have the same grid.
        words: Words, phrases or positions that both prompts hold; None: the words that they share, the first eight
            if there are more; the title then says so.
        role, steps, layers, heads: As `word_map` takes them, of both.

    Raises:
        TokenError: A prompt has no such word; the message says whose.
        TraceError: The grids differ; the prompts share no word; what was asked for was not recorded.
    """
    selection = Selection(role, steps, layers, heads)
    chosen, cut = (words_of(a, role, words), "") if words is not None else first_words(_shared(a, b, role))
    first, second = (_maps(trace, name, chosen, selection) for trace, name in ((a, "a"), (b, "b")))
    if first.shape != second.shape:
        raise TraceError(
            f"attention_compare: a's latent grid is {grid_of(first)} and b's {grid_of(second)}; maps are compared "
            "pixel by pixel, so run both at the same height and width"
        )
    change = second - first
    top, reach = top_of(first, second), reach_of(change)
    y, x = first.shape[1:]
    pictured = a.image is not None and b.image is not None
    with panels(3, len(chosen) + pictured, aspect=y / x, top=1.1) as (figure, axes):
        titles = "\n".join(f"{n}: {run_title(t).replace(chr(10), ', ')}" for n, t in (("a", a), ("b", b)))
        figure.suptitle(f"{titles}\n{selection_title(a, selection.of(a))}{cut}", fontsize=9)
        for row, text in enumerate(("a", "b", "b − a")):
            row_label(axes[row, 0], text)
        if pictured:
            axes[0, 0].imshow(a.image)
            axes[1, 0].imshow(b.image)
            axes[0, 0].set_title(wording("panel.picture"), fontsize=9)
        for column, word in enumerate(chosen):
            place = column + pictured
            axes[0, place].set_title(drawable(word_name(word), _NAME), fontsize=9)
            for row, maps in enumerate((first, second)):
                drawn = axes[row, place].imshow(maps[column], cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
            signed = axes[2, place].imshow(change[column], cmap=DIVERGING, vmin=-(reach or 1.0), vmax=reach or 1.0)
        colour_bar(figure, drawn, axes[:2, :], label=wording("attention.bar.mean"), pad=0.01)
        colour_bar(figure, signed, axes[2, :], label=wording("attention_compare.difference"), pad=0.01)
    names = [label(word) for word in chosen]
    by_row: Mapping[str, np.ndarray] = {"a": first, "b": second, "difference": change}
    told = [clip(word_name(word)) for word in chosen]
    means = listed(f"{name} {said(one.mean(), '+.2g')}" for name, one in zip(told, change, strict=True))
    return Picture(
        figure=figure,
        data={f"{row}/{name}": m for row, maps in by_row.items() for name, m in zip(names, maps, strict=True)},
        alt=wording(
            "attention_compare.alt",
            attention=attention_name(selection.of(a)),
            words=listed(told),
            a=in_words(a),
            b=in_words(b),
            top=f"{top:.3g}",
            reach=f"{reach:.3g}",
            means=means,
        ),
        caption=wording("attention_compare.caption", attention=attention_name(selection.of(a))),
        call=line_of_code("attention_compare", f"a, b, {list(chosen)!r}{options(selection.given)}", a, b),
    )


def _shared(a: Trace, b: Trace, role: str) -> tuple[Word, ...]:
    """The words of a's prompt that b's has too."""
    others = {fold(word) for word in words_of(b, role, None) if isinstance(word, str)}
    found = tuple(word for word in words_of(a, role, None) if isinstance(word, str) and fold(word) in others)
    if not found:
        raise TraceError("attention_compare: the two prompts share no word; give positions, or a phrase of both")
    return found


def _maps(trace: Trace, name: str, words: Sequence[Word], selection: Selection) -> np.ndarray:
    try:
        maps = word_maps(trace, words, selection)
    except (TokenError, TraceError) as error:
        raise type(error)(f"trace {name}: {error}") from error
    return np.stack(maps)
