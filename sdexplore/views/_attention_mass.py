"""Where attention goes as a whole."""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ..analysis.attention_mass import KINDS, REST, AttentionMass, mass_of
from ..analysis.selection import Heads, Layers, Selection
from ..base.data_order import data_order, in_data_order
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import column
from ..figures.many_texts import Written
from ..figures.names import attention_name, role_name
from ..figures.picture import Picture
from ..figures.reusable_figure import drawn_on
from ..figures.titles import run_title, selection_title, short_layers
from ..strings.wording import listed, wording
from ..trace.trace import Steps, Trace
from .made_from import made_from

_COLOURS = dict(zip((*KINDS, REST), (PALETTE[4], PALETTE[0], PALETTE[1], FAINT, PALETTE[2]), strict=True))
_MOST_SHARES = 18  # side by side over the bars
_MOST_UPRIGHT, _MOST_NAMES = 34, 20  # beneath them
_SHORT = 3  # letters that stand side by side
_WIDTH = 0.85
_LINE = 0.11  # of the height of the axes: from one row of numbers to the next
_FULL = 0.9  # from this share on the axis goes to 1


@made_from("trace")
def attention_mass(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> Picture:
    """Draws where all of the cross-attention went: to the start of text, the prompt's tokens, the first end, padding.

    Above, a stacked bar a layer in the order of the data ("up 1.0" is up_blocks.1.attentions.0), mean over the steps;
    beneath, a bar a step, mean over the layers. A segment's height is a share of attention, averaged over pixels and
    heads: words dark blue at the bottom, so that their bars compare; on them start light blue, end orange, padding
    grey. Where words and picture share one softmax (SD 3, FLUX), green is the rest: the picture's own tokens, and
    padding that has no column. The kind that takes most, often the padding, has no bar, or the words' could not be
    seen: its share stands over each bar in percent, and beneath it that of the words, where there is room. With it
    they add up to 1. Both axes go from 0 to the highest bar. The legend gives the mean shares. UNets of Stable
    Diffusion get no mask, so padding is really looked at.

    Args:
        role, steps, layers, heads: As `attention_mass` of the analysis takes them.

    Raises:
        TraceError: What was asked for was not recorded; or there is no prompt to tell the kinds by.
    """
    selection = Selection(role, steps, layers, heads)
    mass, read = mass_of(trace, selection), selection.of(trace)
    mass = replace(mass, layers=tuple(in_data_order(mass.layers)), shares=mass.shares[data_order(mass.layers)])
    by_layer, by_step = (_mean(mass.shares, axis) for axis in (1, 0))
    short, mean = short_layers(mass.layers), mass.mean
    shown, number = _shown(mass)
    places = [mass.kinds.index(kind) for kind in (*shown, *[number] * bool(number))]
    bars = places[: len(shown)]
    highest = np.nanmax([np.nansum(shares[:, bars], axis=1).max() for shares in (by_layer, by_step)])
    with drawn_on((Bars, column(), shown, number), _figure) as (figure, (above, below)):
        figure.suptitle(f"{run_title(trace)}\n{selection_title(trace, read)}", fontsize=9)
        by = (("layer", by_layer, [short[name] for name in mass.layers]), ("step", by_step, list(map(str, mass.steps))))
        for ax, (what, shares, names) in zip((above, below), by, strict=True):
            ax.stack(shares[:, places], names, shown, number, float(highest))
            ax.set_ylabel(wording(f"attention_mass.by.{what}"))
        told = {kind: f"{wording(f'attention_mass.{kind}')} {said(mean[kind], '.1%')}" for kind in mass.kinds}
        named = [told[kind] for kind in shown]
        handles = list(above.collections)
        if number:
            named.append(wording("attention_mass.no_bar", share=told[number]))
            handles.append(Patch(facecolor="none"))
        figure.legend(handles, named, loc="outside lower center", ncols=len(named), frameon=False)
    return Picture(
        figure=figure,
        data={"shares": mass.shares, "by_layer": by_layer, "by_step": by_step, "steps": np.array(mass.steps)},
        alt=wording(
            "attention_mass.alt",
            attention=attention_name(read),
            role=role_name(role),
            prompt=in_words(trace),
            shares=listed(told.values()),
            extremes=_extremes(by_layer[:, mass.kinds.index("words")], [short[name] for name in mass.layers]),
        ),
        caption=wording(
            f"attention_mass.caption.{'number' if number else 'all'}",
            attention=attention_name(read),
            most=wording(f"attention_mass.{number or 'words'}"),
            share=said(mean[number or "words"], ".0%"),
            words=said(mean["words"], ".1%"),
        ),
        call=line_of_code("attention_mass", f"trace{options(selection.given)}", trace),
    )


def _shown(mass: AttentionMass) -> tuple[tuple[str, ...], str]:
    """The kinds that have bars, the words first; and the one that takes most and is a number: "" where words do."""
    mean = {kind: share if np.isfinite(share) else 0.0 for kind, share in mass.mean.items()}
    most = max(mean, key=lambda kind: mean[kind])
    others = [kind for kind in mass.kinds if kind not in ("words", most)]
    return ("words", *others), "" if most == "words" else most


def _extremes(words: np.ndarray, names: list[str]) -> str:
    """Which layer gives the words most and which least, in words; "" where none does."""
    seen = np.isfinite(words)
    most, least = int(np.where(seen, words, -1.0).argmax()), int(np.where(seen, words, 2.0).argmin())
    if not (seen.any() and words[most]):
        return ""
    found = {"most": names[most], "least": names[least]}
    return wording("attention_mass.extremes", **found, high=f"{words[most]:.1%}", low=f"{words[least]:.1%}")


def _mean(shares: np.ndarray, axis: int) -> np.ndarray:
    """The mean over what was recorded; NaN where nothing was."""
    empty = np.isnan(shares).all(axis=axis)
    means = np.nanmean(np.where(np.expand_dims(empty, axis), 0.0, shares), axis=axis)
    return np.where(empty, np.nan, means)


def _figure() -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(column().inches, 5.6), layout="constrained")
    return figure, figure.subplots(2, 1, height_ratios=(1.3, 1), subplot_kw={"axes_class": Bars})


