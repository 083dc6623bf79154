"""One word's map in every layer and head, each on its own grid."""

from collections.abc import Mapping
from itertools import zip_longest
from math import ceil, sqrt
from typing import Literal

import numpy as np

from ..analysis.attention import layer_maps
from ..analysis.selection import Layers, Selection, Word
from ..base.data_order import in_data_order
from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import peak_place
from ..figures.cells import Cells
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.names import attention_name, quoted, word_name
from ..figures.not_numbers import top_of
from ..figures.panels import Panel, panels
from ..figures.picture import Picture
from ..figures.titles import grid_of, run_title, selection_title, short_layers
from ..strings.wording import counted, wording
from ..trace.trace import Steps, Trace
from .made_from import made_from

_MOST = 180
_MOST_COLUMNS = 9  # whose panels have room for a line of words
_LEAST_WIDTH = 0.3  # inches of a panel where there are more, with a number at most
_PAGE = 2.0  # panels of a gallery stand in about twice as many columns as rows
_BAR = 4.0  # inches of the colour bar


@made_from("trace")
def attention_layers(
    trace: Trace,
    word: Word,
    steps: Steps = None,
    *,
    role: str = "cond",
    layers: Layers = None,
    by_head: bool | None = None,
    scale: Literal["shared", "each"] = "shared",
) -> Picture:
    """Draws where one word's cross-attention went in each layer: a page of maps in the order of the data.

    First stands the picture, where the trace has one, to compare with. A panel is one layer's own grid, one square a
    pixel of that layer, titled by its block ("up 1.0" is up_blocks.1.attentions.0) and its grid, rows × columns. Where
    heads were recorded a row is a layer, its first panel the mean over heads, the others its heads from 0; the picture
    stands above them. Colours are the probability (0 to 1) that a pixel gives to the word, averaged over the steps: on
    one scale from 0, printed at the colour bar, or with scale="each" on each panel's own, printed beneath it. Of more
    than eight heads each has its number alone above it, and beneath it the greatest value alone.

    Args:
        word: A word or phrase of the prompt, or positions.
        steps, role, layers: As `word_map` takes them.
        by_head: Whether to draw heads apart; None: where they were recorded.
        scale: "shared", or "each" to see faint panels too.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded, or is more than 180 panels.
    """
    if scale not in ("shared", "each"):
        raise TraceError(f"attention_layers(scale={scale!r}): scale is 'shared' or 'each'")
    selection = Selection(role, steps, layers)
    chosen = selection.of(trace)
    apart = not any(a.head_mean for a in chosen.layers.values())
    if by_head and not apart:
        raise TraceError(
            "attention_layers(by_head=True): only the mean over heads was recorded; "
            "run with Record(cross_attention='heads')"
        )
    apart = apart if by_head is None else by_head
    heads = layer_maps(trace, word, selection)
    maps = {
        name: np.concatenate([heads[name].mean(axis=0)[None], heads[name] if apart else heads[name][:0]])
        for name in in_data_order(heads)
    }
    if (count := sum(map(len, maps.values()))) > _MOST:
        way = "by_head=False, or layers" if apart else "layers"
        raise TraceError(f"attention_layers: {count} panels do not fit in one figure ({_MOST} at most); give {way}")
    top = top_of(*maps.values())
    y, x = next(iter(maps.values())).shape[1:]
    pictured = trace.image is not None
    shown = pictured + len(maps)
    columns = max(map(len, maps.values())) if apart else min(_MOST_COLUMNS, ceil(sqrt(_PAGE * shown * y / x)))
    rows = shown if apart else ceil(shown / columns)
    named = 0.4 if scale == "shared" else 0.6  # inches of what stands at a panel
    above = 0.7 + (0.2 * rows * (scale == "each") if apart else named * rows)
    with panels(rows, columns, aspect=y / x, top=above, least=0.7 if columns <= _MOST_COLUMNS else _LEAST_WIDTH) as (
        fig,
        axes,
    ):
        without = ("layers", "heads") if apart else ("layers",)
        over = selection_title(trace, chosen, without)
        title = wording("attention_layers.title", word=drawable(word_name(word), 40), selection=over)
        fig.suptitle(f"{run_title(trace)}\n{title}", fontsize=9)
        shrink = min(1.0, _BAR / fig.get_figheight())  # the bar is as long beside many rows as beside two
        if trace.image is not None:
            axes[0, 0].imshow(trace.image)
            axes[0, 0].set_title(wording("panel.picture"), fontsize=9)
        shared = top if scale == "shared" else None
        if apart:
            drawn = _rows(axes[int(pictured) :], maps, shared=shared)
        else:
            drawn = _gallery(axes.flat[int(pictured) : shown], maps, shared=shared)
        if scale == "shared":
            bar = {"pad": 0.01, "fraction": 0.04, "shrink": shrink, "aspect": 30}
            colour_bar(fig, drawn, axes, label=wording("attention.bar.mean"), **bar)
    brightest = max(maps, key=lambda layer: top_of(maps[layer][0]))
    given = selection.given | {"by_head": by_head, "scale": scale}
    arguments = f"trace, {word!r}{options(given, {'by_head': None, 'scale': 'shared'})}"
    return Picture(
        figure=fig,
        data={layer: pixels if apart else pixels[0] for layer, pixels in maps.items()},
        alt=wording(
            f"attention_layers.alt.{'heads' if apart else 'layers'}",
            attention=attention_name(chosen),
            word=clip(word_name(word)),
            layers=counted(len(maps), "layer"),
            picture=wording("attention_layers.beside") if pictured else "",
            scale=wording(f"attention.scale.{scale}", low=0, top=f"{top:.3g}"),
            brightest=clip(brightest),
            peak=peak_place(maps[brightest][0]),
        ),
        caption=wording(f"attention_layers.caption.{scale}", word=quoted(word_name(word))),
        call=line_of_code("attention_layers", arguments, trace),
    )


