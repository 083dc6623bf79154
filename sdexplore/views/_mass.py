"""Where attention goes as a whole."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from ..analysis.mass import KINDS
from ..analysis.mass import attention_mass as mass_of
from ..analysis.selection import Heads, Layers, Steps, select
from ..picture import Picture, drawable, style
from ..trace import Trace
from ._figure import FAINT, PALETTE, in_words, line_of_code, options, run_title, selection_title, short_layers
from ._panels import BLOG_COLUMN

_COLOURS = dict(zip(KINDS, (PALETTE[4], PALETTE[0], PALETTE[1], FAINT), strict=True))
_MOST_LABELS = 40
_MOST_STEPS = 20
_WIDTH = 0.85


def attention_mass(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> Picture:
    """Draws where all of the cross-attention went: to the start of text, the prompt's tokens, the first end, padding.

    Above, a stacked bar a layer in the network's order ("up 1.0" is up_blocks.1.attentions.0), mean over the steps;
    beneath, a bar a step, mean over the layers. A segment's height is a share of attention (axis from 0 to 1,
    averaged over pixels and heads): start light blue, words dark blue, end orange, padding grey, from the bottom;
    the four add up to 1. Over each bar stands the words' share, where there is room. The legend gives the mean
    shares. UNets of Stable Diffusion get no mask, so padding is really looked at.

    Args:
        role, steps, layers, heads: As `attention_mass` of the analysis takes them.

    Raises:
        TraceError: What was asked for was not recorded; or there is no prompt to tell the kinds by.
    """
    mass = mass_of(trace, role=role, steps=steps, layers=layers, heads=heads)
    by_layer, by_step = (np.nanmean(mass.shares, axis=axis) for axis in (1, 0))
    short = short_layers(mass.layers)
    selection = select(trace, role=role, steps=steps, layers=layers, heads=heads)
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 5.2), layout="constrained")
        figure.suptitle(f"{run_title(trace)}\n{selection_title(trace, selection)}", fontsize=9)
        above, below = figure.subplots(2, 1, height_ratios=(1.3, 1))
        _stack(above, by_layer, [short[name] for name in mass.layers], _MOST_LABELS)
        _stack(below, by_step, [str(step) for step in mass.steps], _MOST_STEPS)
        above.tick_params(axis="x", rotation=90)
        above.set_xlabel("layer")
        below.set_xlabel("step")
        mean = mass.mean
        named = [f"{kind} {mean[kind]:.1%}" for kind in KINDS]
        figure.legend(above.collections, named, loc="outside lower center", ncols=len(KINDS), frameon=False)
    most, least = (by_layer[:, 1].argmax(), by_layer[:, 1].argmin())
    extremes = (
        f" The words get most in {short[mass.layers[most]]} ({by_layer[most, 1]:.1%}), least in "
        f"{short[mass.layers[least]]} ({by_layer[least, 1]:.1%})."
    ) * bool(by_layer[most, 1])
    asked = {"role": role, "steps": steps, "layers": layers, "heads": heads}
    return Picture(
        figure=figure,
        data={"shares": mass.shares, "by_layer": by_layer, "by_step": by_step, "steps": np.array(mass.steps)},
        alt=f"Where the cross-attention of {role} went for {in_words(trace)}: {', '.join(named)}.{extremes}",
        call=line_of_code(
            "attention_mass",
            f"trace{options(asked, {'role': 'cond', 'steps': None, 'layers': None, 'heads': None})}",
            trace,
        ),
    )


def _stack(ax: Axes, shares: np.ndarray, names: list[str], most: int) -> None:
    """A bar a row of `shares`, its kinds stacked; `most` of them named."""
    places, tops = np.arange(len(shares)), np.cumsum(shares, axis=1)
    left, right = places - _WIDTH / 2, places + _WIDTH / 2
    for kind, low, top in zip(KINDS, (tops - shares).T, tops.T, strict=True):
        corners = np.array([[left, low], [left, top], [right, top], [right, low]]).transpose(2, 0, 1)
        ax.add_collection(PolyCollection(list(corners), facecolor=_COLOURS[kind], linewidth=0), autolim=False)
    every = max(1, -(-len(names) // most))
    ax.set_xticks(range(0, len(names), every), [drawable(name) for name in names[::every]], fontsize=7.5)
    if len(shares) <= _MOST_LABELS:
        for place, share in enumerate(shares[:, KINDS.index("words")]):
            ax.text(place, 1.01, f"{share:.1%}", ha="center", va="bottom", fontsize=6, color=_COLOURS["words"])
    ax.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, 1), ylabel="share of attention")
