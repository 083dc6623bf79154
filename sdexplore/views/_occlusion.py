"""What each word of the prompt does to the noise prediction, ranked, and where."""

import numpy as np
from matplotlib.figure import Figure

from ..base.errors import TraceError
from ..figures.alt_texts import said
from ..figures.code_lines import CodeLine, options
from ..figures.colours import FAINT, PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.names import quoted
from ..figures.not_numbers import finite, top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.occlusion import Occlusion
from ..strings.wording import listed, wording
from .made_from import made_from

_MOST = 6
_BARS, _BAR = 3.0, 0.8  # inches of the bars, and of the colour bar


@made_from("pipeline", "trace", calls=["occlusion"])
def occlusion(found: Occlusion, most: int = _MOST) -> Picture:
    """Draws the words of a prompt by what leaving each out changes in the noise prediction, and where it changes.

    Left, a bar a word, the strongest on top: the change, root mean square over the picture, as a share of what leaving
    out the whole prompt changes (axis from 0; 1 is as much as the whole prompt, and more is possible). The bar is the
    mean over the steps, each dot one step, from light (first) to dark (last). Right, for the strongest words, where: a
    row a word, a column a step, root mean square over channels at each latent pixel. All maps share one scale from 0,
    printed at the bar.

    Args:
        found: What `sdx.occlusion(pipe, trace)` returns.
        most: How many words get maps.

    Raises:
        TraceError: most is below 1.
    """
    if most < 1:
        raise TraceError(f"occlusion(most={most}): at least one word is to be shown")
    effects, ranking = found.effects, found.ranking
    shown = finite(effects)
    top = ranking[:most]
    maps = found.changes[list(top)]
    reach = top_of(maps) or 1.0
    wide = min(1.1, (BLOG_COLUMN - _BARS - _BAR) / len(found.steps))
    y, x = maps.shape[2:]
    high = max(0.3 * len(ranking), len(top) * wide * y / x) + 1.1
    with style():
        figure = Figure(figsize=(_BARS + wide * len(found.steps) + _BAR, high), layout="constrained")
        figure.suptitle(wording("occlusion.title", prompt=drawable(found.prompt, 80)), fontsize=9)
        ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(_BARS, wide * len(found.steps) + _BAR))
        ax = left.subplots()
        names = [drawable(found.words[i], 24) for i in ranking]
        ax.barh(range(len(ranking)), shown[list(ranking)].mean(axis=1), color=PALETTE[4], height=0.7)
        for step in range(len(found.steps)):
            shade = str(0.75 - 0.75 * step / max(1, len(found.steps) - 1))
            dot = {"color": shade, "edgecolors": "white", "linewidths": 0.5}  # to be seen on a dark page too
            ax.scatter(shown[list(ranking), step], range(len(ranking)), s=14, zorder=3, **dot)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.axvline(1.0, color=FAINT, linewidth=0.8, linestyle="--")
        ax.set_xlabel(wording("occlusion.bars"), fontsize=9)
        ax.set_xlim(left=0)
        axes = panel_grid(right, len(top), len(found.steps))
        for row, word in enumerate(top):
            for column, (step, t) in enumerate(zip(found.steps, found.timesteps, strict=True)):
                panel = axes[row, column]
                drawn = panel.imshow(maps[row, column], cmap=SEQUENTIAL, vmin=0.0, vmax=reach)
                if row == 0:
                    panel.set_title(wording("step.title", step=step, t=f"{t:.0f}"), fontsize=9)
            row_label(axes[row, 0], drawable(found.words[word], 14))
        colour_bar(right, drawn, axes, label=wording("occlusion.maps", predicted=_model(found)), shrink=0.8, pad=0.02)
    best = listed(f"{quoted(found.words[i], 40)} {said(effects[i].mean(), '.2f')}" for i in ranking[:_MOST])
    return Picture(
        figure=figure,
        data={"effects": effects[list(ranking)], "changes": maps, "steps": np.array(found.steps)},
        alt=wording("occlusion.alt", prompt=quoted(found.prompt), best=best, reach=f"{reach:.2g}"),
        caption=wording("occlusion.caption"),
        call=CodeLine(
            f"sdx.views.occlusion(sdx.occlusion(pipe, trace{_asked(found)}){options({'most': most}, {'most': _MOST})})"
            f"  # trace {found.fingerprint}",
            [found.run] if found.run else [],
        ),
    )


def _model(found: Occlusion) -> str:
    symbols = {"epsilon": "ε", "v_prediction": "v", "sample": "x0"}
    return symbols.get(found.prediction_type) or wording("occlusion.prediction")


def _asked(found: Occlusion) -> str:
    words = "" if found.asked is None else f", {list(found.asked)!r}"
    return f"{words}, steps={list(found.steps)}"
