"""Where attention goes as a whole."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from ..analysis.attention_mass import KINDS, REST, mass_of
from ..analysis.selection import Heads, Layers, Selection
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import column
from ..figures.many_texts import Written
from ..figures.picture import Picture
from ..figures.reusable_figure import drawn_on
from ..figures.titles import run_title, selection_title, short_layers
from ..trace.trace import Steps, Trace
from .made_from import made_from

_COLOURS = dict(zip((*KINDS, REST), (PALETTE[4], PALETTE[0], PALETTE[1], FAINT, PALETTE[2]), strict=True))
_MOST_SHARES = 22  # side by side over the bars
_MOST_UPRIGHT, _MOST_NAMES = 40, 20  # beneath them
_SHORT = 3  # letters that stand side by side
_WIDTH = 0.85


@made_from("trace")
def attention_mass(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> Picture:
    """Draws where all of the cross-attention went: to the start of text, the prompt's tokens, the first end, padding.

    Above, a stacked bar a layer in the network's order ("up 1.0" is up_blocks.1.attentions.0), mean over the steps;
    beneath, a bar a step, mean over the layers. A segment's height is a share of attention (axis from 0 to 1,
    averaged over pixels and heads): start light blue, words dark blue, end orange, padding grey, from the bottom;
    they add up to 1. Where words and picture share one softmax (SD 3, FLUX), green is the rest: the picture's own
    tokens, and padding that has no column. Over each bar stands the words' share, where there is room. The legend gives
    the mean shares. UNets of Stable Diffusion get no mask, so padding is really looked at.

    Args:
        role, steps, layers, heads: As `attention_mass` of the analysis takes them.

    Raises:
        TraceError: What was asked for was not recorded; or there is no prompt to tell the kinds by.
    """
    selection = Selection(role, steps, layers, heads)
    mass, read = mass_of(trace, selection), selection.of(trace)
    by_layer, by_step = (_mean(mass.shares, axis) for axis in (1, 0))
    short = short_layers(mass.layers)
    with drawn_on((Bars, column(), *mass.kinds), _figure) as (figure, (above, below)):
        figure.suptitle(f"{run_title(trace)}\n{selection_title(trace, read)}", fontsize=9)
        above.stack("layer", by_layer, [short[name] for name in mass.layers], mass.kinds)
        below.stack("step", by_step, [str(step) for step in mass.steps], mass.kinds)
        mean = mass.mean
        named = [f"{kind} {said(mean[kind], '.1%')}" for kind in mass.kinds]
        figure.legend(above.collections, named, loc="outside lower center", ncols=len(mass.kinds), frameon=False)
    words = by_layer[:, mass.kinds.index("words")]
    seen = np.isfinite(words)
    most, least = (np.where(seen, words, -1.0).argmax(), np.where(seen, words, 2.0).argmin())
    extremes = (
        f" The words get most in {short[mass.layers[most]]} ({words[most]:.1%}), least in "
        f"{short[mass.layers[least]]} ({words[least]:.1%})."
    ) * bool(seen.any() and words[most])
    return Picture(
        figure=figure,
        data={"shares": mass.shares, "by_layer": by_layer, "by_step": by_step, "steps": np.array(mass.steps)},
        alt=f"Where the {read.kind} of {role} went for {in_words(trace)}: {', '.join(named)}.{extremes}",
        call=line_of_code("attention_mass", f"trace{options(selection.given)}", trace),
    )


def _mean(shares: np.ndarray, axis: int) -> np.ndarray:
    """The mean over what was recorded; NaN where nothing was."""
    empty = np.isnan(shares).all(axis=axis)
    means = np.nanmean(np.where(np.expand_dims(empty, axis), 0.0, shares), axis=axis)
    return np.where(empty, np.nan, means)


def _figure() -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(column().inches, 5.2), layout="constrained")
    return figure, figure.subplots(2, 1, height_ratios=(1.3, 1), subplot_kw={"axes_class": Bars})


class Bars(Axes):
    """Stacked bars with their names beneath and the words' share over each; drawing again moves the same bars."""

    bare, left = True, False
    _names: Written | None = None

    def start_again(self) -> None:
        """Does nothing: the next `stack` moves what is there."""

    def stack(self, what: str, shares: np.ndarray, names: list[str], kinds: tuple[str, ...]) -> None:
        """A bar a row of `shares`, its kinds stacked; as many of them named as there is room for."""
        if self._names is None:
            self._bars = [PolyCollection([], facecolor=_COLOURS[kind], linewidth=0) for kind in kinds]
            for bars in self._bars:
                self.add_collection(bars, autolim=False)
            self._names = Written(self, -0.03, side="below", fontsize=7.5)
            self._words = Written(self, 1.02, side="above", fontsize=6, color=_COLOURS["words"])
            self.set(ylim=(0, 1), xticks=(), yticks=(0, 0.5, 1))
        places, tops = np.arange(float(len(shares))), np.cumsum(shares, axis=1)
        left, right = places - _WIDTH / 2, places + _WIDTH / 2
        for bars, low, top in zip(self._bars, (tops - shares).T, tops.T, strict=True):
            corners = np.array([[left, low], [left, top], [right, top], [right, low]]).transpose(2, 0, 1)
            bars.set_verts(list(corners))
        upright = max(map(len, names)) > _SHORT
        every = max(1, -(-len(names) // (_MOST_UPRIGHT if upright else _MOST_NAMES)))
        self._names.write(places[::every].tolist(), names[::every], upright=upright)
        room = len(shares) <= _MOST_SHARES
        words = [f"{share:.1%}" for share in shares[:, kinds.index("words")]] if room else []
        self._words.write(places[: len(words)].tolist(), words)
        self.set(xlim=(-0.6, len(shares) - 0.4), ylabel=f"share of attention\nby {what}")
