"""What each word has to do with a region of the picture, by one method or by several side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import said
from ..figures.captions import with_details
from ..figures.code_lines import CodeLine, options
from ..figures.colours import PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.not_numbers import top_of
from ..figures.panels import Panel
from ..figures.picture import Picture, drawable, style
from ..records.attribution import METHODS, Attribution
from ._region import dimmed_outside
from .made_from import made_from

_COLOURS = dict(zip(METHODS, (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[4]), strict=True))
_AFTER = 1.3  # the room for numbers behind bars


@made_from("pipeline", "trace", "mask", calls=["attribution"])
def attribution(found: Attribution, *others: Attribution) -> Picture:
    """Draws what the words have to do with a region: the region at the left, a panel of bars for each method.

    A row is a word, in the order of the first attribution, its highest score on top. A bar is the score, with its value
    behind it; each panel has its own unit and its own axis from 0, since scores of two methods are no numbers of one
    kind: compare the orders. Beneath a panel stands the score of all other columns together (start, end, padding, other
    words), where the method has one. The caption says what each method asks, and so why they may disagree.

    Args:
        found: What `sdx.attribution(pipe, trace, …)` returns.
        others: Further ones of the same words, region and trace: by other methods, or at other steps.

    Raises:
        TraceError: They are of different traces, words or regions.
    """
    every = (found, *others)
    _check_alike(every)
    order = found.ranking
    columns = len(every)
    with style():
        high = 1.5 + max(2.0, 0.3 * len(order))
        figure = Figure(figsize=(max(BLOG_COLUMN, 2.6 + 1.75 * columns), high), layout="constrained")
        figure.suptitle(f"“{drawable(found.prompt, 80)}”\n{_where(every)}", fontsize=9)
        grid = figure.add_gridspec(1, columns + 1, width_ratios=(1.5, *[1.0] * columns))
        _region(figure.add_subplot(grid[0], axes_class=Panel), found)
        names = [drawable(found.words[i], 20) for i in order]
        for number, one in enumerate(every):
            ax = figure.add_subplot(grid[number + 1])
            _bars(ax, one, order, names if number == 0 else None, told=_told(one, every))
    orders = "; ".join(f"by {_told(one, every)} {_ordered(one)}" for one in every)
    meant = ". ".join(f"{one.method[0].upper()}{one.method[1:]}: {one.definition}" for one in _first_of_each(every))
    return Picture(
        figure=figure,
        data={f"{one.method}, step {one.step}, last {one.last}": one.scores[list(order)] for one in every},
        alt=with_details(
            f"What the words of {clip(found.prompt, 150)!r} have to do with {_region_in_words(found)}, "
            f"{_steps(every)}, each method in its own unit. {meant}",
            orders,
        ),
        call=_line(every),
    )


def _check_alike(every: Sequence[Attribution]) -> None:
    first = every[0]
    for one in every[1:]:
        if one.fingerprint != first.fingerprint:
            raise TraceError(
                f"views.attribution: one attribution is of trace {first.fingerprint}, another of {one.fingerprint}; "
                "draw each by itself"
            )
        if one.words != first.words:
            raise TraceError(
                f"views.attribution: one attribution is of the words {list(first.words)}, another of "
                f"{list(one.words)}; ask both about the same words"
            )
        if not np.array_equal(one.weights, first.weights):
            raise TraceError("views.attribution: the attributions are of different regions; draw each by itself")


def _region(ax: Axes, found: Attribution) -> None:
    region = found.region if found.region is not None else np.ones(found.weights.shape, bool)
    mask = found.weights if not isinstance(region, np.ndarray) else region.astype(np.float32)
    dimmed_outside(ax, found.image, region, mask)
    ax.set_xlabel("the whole picture" if found.region is None else f"region: {found.area:.1%}", fontsize=8)


def _bars(ax: Axes, one: Attribution, order: Sequence[int], names: list[str] | None, *, told: str) -> None:
    values = np.nan_to_num(one.scores[list(order)], posinf=0.0)
    drawn = ax.barh(range(len(order)), values, height=0.7, color=_COLOURS[one.method])
    texts = [f"{score:.2g}" if np.isfinite(score) else "–" for score in one.scores[list(order)]]
    ax.bar_label(drawn, texts, padding=2, fontsize=7)
    ax.set_yticks(range(len(order)), names or [""] * len(order), fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, _AFTER * (top_of(one.scores) or 1.0))
    ax.tick_params(axis="x", labelsize=6.5)
    ax.locator_params(axis="x", nbins=3)
    behind = "" if np.isnan(one.others) else f"\nall other columns: {said(one.others, '.2g')}"
    ax.set_xlabel(f"{one.unit}{behind}", fontsize=7)
    ax.set_title(told, fontsize=8.5)


def _told(one: Attribution, every: Sequence[Attribution]) -> str:
    """The method, and what else tells it from the others."""
    more = []
    if len({other.step for other in every}) > 1:
        more.append(f"step {one.step}")
    if one.last > 1:
        more.append(f"through {one.last} calls")
    return ", ".join((one.method, *more))


def _where(every: Sequence[Attribution]) -> str:
    return f"{_steps(every)}, at the latents of one run"


def _steps(every: Sequence[Attribution]) -> str:
    steps = dict.fromkeys((one.step, one.timestep) for one in every)
    if len(steps) > 1:
        return f"steps {', '.join(str(step) for step, _ in steps)}"
    ((step, t),) = steps
    return f"step {step} (t {t:.0f})"


def _region_in_words(found: Attribution) -> str:
    return "the whole picture" if found.region is None else f"a region of {found.area:.1%} of the picture"


def _ordered(one: Attribution) -> str:
    return ", ".join(f"{clip(one.words[i], 40)} {said(one.scores[i])}" for i in one.ranking[:6])


def _first_of_each(every: Sequence[Attribution]) -> list[Attribution]:
    return list({(one.method, one.last): one for one in reversed(every)}.values())[::-1]


def _line(every: Sequence[Attribution]) -> CodeLine:
    made = []
    for one in every:
        words = "" if one.asked is None else f", {list(one.asked)!r}"
        masked = isinstance(one.region, np.ndarray)
        region = "" if one.region is None else f", region={'mask' if masked else repr(one.region)}"
        rest = options({"step": one.step, "last": one.last, "method": one.method}, {"last": 1})
        made.append(f"sdx.attribution(pipe, trace{words}{region}{rest})")
    first = every[0]
    return CodeLine(
        f"sdx.views.attribution({', '.join(made)})  # trace {first.fingerprint}",
        [first.run] if first.run else [],
        given={"mask": first.region} if isinstance(first.region, np.ndarray) else {},
    )
