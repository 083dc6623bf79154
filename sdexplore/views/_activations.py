"""How large what each module gave is, along the way through the denoiser."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.activations import FLOAT16, ActivationStatistics
from ..analysis.activations import activation_statistics as statistics_of
from ..analysis.selection import Whole
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import role_name
from ..figures.picture import Picture, style
from ..figures.titles import run_title
from ..strings.wording import counted, wording
from ..trace.trace import Trace
from .made_from import made_from


@made_from("trace")
def activation_statistics(trace: Trace, *, step: Whole | None = None, role: str = "cond") -> Picture:
    """Draws, module by module in the order in which they end, how large their outputs are at one step.

    Two points a module, on a logarithmic axis: the greatest magnitude (orange) and the standard deviation (blue) of its
    finite numbers; a module whose outputs are all 0 has none. The dashed line is the greatest number of float16. Grey
    lines and names divide the denoiser's parts. A vermilion line stands at the first module that is not finite at this
    step, and a bar beneath the axis wherever numbers are not.

    Args:
        step, role: As `sdx.activation_statistics` takes them.

    Raises:
        TraceError: As `sdx.activation_statistics`.
    """
    found = statistics_of(trace, step=step, role=role)
    places = np.arange(len(found.modules))
    bad = np.flatnonzero(found.values[:, -1] > 0)
    shown = {"modules": counted(len(places), "module"), "step": found.step, "role": role_name(role)}
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 3.6), layout="constrained")
        lines = [run_title(trace), wording("activation_statistics.title", **shown)]
        if len(bad):
            lines.append(wording("activation_statistics.first", module=drawable(found.modules[bad[0]], 80)))
        figure.suptitle("\n".join(lines), fontsize=9)
        ax = figure.add_subplot()
        for values, colour, name in (
            (found.magnitudes, PALETTE[1], wording("activation_statistics.magnitude")),
            (found.values[:, 1], PALETTE[0], wording("activation_statistics.deviation")),
        ):
            there = np.isfinite(values) & (values > 0)
            ax.plot(places[there], values[there], ".", markersize=2.5, color=colour, label=name)
        ax.axhline(FLOAT16, color=FAINT, linestyle="--", linewidth=0.8)
        ax.set(yscale="log", xlim=(-1, len(places)), ylabel=wording("activation_statistics.size"))
        if len(bad):
            ax.axvline(bad[0], color=PALETTE[5], linewidth=1.2)
            ax.plot(bad, np.zeros(len(bad)), "|", color=PALETTE[5], transform=ax.get_xaxis_transform(), clip_on=False)
        _name_parts(ax, found)
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, markerscale=3)
    sizes = np.nan_to_num(found.magnitudes, nan=-1.0)
    largest = int(sizes.argmax())
    verdict = wording(
        f"activation_statistics.{'bad' if len(bad) else 'finite'}",
        module=found.modules[bad[0]] if len(bad) else "",
        bad=len(bad),
    )
    return Picture(
        figure=figure,
        data={"statistics": found.values},
        alt=wording(
            "activation_statistics.alt",
            **shown,
            prompt=in_words(trace),
            largest=said(float(sizes[largest])),
            module=found.modules[largest],
            verdict=verdict,
        ),
        caption=wording("activation_statistics.caption", verdict=verdict),
        call=line_of_code(
            "activation_statistics",
            f"trace{options({'step': step, 'role': role}, {'step': None, 'role': 'cond'})}",
            trace,
        ),
    )


def _name_parts(ax: Axes, found: ActivationStatistics) -> None:
    """Divides the axis into the parts of the denoiser that follow each other, and names those with room."""
    parts = [_part(name) for name in found.modules]
    starts = [0, *(at for at in range(1, len(parts)) if parts[at] != parts[at - 1]), len(parts)]
    spans = [one for one in pairwise(starts) if one[1] - one[0] > len(parts) / 60]
    for start, _ in spans:
        ax.axvline(start - 0.5, color=FAINT, linewidth=0.5)
    names = [drawable(parts[start], 24) for start, _ in spans]
    ax.set_xticks([(start + stop - 1) / 2 for start, stop in spans], names, rotation=40, ha="right", fontsize=9)
    ax.tick_params(axis="x", length=0)


def _part(name: str) -> str:
    """The part of the denoiser that a module lies in: "up_blocks.1", "mid_block", "conv_in"."""
    parts = name.split(".")
    numbered = len(parts) > 1 and parts[1].partition("#")[0].isdigit()
    return ".".join(parts[: 1 + numbered])
