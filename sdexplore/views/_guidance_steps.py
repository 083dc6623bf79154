"""Guidance step by step: how far apart its two halves are, and how they are combined."""

from operator import index
from typing import SupportsIndex

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.guidance import guidance_steps as steps_of
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.columns import SMALL, column
from ..figures.labels import colour_bar
from ..figures.not_numbers import finite, top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.titles import MOST_STEPS, run_title, step_title
from ..strings.wording import counted, listed, wording
from ..trace.one_frame import one_frame, shown_frame
from ..trace.record import spread
from ..trace.trace import Trace
from .made_from import made_from


@made_from("trace")
def guidance_steps(trace: Trace, *, frame: SupportsIndex | None = None) -> Picture:
    """Draws what guidance did at every step: where the halves differ, by how much, and the result of combining them.

    Top row: at up to eight steps the root mean square over channels of ε_c − ε_u, one square a latent pixel, all on one
    scale from 0, printed at the colour bar. Beneath, over the steps that had both halves (numbers run over all channels
    and pixels of a step): the share ‖ε_c − ε_u‖ / ‖ε_c‖; the angle between ε_c and ε_u in degrees; and the standard
    deviation of the guided ε over that of ε_c, before `guidance_rescale` (circles) and after it (crosses; 1 is the
    dashed line, where full rescaling brings it). Of a video the numbers run over all frames, too.

    Args:
        frame: Of a video, which frame of the latents the top row shows; negative ones count from the end. None: the
            middle one.

    Raises:
        TraceError: The run had no guidance, or the trace does not say by how much; the frame is beyond the video.

    Source: Ho & Salimans 2022, Eq. 6; Lin et al. 2023, Eqs. 15 and 16.
    """
    whole, trace = trace, one_frame(trace, frame)
    found, shown = steps_of(whole), shown_frame(trace)
    differences = found.difference if shown is None else found.difference[:, shown.number]
    rows = spread(tuple(range(len(found.steps))), MOST_STEPS)
    reach = top_of(differences[list(rows)]) or 1.0
    y, x = differences.shape[1:]
    wide = column().inches
    high = wide / max(len(rows), 4) * y / x
    with style():
        figure = Figure(figsize=(wide, high + 3.6), layout="constrained")
        scales = _scales(found.guidance_scale, found.guidance_rescale)
        figure.suptitle(listed((run_title(trace), *scales)), fontsize=9)
        upper, lower = figure.subfigures(2, 1, height_ratios=(high + 0.7, 2.6), squeeze=False)[:, 0]
        maps = panel_grid(upper, 1, len(rows))[0]
        for ax, row in zip(maps, rows, strict=True):
            drawn = ax.imshow(differences[row], cmap=SEQUENTIAL, vmin=0.0, vmax=reach)
            ax.set_title(step_title(trace, found.steps[row]), fontsize=SMALL)
        maps[0].set_ylabel("|ε_c − ε_u|", fontsize=SMALL)
        colour_bar(upper, drawn, list(maps), label="RMS", pad=0.01, shrink=0.9)
        share, angle, width = lower.subplots(1, 3)
        _curve(share, found.steps, found.ratio, "‖ε_c − ε_u‖ / ‖ε_c‖")
        _curve(angle, found.steps, _degrees(found.cosine), wording("guidance_steps.angle"))
        _curve(width, found.steps, found.spread, wording("guidance_steps.spread"), ceiling=top_of(found.spread))
        width.plot(found.steps, finite(found.spread_after), "x", color=PALETTE[5], ms=5)
        names = [wording("guidance_steps.before"), wording("guidance_steps.after")]
        width.legend(width.lines[:2], names, fontsize=SMALL, frameon=False)
        width.axhline(1.0, color="#888888", lw=0.8, ls="--")
    given = {} if frame is None else {"frame": index(frame)}
    return Picture(
        figure=figure,
        data={
            "difference": differences[list(rows)],
            "steps": np.array(found.steps),
            "ratio": found.ratio,
            "angle": _degrees(found.cosine),
            "spread": found.spread,
            "spread_after": found.spread_after,
        },
        alt=wording(
            "guidance_steps.alt",
            prompt=in_words(trace),
            steps=counted(len(found.steps), "step"),
            first=said(found.ratio[0], ".2g"),
            last=said(found.ratio[-1], ".2g"),
            spread=f"{top_of(found.spread):.3g}",
        ),
        caption=wording("guidance_steps.caption"),
        call=line_of_code("guidance_steps", f"trace{options(given)}", whole),
    )


def _curve(ax: Axes, steps: tuple[int, ...], values: np.ndarray, title: str, *, ceiling: float | None = None) -> None:
    ax.plot(steps, finite(values), "o-", color=PALETTE[0], ms=3, lw=1)
    ax.set_title(title, fontsize=SMALL, loc="left")
    ax.set_xlabel(wording("axis.step"), fontsize=SMALL)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if ceiling is None:
        ax.set_ylim(bottom=0.0)


def _degrees(cosine: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _scales(scale: np.ndarray, rescale: np.ndarray) -> list[str]:
    said = (
        f"guidance_scale {scale[0]:.3g}"
        if np.ptp(scale) == 0
        else f"guidance_scale {scale.min():.3g}–{scale.max():.3g}"
    )
    return [said, *[f"guidance_rescale {rescale.max():.3g}"] * bool(rescale.any())]