class Bars(Axes):
    """Stacked bars with their names beneath and shares over each; drawing again moves the same bars."""

    bare, left = True, False
    _names: Written | None = None

    def start_again(self) -> None:
        """Does nothing: the next `stack` moves what is there."""

    def stack(self, shares: np.ndarray, names: list[str], kinds: tuple[str, ...], number: str, highest: float) -> None:
        """A bar a row of `shares`, its kinds stacked; as many of them named as there is room for.

        Args:
            shares: A column a kind, the words' first; then that of `number`, if there is one.
            number: The kind whose share is written over the bars alone; "" for none.
            highest: The highest bar of all axes.
        """
        if self._names is None:
            self._bars = [PolyCollection([], facecolor=_COLOURS[kind], linewidth=0) for kind in kinds]
            for bars in self._bars:
                self.add_collection(bars, autolim=False)
            self._names = Written(self, -0.03, side="below", fontsize=9)
            heights = [1.02 + _LINE * row for row in range(1 + bool(number))]
            self._over = [Written(self, height, side="above", fontsize=9) for height in heights]
            place: dict[str, Any] = {
                "ha": "right",
                "va": "bottom",
                "fontsize": 9,
                "transform": self.transAxes,
                "clip_on": False,
            }
            self._heads = [Text(-0.01, height, "", **place) for height in heights]
            for head in self._heads:
                self.add_artist(head)
            self.set(xticks=())
        drawn = shares[:, : len(kinds)]
        places, tops = np.arange(float(len(shares))), np.cumsum(drawn, axis=1)
        left, right = places - _WIDTH / 2, places + _WIDTH / 2
        for bars, low, top in zip(self._bars, (tops - drawn).T, tops.T, strict=True):
            corners = np.array([[left, low], [left, top], [right, top], [right, low]]).transpose(2, 0, 1)
            bars.set_verts(list(corners))
        upright = max(map(len, names)) > _SHORT
        every = max(1, -(-len(names) // (_MOST_UPRIGHT if upright else _MOST_NAMES)))
        self._names.write(places[::every].tolist(), names[::every], upright=upright)
        written = places.tolist() if len(shares) <= _MOST_SHARES else []
        for over, head, kind in zip(self._over, self._heads, ("words", number), strict=False):
            numbers = shares[: len(written), 0 if kind == "words" else -1]
            over.write(written, [f"{100 * share:.1f}" for share in numbers])
            head.set_text(wording("attention_mass.percent", kind=wording(f"attention_mass.{kind}")) if written else "")
        high = 1.0 if highest > _FULL or not highest else 1.05 * highest
        ticks = [tick for tick in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0.0, high) if tick <= high]
        self.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0.0, high))
        self.set_yticks(ticks, [f"{100 * tick:g}%" for tick in ticks])
