"""What each head does by what it reads of a word, and as a whole, beside the attention that it pays."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.data_order import data_order, in_data_order
from ..base.display import clip
from ..figures.alt_texts import said
from ..figures.code_lines import CodeLine, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import quoted
from ..figures.not_numbers import top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.titles import short_layers
from ..records.head_effects import FEWEST, HeadEffects
from ..strings.wording import counted, listed, wording
from .made_from import made_from

_KINDS = ("attention", "reading", "whole")
_UNITS = {
    "attention": "head_effects.probability",
    "reading": "head_effects.change",
    "whole": "head_effects.change",
}
_STRONGEST = 5
_NO_HEAD = "#808080"


@made_from("pipeline", "trace", calls=["head_effects"])
def head_effects(found: HeadEffects) -> Picture:
    """Draws every head as a cell, three times: by its attention to a word, and by what changes without it.

    Above, a row is a layer in the order of the data ("up 1.0" is up_blocks.1.attentions.0), a column a head from 0.
    Left: the mean probability that the head pays the word. Middle: root mean square of the change of the noise
    prediction where the head does not read the word. Right: the same where the head gives nothing at all. Each has its
    own scale from 0, printed at its bar; heads that a layer does not have are grey. Beneath, each head is a dot: its
    attention (axis from 0) against either effect (from 0), with Spearman's rank correlation ρ over all heads in the
    title. A correlation over fewer than ten points is chance: it is not printed, neither over heads nor, in the alt
    text, over layers. Effects of heads do not add up to that of their layer.

    Args:
        found: What `sdx.head_effects(pipe, trace, word)` returns.
    """
    order = data_order(found.layers)
    arrays = {name: found.table(getattr(found, name))[order] for name in _KINDS}
    layers, heads = len(found.layers), max(found.heads)
    short = short_layers(found.layers)
    cell = min(0.26, (BLOG_COLUMN - 2.4) / (3 * heads))
    tall = max(1.0, cell * layers) + 0.7
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, tall + 2.6), layout="constrained")
        title = wording(
            "head_effects.title",
            prompt=drawable(found.prompt, 70),
            word=drawable(found.word, 30),
            step=found.step,
            t=f"{found.timestep:.0f}",
        )
        figure.suptitle(title, fontsize=9)
        ((above,), (below,)) = figure.subfigures(2, 1, squeeze=False, height_ratios=(tall, 2.4))
        axes = panel_grid(above, 1, len(_KINDS), of=Axes)[0]  # with ticks, which name the layers
        colours = colormaps[SEQUENTIAL].with_extremes(bad=_NO_HEAD)
        for ax, name in zip(axes, _KINDS, strict=True):
            top = top_of(arrays[name]) or 1.0
            drawn = ax.imshow(arrays[name], cmap=colours, vmin=0.0, vmax=top, interpolation="nearest")
            ax.set(xticks=(), yticks=())
            ax.set_title(wording(f"head_effects.cells.{name}"), fontsize=9)
            ax.set_xlabel(wording("head_effects.heads", last=heads - 1), fontsize=9)
            bar = above.colorbar(drawn, ax=ax, shrink=0.7, pad=0.02)
            bar.set_label(wording(_UNITS[name]), fontsize=9)
            bar.ax.tick_params(labelsize=9)
        axes[0].set_yticks(range(layers), [short[name] for name in in_data_order(found.layers)], fontsize=9)
        pair = below.subplots(1, 2)
        for ax, name in zip(pair, _KINDS[1:], strict=True):
            _dots(ax, found.attention, getattr(found, name), wording(_UNITS[name]))
            rho = found.telling.get(f"head: {name} ~ attention")
            agreed = wording("head_effects.few", least=FEWEST) if rho is None else f"ρ = {said(rho, '+.2f')}"
            ax.set_title(wording(f"head_effects.dots.{name}", agreed=agreed), fontsize=9)
    return Picture(
        figure=figure,
        data={**arrays, "layer_reading": found.layer_reading[order], "layer_whole": found.layer_whole[order]},
        alt=wording(
            "head_effects.alt",
            layers=counted(layers, "layer"),
            word=quoted(found.word),
            prompt=quoted(found.prompt, 150),
            strongest=_strongest(found),
            correlations=_agreement(found),
        ),
        caption=wording("head_effects.caption", word=quoted(found.word)),
        call=_line(found),
    )


def _dots(ax: Axes, attention: np.ndarray, effect: np.ndarray, unit: str) -> None:
    ax.scatter(attention, effect, s=9, color=PALETTE[4], alpha=0.9, linewidths=0)
    ax.set_xlim(0, 1.08 * (top_of(attention) or 1.0))
    ax.set_ylim(0, 1.08 * (top_of(effect) or 1.0))
    ax.set_xlabel(wording("head_effects.axis"), fontsize=9)
    ax.set_ylabel(unit, fontsize=9)
    ax.tick_params(labelsize=9)
    ax.locator_params(nbins=4)


def _strongest(found: HeadEffects) -> str:
    short = short_layers(found.layers)
    places = [(layer, head) for layer, head in found.ranking[:_STRONGEST]]
    return listed(wording("head_effects.place", layer=clip(short[layer], 30), head=head) for layer, head in places)


def _agreement(found: HeadEffects) -> str:
    """The rank correlations that say something, in words; "" where all are over too few points."""
    told = [
        wording(f"head_effects.correlation.{name.replace(': ', '.').replace(' ~ ', '.')}", rho=said(rho, "+.2f"))
        for name, rho in found.telling.items()
    ]
    return wording("head_effects.correlations", correlations=listed(told)) if told else ""


def _line(found: HeadEffects) -> CodeLine:
    layers = None if found.chosen is None else list(found.chosen)
    rest = options({"step": found.step, "layers": layers}, {"layers": None})
    return CodeLine(
        f"sdx.views.head_effects(sdx.head_effects(pipe, trace, {found.asked!r}{rest}))  # trace {found.fingerprint}",
        [found.run] if found.run else [],
    )
