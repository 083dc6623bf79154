"""How long a text encoder makes the vectors of a prompt's tokens, layer by layer."""

from collections.abc import Sequence
from itertools import cycle
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from ..figures.colours import PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.names import quoted
from ..figures.not_numbers import finite
from ..figures.picture import Picture, style
from ..records.text_encoding import TextEncoding
from ..strings.wording import wording
from ._text_encoding import PADDING, call_of, name_of, padded, title_of
from .made_from import made_from

_SIZE, _PITCH = 8.5, 0.15  # points; inches from label to label
_SPECIAL: Final = {"start": ("black", "-"), "end": ("black", "--"), "padding": ("#8a8a8a", ":")}
_WORDS: Final = tuple(PALETTE[number] for number in (0, 5, 2, 3, 4, 1))  # without black, and yellow, which is too light


@made_from("pipeline", calls=["text_encoding"])
def text_norms(encoding: TextEncoding, padding: int = PADDING) -> Picture:
    """Draws how long each token's hidden state is after every layer of the text encoder.

    A line a token: Euclidean length (logarithmic axis) over layers, 0 for the embeddings. Its name, with its position,
    stands at its end, in its colour: six colours in turn for the prompt's tokens, black for the start, black dashes
    for the end, grey dots for the first of the padding.

    Args:
        encoding: One of `sdx.text_encoding(pipe, prompt)`.
        padding: How many of the padding tokens.
    """
    shown = list(encoding.shown_positions(padding))
    norms = encoding.norms[:, shown]
    colours = cycle(_WORDS)
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, max(3.6, _PITCH * len(shown) + 1.3)), layout="constrained")
        figure.suptitle(title_of(encoding), fontsize=9)
        ax = figure.subplots()
        looks = []
        for column, position in enumerate(shown):
            colour, dash = _SPECIAL.get(encoding.tokens.tokens[position].kind) or (next(colours), "-")
            name = f"{position}: {name_of(encoding, position)}"
            ax.plot(finite(norms[:, column]), color=colour, linestyle=dash, linewidth=1.4)
            looks.append((name, colour))
        ax.set(
            yscale="log",
            xlabel=wording("text_norms.layer"),
            ylabel=wording("text_norms.length"),
            xlim=(0, len(norms) - 1),
        )
        ax.set_xticks(range(0, len(norms), max(1, len(norms) // 12)))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        _label(ax, norms[-1], looks, figure.get_size_inches()[1] - 1.1)
    longest = int(np.where(np.isfinite(norms[-1]), norms[-1], -1.0).argmax())
    return Picture(
        figure=figure,
        data={"norms": norms, "positions": np.array(shown)},
        alt=wording(
            "text_norms.alt",
            prompt=quoted(encoding.tokens.text),
            encoder=encoding.encoder,
            first=_between(norms[0]),
            last=_between(norms[-1]),
            longest=name_of(encoding, shown[longest]),
        ),
        caption=wording("text_norms.caption", encoder=encoding.encoder),
        call=call_of("text_norms", encoding, None, (), padded(padding)),
    )


def _label(ax: Axes, ends: np.ndarray, looks: Sequence[tuple[str, str]], high: float) -> None:
    """Names beside the ends of lines, moved apart where they would touch, each joined to its line.

    Args:
        high: Inches of the axes.
    """
    low, top = np.log(ax.get_ylim())
    known = np.isfinite(ends) & (ends > 0)
    wanted = np.where(known, (np.log(np.where(known, ends, 1.0)) - low) / (top - low), 0.0)
    for place, want, (name, colour) in zip(_apart(wanted, _PITCH / high), wanted, looks, strict=True):
        ax.annotate(
            name,
            (1.0, want),
            (1.06, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            fontsize=_SIZE,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0.0, 0.5),
            },
            annotation_clip=False,
        )


def _apart(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Places near those that are wanted, in their order, at least `gap` from each other."""
    order = np.argsort(wanted, kind="stable")
    placed = wanted[order].astype(float)
    steps = gap * np.arange(len(placed))
    # Runs of labels that touch are centred on what they want: isotonic regression by pooling neighbours.
    pools: list[list[float]] = []
    for value in placed - steps:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) >= np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    found = np.empty_like(placed)
    found[order] = np.clip(level, 0.0, max(0.0, 1.0 - steps[-1])) + steps
    return found


def _between(values: np.ndarray) -> str:
    """The least and the greatest finite number."""
    finite_ones = values[np.isfinite(values)]
    return f"{finite_ones.min():.3g}–{finite_ones.max():.3g}" if finite_ones.size else wording("number.none")
