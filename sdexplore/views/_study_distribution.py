"""A measure of a study over a factor: every run, and the mean with its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..analysis.bootstrap import clustered_mean
from ..figures.colours import PALETTE
from ..figures.columns import column as column_of_figures
from ..figures.font_families import drawable
from ..figures.picture import Picture, style
from ..records.studied import Studied
from ..strings.wording import counted, listed, wording
from ._study import PROMPT, in_words, levels_of, line_of, numbers_of, short
from .made_from import made_from

_MOST = 16
_WIDE = 0.3  # of the space between two levels, over which runs are spread


@made_from("study")
def study_distribution(
    study: Studied,
    column: str,
    *,
    over: str,
    clusters: str = PROMPT,
    where: Mapping[str, Any] | None = None,
) -> Picture:
    """Draws a measure of each run over the levels of a factor: a faint dot a run, and each level's mean.

    Bars: the mean's 95 % interval by bootstrap over clusters, which are prompts: runs of one prompt are drawn together.
    A level with a single cluster has no interval, and the figure says so. Dots are spread sideways so that they are
    seen apart; that means nothing. Runs without a number are left out, and the title says how many.

    Args:
        study: A Study, or what `sdx.studies.read` opened.
        column: The measure's column, as in "word_map.peak".
        over: The column of the factor, as in "run.guidance_scale" or "seed"; up to 16 levels.
        clusters: The column whose runs belong together.
        where: Which rows, as `study.table` takes them.

    Raises:
        TraceError: There is no such column, or no number in it; the factor has too many levels.
    """
    view = "study_distribution"
    frame, left = numbers_of(study, column, [over, clusters], where, view)
    levels = levels_of(frame, over, _MOST, view)
    runs = counted(len(frame), "run")
    rng = np.random.default_rng(0)
    data, means = {}, {}
    with style():
        figure = Figure(figsize=(column_of_figures().inches, 3.4), layout="compressed")
        ax = figure.subplots()
        for place, level in enumerate(levels):
            rows = frame[frame[over] == level]
            values = rows[column].to_numpy(np.float64)
            name = in_words(level)
            data[name] = values
            means[name] = found = clustered_mean(values.tolist(), rows[clusters].tolist())
            ax.plot(place + rng.uniform(-_WIDE, _WIDE, len(values)), values, ".", color="#8c8c8c", ms=4, zorder=1)
            reach = [[found.mean - found.low], [found.high - found.mean]] if found.clusters > 1 else None
            ax.errorbar([place], [found.mean], yerr=reach, fmt="o", color=PALETTE[0], capsize=4, ms=6, zorder=2)
        ticks = [f"{short(level)}\n{counted(means[in_words(level)].values, 'run')}" for level in levels]
        ax.set_xticks(range(len(levels)), ticks)
        ax.set_xlim(-0.5, len(levels) - 0.5)
        ax.set(xlabel=drawable(over), ylabel=drawable(column))
        told = wording("study.title", study=study.identity, counted=runs)
        alone = not all(one.clusters > 1 for one in means.values())
        drawn = wording(f"study_distribution.{'alone' if alone else 'drawn'}", clusters=drawable(clusters))
        figure.suptitle("\n".join((listed(filter(None, (told, left))), drawn)), fontsize=9)
    given = {
        "over": over,
        **({"clusters": clusters} if clusters != PROMPT else {}),
        **({"where": where} if where else {}),
    }
    asked = {"column": column, "over": over, "study": study.identity, "runs": runs, "clusters": clusters}
    found_means = wording("list.semicolon").join(f"{name}: {found}" for name, found in means.items())
    alt = wording("study_distribution.alt", **asked, means=found_means)
    return Picture(
        figure=figure,
        data=data,
        alt=wording("study.alt.left", alt=alt, left=left) if left else alt,
        caption=wording("study_distribution.caption", column=column, over=over, clusters=clusters),
        call=line_of(view, study, len(frame), [column], given, frame[column].to_numpy(np.float64)),
    )