def _gallery(axes: np.ndarray, maps: Mapping[str, np.ndarray], *, shared: float | None) -> Cells:
    """A panel a layer; returns one of the maps as drawn, whose scale is that of all where it is shared."""
    names = short_layers(tuple(maps))
    for ax, (layer, pixels) in zip(axes, maps.items(), strict=True):
        drawn, scale = _panel(ax, pixels[0], shared)
        ax.set_title(f"{names[layer]}\n{grid_of(pixels)}", fontsize=9)
        ax.set_xlabel(scale, fontsize=9, labelpad=1)
    return drawn


def _rows(axes: np.ndarray, maps: Mapping[str, np.ndarray], *, shared: float | None) -> Cells:
    """A row a layer, its mean and its heads; returns one of the maps as drawn."""
    names, narrow = short_layers(tuple(maps)), axes.shape[1] > _MOST_COLUMNS
    for row, (layer, pixels) in zip(axes, maps.items(), strict=True):
        row_label(row[0], f"{names[layer]}\n{grid_of(pixels)}")
        for ax, one in zip_longest(row, pixels):
            if one is not None:
                drawn, scale = _panel(ax, one, shared)
                ax.set_xlabel(f"{top_of(one):.1g}" if narrow and scale else scale, fontsize=9, labelpad=1)
    for column, ax in enumerate(axes[0]):
        head = str(column - 1) if narrow else wording("attention_layers.head", head=column - 1)
        ax.set_title(head if column else wording("attention_layers.mean"), fontsize=9)
    return drawn


def _panel(ax: Panel, pixels: np.ndarray, shared: float | None) -> tuple[Cells, str]:
    """The map as drawn, and its scale in words where it is its own."""
    top = top_of(pixels) if shared is None else shared
    drawn = ax.imshow(pixels, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
    return drawn, "" if shared is not None else wording("attention.range", top=f"{top:.2g}")
