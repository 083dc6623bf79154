"""Two levels of a factor in a study, run by run: all else is the same, so the difference is the factor's."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..analysis.bootstrap import clustered_mean
from ..base.errors import TraceError
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import column as column_of_figures
from ..figures.font_families import drawable
from ..figures.picture import Picture, style
from ..records.studied import Studied
from ..strings.wording import counted, listed, wording
from ._study import PROMPT, in_words, line_of, numbers_of
from .made_from import made_from

_BINS = 40
_TWO = 2


@made_from("study")
def study_pairs(
    study: Studied,
    column: str,
    *,
    over: str,
    levels: Sequence[Any],
    clusters: str = PROMPT,
    where: Mapping[str, Any] | None = None,
) -> Picture:
    """Draws the paired differences of a measure between two levels of a factor: how many pairs differ by how much.

    A pair is two runs that were asked for with the same arguments but for the factor. The line is their mean
    difference, second level less first, and the band its 95 % interval by bootstrap over clusters. Runs without a
    partner are left out, and the title says how many.

    Args:
        study: A Study, or what `sdx.studies.read` opened.
        column: The measure's column.
        over: The column of the factor: "seed", or one that begins with "run." or "about.".
        levels: Its two levels.
        clusters: The column whose runs belong together.
        where: Which rows, as `study.table` takes them.

    Raises:
        TraceError: There is no such column or level, or no pair; the factor is no argument.
    """
    view = "study_pairs"
    if len(levels) != _TWO:
        raise TraceError(f"{view}(levels={list(levels)!r}): a pair is of two levels, as in [1, 7.5]")
    frame, left = numbers_of(study, column, [over, clusters, "call"], where, view)
    sides = [frame[frame[over] == level] for level in levels]
    if empty := [level for level, side in zip(levels, sides, strict=True) if side.empty]:
        known = ", ".join(map(in_words, frame[over].dropna().unique()[:12]))
        raise TraceError(f"{view}(levels={list(levels)!r}): no run has {over} {empty[0]!r}; there is {known}")
    first, second = (
        {_rest(call, over): row for call, row in zip(side["call"], side.index, strict=True)} for side in sides
    )
    keys = [key for key in first if key in second]
    if not keys:
        raise TraceError(f"{view}(over={over!r}): no two runs are the same but for it")
    pairs = [frame.loc[[by[key] for key in keys]] for by in (first, second)]
    apart = pairs[1][column].to_numpy(np.float64) - pairs[0][column].to_numpy(np.float64)
    found = clustered_mean(apart.tolist(), pairs[0][clusters].tolist())
    names = [in_words(level) for level in levels]
    alone = len(sides[0]) + len(sides[1]) - _TWO * len(keys)
    partnerless = wording("study_pairs.alone", runs=counted(alone, "run")) if alone else ""
    lost = listed(filter(None, (left, partnerless)))
    with style():
        figure = Figure(figsize=(column_of_figures().inches, 3.2), layout="compressed")
        ax = figure.subplots()
        ax.hist(apart, bins=min(_BINS, max(5, len(apart) // 4)), color=FAINT)
        ax.axvline(0.0, color="#555555", lw=0.8, ls="--")
        ax.axvline(found.mean, color=PALETTE[0], lw=2)
        if found.clusters > 1:
            ax.axvspan(found.low, found.high, color=PALETTE[0], alpha=0.25, lw=0)
        what = wording("study_pairs.what", column=column, over=over, first=names[0], second=names[1])
        ax.set(xlabel=drawable(what, 120), ylabel=wording("study_pairs.pairs"))
        told = wording("study.title", study=study.identity, counted=counted(len(keys), "pair"))
        mean = wording("study_pairs.mean", mean=found)
        interval = wording("study_pairs.interval", clusters=drawable(clusters))
        figure.suptitle(f"{listed((told, mean))}\n{listed(filter(None, (interval, lost)))}", fontsize=9)
    given = {"over": over, "levels": list(levels), "clusters": clusters, "where": where}
    alt = wording(
        "study_pairs.alt",
        what=what,
        study=study.identity,
        pairs=counted(len(keys), "pair"),
        mean=found,
        clusters=clusters,
        above=f"{float((apart > 0).mean()):.0%}",
    )
    return Picture(
        figure=figure,
        data={"differences": apart, "mean": np.array([found.mean, found.low, found.high])},
        alt=wording("study.alt.left", alt=alt, left=lost) if lost else alt,
        caption=wording("study_pairs.caption", column=column, over=over),
        call=line_of(view, study, _TWO * len(keys), [column], given, apart),
    )


def _rest(call: str, over: str) -> str:
    """A run's arguments without the factor, as text."""
    told = json.loads(call)
    beginning, _, name = over.partition(".")
    place = {"run": "arguments", "about": "about"}.get(beginning)
    if over == "seed":
        told.pop("seed", None)
    elif place is None:
        raise TraceError(f"study_pairs(over={over!r}): a factor is 'seed', or a column 'run.…' or 'about.…'")
    else:
        told.get(place, {}).pop(name, None)
    return json.dumps(told, sort_keys=True)
