"""What each word has to do with a region of the picture, by one method or by several side by side."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import said
from ..figures.code_lines import CodeLine, options
from ..figures.colours import PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import quoted, steps_named
from ..figures.not_numbers import top_of
from ..figures.panels import Panel
from ..figures.picture import Picture, style
from ..records.attribution import METHODS, Attribution
from ..strings.wording import listed, wording
from ._region import dimmed_outside
from .made_from import made_from

_COLOURS = dict(zip(METHODS, (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[4]), strict=True))
_AFTER = 1.6  # the room for numbers behind bars
_COLUMNS = 3  # panels in a row


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
        rows = ceil((columns + 1) / _COLUMNS)
        high = 0.6 + rows * (0.9 + max(1.8, 0.26 * len(order)))
        figure = Figure(figsize=(BLOG_COLUMN, high), layout="constrained")
        title = wording("attribution.title", prompt=drawable(found.prompt, 80), steps=_steps(every))
        figure.suptitle(title, fontsize=9)
        grid = figure.add_gridspec(rows, min(_COLUMNS, columns + 1))
        places = [(place // _COLUMNS, place % _COLUMNS) for place in range(columns + 1)]
        _region(figure.add_subplot(grid[places[0]], axes_class=Panel), found)
        names = [drawable(found.words[i], 20) for i in order]
        for number, (one, place) in enumerate(zip(every, places[1:], strict=True)):
            ax = figure.add_subplot(grid[place])
            first = number == 0 or place[1] == 0  # of its row
            _bars(ax, one, order, names if first else None, told=_told(one, every))
    kinds = _first_of_each(every)
    return Picture(
        figure=figure,
        data={f"{one.method}, step {one.step}, last {one.last}": one.scores[list(order)] for one in every},
        alt=wording(
            "attribution.alt",
            prompt=quoted(found.prompt, 150),
            region=_region_in_words(found),
            steps=_steps(every),
            orders=wording("list.semicolon").join(
                wording("attribution.order", method=_told(one, every), words=_ordered(one)) for one in every
            ),
        ),
        caption=wording(
            f"attribution.caption.{'one' if len(kinds) == 1 else 'several'}",
            region=_region_in_words(found),
            meant=_definition(found) if len(kinds) == 1 else wording("list.semicolon").join(map(_meant, kinds)),
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
    whole = found.region is None
    area = f"{found.area:.1%}"
    ax.set_xlabel(wording("attribution.whole") if whole else wording("region.area", area=area), fontsize=9)


def _bars(ax: Axes, one: Attribution, order: Sequence[int], names: list[str] | None, *, told: str) -> None:
    values = np.nan_to_num(one.scores[list(order)], posinf=0.0)
    drawn = ax.barh(range(len(order)), values, height=0.7, color=_COLOURS[one.method])
    texts = [f"{score:.2g}" if np.isfinite(score) else "–" for score in one.scores[list(order)]]
    ax.bar_label(drawn, texts, padding=2, fontsize=9)
    ax.set_yticks(range(len(order)), names or [""] * len(order), fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, _AFTER * (top_of(one.scores) or 1.0))
    ax.tick_params(axis="x", labelsize=9)
    ax.locator_params(axis="x", nbins=3)
    behind = "" if np.isnan(one.others) else wording("attribution.others", score=said(one.others, ".2g"))
    ax.set_xlabel("\n".join(filter(None, (wording(f"attribution.unit.{one.method}"), behind))), fontsize=9)
    ax.set_title(told, fontsize=9)


def _told(one: Attribution, every: Sequence[Attribution]) -> str:
    """The method, and what else tells it from the others."""
    more = []
    if len({other.step for other in every}) > 1:
        more.append(steps_named([one.step]))
    if one.last > 1:
        more.append(wording("attribution.through", calls=one.last))
    return listed((one.method, *more))


def _steps(every: Sequence[Attribution]) -> str:
    steps = dict.fromkeys((one.step, one.timestep) for one in every)
    if len(steps) > 1:
        return steps_named([step for step, _ in steps])
    ((step, t),) = steps
    return wording("attribution.step", step=step, t=f"{t:.0f}")


def _region_in_words(found: Attribution) -> str:
    return wording(f"attribution.of.{'whole' if found.region is None else 'region'}", area=f"{found.area:.1%}")


def _ordered(one: Attribution) -> str:
    return listed(f"{clip(one.words[i], 40)} {said(one.scores[i])}" for i in one.ranking[:6])


def _meant(one: Attribution) -> str:
    return wording("attribution.meant", method=one.method, definition=_definition(one))


def _definition(one: Attribution) -> str:
    """What a method's score is, as part of a sentence."""
    definition = wording(f"attribution.definition.{one.method}")
    return definition if one.last == 1 else wording("attribution.followed", definition=definition, calls=one.last)


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
