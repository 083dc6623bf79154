"""What each head does by what it reads of a word, and as a whole, beside the attention that it pays."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.display import clip
from ..figures.alt_texts import said
from ..figures.captions import with_details
from ..figures.code_lines import CodeLine, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.not_numbers import top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..figures.titles import short_layers
from ..records.head_effects import HeadEffects
from .made_from import made_from

_KINDS = (
    ("attention", "attention to the word", "probability"),
    ("reading", "without its reading of the word", "RMS change"),
    ("whole", "without the whole head", "RMS change"),
)
_STRONGEST = 5
_NO_HEAD = "#808080"


@made_from("pipeline", "trace", calls=["head_effects"])
def head_effects(found: HeadEffects) -> Picture:
    """Draws every head as a cell, three times: by its attention to a word, and by what changes without it.

    Above, a row is a layer in the network's order ("up 1.0" is up_blocks.1.attentions.0), a column a head from 0. Left:
    the mean probability that the head pays the word. Middle: root mean square of the change of the noise prediction
    where the head does not read the word. Right: the same where the head gives nothing at all. Each has its own scale
    from 0, printed at its bar; heads that a layer does not have are grey. Beneath, each head is a dot: its attention
    (axis from 0) against either effect (from 0), with Spearman's rank correlation ρ over all heads in the title.
    Effects of heads do not add up to that of their layer.

    Args:
        found: What `sdx.head_effects(pipe, trace, word)` returns.
    """
    arrays = {name: found.table(getattr(found, name)) for name, _, _ in _KINDS}
    layers, heads = len(found.layers), max(found.heads)
    short = short_layers(found.layers)
    cell = min(0.26, (BLOG_COLUMN - 2.4) / (3 * heads))
    tall = max(1.0, cell * layers) + 0.7
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, tall + 2.6), layout="constrained")
        figure.suptitle(
            f"“{drawable(found.prompt, 70)}”\nheads and “{drawable(found.word, 30)}”, step {found.step} "
            f"(t {found.timestep:.0f})",
            fontsize=9,
        )
        ((above,), (below,)) = figure.subfigures(2, 1, squeeze=False, height_ratios=(tall, 2.4))
        axes = panel_grid(above, 1, len(_KINDS), of=Axes)[0]  # with ticks, which name the layers
        colours = colormaps[SEQUENTIAL].with_extremes(bad=_NO_HEAD)
        for ax, (name, title, unit) in zip(axes, _KINDS, strict=True):
            top = top_of(arrays[name]) or 1.0
            drawn = ax.imshow(arrays[name], cmap=colours, vmin=0.0, vmax=top, interpolation="nearest")
            ax.set(xticks=(), yticks=())
            ax.set_title(title, fontsize=8)
            ax.set_xlabel(f"heads 0 to {heads - 1}", fontsize=7)
            bar = above.colorbar(drawn, ax=ax, shrink=0.7, pad=0.02)
            bar.set_label(unit, fontsize=7)
            bar.ax.tick_params(labelsize=6.5)
        axes[0].set_yticks(range(layers), [short[name] for name in found.layers], fontsize=6)
        pair = below.subplots(1, 2)
        for ax, (name, title, unit) in zip(pair, _KINDS[1:], strict=True):
            _dots(ax, found.attention, getattr(found, name), unit)
            rho = found.correlations[f"head: {name} ~ attention"]
            ax.set_title(f"{title}: ρ = {said(rho, '+.2f')}", fontsize=8)
    return Picture(
        figure=figure,
        data={**arrays, "layer_reading": found.layer_reading, "layer_whole": found.layer_whole},
        alt=with_details(
            f"Heads of {layers} layers and the word {clip(found.word)!r} of {clip(found.prompt, 150)!r}: the attention "
            "that each pays the word, the change of the noise prediction where it does not read the word, and where it "
            "is not there at all. Attention tells where a head looks, an effect what follows from it",
            f"the strongest by their reading are {_strongest(found)}",
            ", ".join(f"{name} {said(rho, '+.2f')}" for name, rho in found.correlations.items()),
        ),
        call=_line(found),
    )


def _dots(ax: Axes, attention: np.ndarray, effect: np.ndarray, unit: str) -> None:
    ax.scatter(attention, effect, s=9, color=PALETTE[4], alpha=0.9, linewidths=0)
    ax.set_xlim(0, 1.08 * (top_of(attention) or 1.0))
    ax.set_ylim(0, 1.08 * (top_of(effect) or 1.0))
    ax.set_xlabel("attention to the word, probability", fontsize=7)
    ax.set_ylabel(unit, fontsize=7)
    ax.tick_params(labelsize=6.5)


def _strongest(found: HeadEffects) -> str:
    short = short_layers(found.layers)
    places = [(layer, head) for layer, head in found.ranking[:_STRONGEST]]
    told = (f"{clip(short[layer], 30)} head {head}" for layer, head in places)
    return ", ".join(told)


def _line(found: HeadEffects) -> CodeLine:
    layers = None if found.chosen is None else list(found.chosen)
    rest = options({"step": found.step, "layers": layers}, {"layers": None})
    return CodeLine(
        f"sdx.views.head_effects(sdx.head_effects(pipe, trace, {found.asked!r}{rest}))  # trace {found.fingerprint}",
        [found.run] if found.run else [],
    )
