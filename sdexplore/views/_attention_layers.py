"""One word's map in every layer and head, each on its own grid."""

from collections.abc import Mapping
from itertools import zip_longest
from math import ceil, sqrt
from typing import Literal

import numpy as np

from ..analysis.attention import layer_maps
from ..analysis.selection import Layers, Selection, Word, label
from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import peak
from ..figures.captions import with_details
from ..figures.cells import Cells
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.labels import colour_bar, row_label
from ..figures.not_numbers import top_of
from ..figures.panels import Panel, panels
from ..figures.picture import Picture, drawable
from ..figures.titles import grid_of, run_title, selection_title, short_layers
from ..trace.trace import Steps, Trace
from .made_from import made_from

_MOST = 180
_LEAST_WIDTH = 0.75  # inches of a panel
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
    """Draws where one word's cross-attention went in each layer: a gallery in the network's order.

    A panel is one layer's own grid, one square a pixel of that layer, titled by its block ("up 1.0" is
    up_blocks.1.attentions.0) and its grid, rows × columns. Where heads were recorded a row is a layer, its first panel
    the mean over heads, the others its heads from 0. Colours are the probability (0 to 1) that a pixel gives to the
    word, averaged over the steps: on one scale from 0, printed at the colour bar, or with scale="each" on each
    panel's own, printed in its title or, by head, beneath it.

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
    maps = {name: np.concatenate([m.mean(axis=0)[None], m if apart else m[:0]]) for name, m in heads.items()}
    if (count := sum(map(len, maps.values()))) > _MOST:
        way = "by_head=False, or layers" if apart else "layers"
        raise TraceError(f"attention_layers: {count} panels do not fit in one figure ({_MOST} at most); give {way}")
    top = top_of(*maps.values())
    y, x = next(iter(maps.values())).shape[1:]
    columns = max(map(len, maps.values())) if apart else ceil(sqrt(len(maps)))
    rows = len(maps) if apart else ceil(len(maps) / columns)
    with panels(rows, columns, aspect=y / x, top=0.7 if apart else 0.7 + 0.4 * rows, least=_LEAST_WIDTH) as (fig, axes):
        without = ("layers", "heads") if apart else ("layers",)
        over = selection_title(trace, chosen, without)
        fig.suptitle(f"{run_title(trace)}\n“{drawable(label(word), 40)}”: {over}", fontsize=9)
        shrink = min(1.0, _BAR / fig.get_figheight())  # the bar is as long beside many rows as beside two
        drawn = _draw(axes, maps, shared=top if scale == "shared" else None, apart=apart)
        if scale == "shared":
            colour_bar(
                fig, drawn, axes, label="attention probability", pad=0.01, fraction=0.04, shrink=shrink, aspect=30
            )
    name = max(maps, key=lambda layer: top_of(maps[layer][0]))
    given = selection.given | {"by_head": by_head, "scale": scale}
    arguments = f"trace, {word!r}{options(given, {'by_head': None, 'scale': 'shared'})}"
    return Picture(
        figure=fig,
        data={layer: pixels if apart else pixels[0] for layer, pixels in maps.items()},
        alt=with_details(
            f"Heat maps of the {chosen.kind} to {clip(label(word))} in {len(maps)} layers"
            f"{', head by head' if apart else ''}, from 0 to {top:.3g}",
            f"the mean over heads is brightest in {clip(name)}, where it {peak('', maps[name][0]).strip()}",
        ),
        call=line_of_code("attention_layers", arguments, trace),
    )


def _draw(axes: np.ndarray, maps: Mapping[str, np.ndarray], *, shared: float | None, apart: bool) -> Cells:
    """Fills the panels; returns one of them, whose scale is that of all where it is shared."""
    names = short_layers(tuple(maps))
    if not apart:
        for ax, (layer, pixels) in zip(axes.flat, maps.items(), strict=False):
            drawn, scale = _panel(ax, pixels[0], shared)
            ax.set_title("\n".join((names[layer], grid_of(pixels), scale)).rstrip(), fontsize=7.5)
        return drawn
    for row, (layer, pixels) in zip(axes, maps.items(), strict=True):
        row_label(row[0], f"{names[layer]}\n{grid_of(pixels)}", size=6.5)
        for ax, one in zip_longest(row, pixels):
            if one is not None:
                drawn, scale = _panel(ax, one, shared)
                ax.set_xlabel(scale, fontsize=6.5, labelpad=1)
    for column, ax in enumerate(axes[0]):
        ax.set_title(f"head {column - 1}" if column else "mean", fontsize=7.5)
    return drawn


def _panel(ax: Panel, pixels: np.ndarray, shared: float | None) -> tuple[Cells, str]:
    """The map as drawn, and its scale in words where it is its own."""
    top = top_of(pixels) if shared is None else shared
    drawn = ax.imshow(pixels, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
    return drawn, "" if shared is not None else f"0 to {top:.2g}"
