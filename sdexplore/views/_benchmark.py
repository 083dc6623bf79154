"""What tracing costs as the work grows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..base.display import clip
from ..base.errors import SdexploreError
from ..figures.colours import FAINT, PALETTE
from ..figures.font_families import drawable
from ..figures.picture import Picture, style
from ..records.benchmark import AXES, Benchmark, CostPoint
from ..strings.wording import wording
from .made_from import made_from

_ALLOWED = 1.05


@made_from(refusal="it shows measured seconds, which are others each time; measure with python -m sdexplore.bench")
def benchmark(record: Benchmark) -> Picture:
    """Draws what a traced run takes of the untraced one's time against steps, the picture's side, and layers read.

    One panel for each of the three that was measured; y is traced by untraced, the same in all panels. A point is the
    median of runs in pairs, its bar goes from first to third quartile, and the line joins measured points only. Grey
    and solid: 1, no cost; grey and dashed: 1.05, what is allowed. Each pipeline has its colour.

    Args:
        record: Of `python -m sdexplore.bench --json FILE`, as `records.benchmark.Benchmark.load(FILE)` reads it.

    Raises:
        SdexploreError: It holds no cost against the amount of work.
    """
    axes_drawn = [axis for axis in AXES if any(point.axis == axis for point in record.points)]
    if not axes_drawn:
        raise SdexploreError("this record holds no cost against steps, size or layers: measure with --only steps side")
    subjects = list(dict.fromkeys(point.subject for point in record.points))
    data, told = {}, []
    with style():
        figure = Figure(figsize=(7.5, 2.9), layout="constrained")
        for number, axis in enumerate(axes_drawn):
            ax, over = figure.add_subplot(1, len(axes_drawn), number + 1), wording(f"benchmark.over.{axis}")
            if number:
                ax.sharey(figure.axes[0])
            else:
                ax.set_ylabel(wording("benchmark.share"))
            ax.axhline(1.0, color=FAINT, linewidth=1)
            ax.axhline(_ALLOWED, color=FAINT, linewidth=1, linestyle="--")
            for subject, colour in zip(subjects, PALETTE, strict=False):
                points = sorted(
                    (p for p in record.points if (p.subject, p.axis) == (subject, axis)), key=lambda point: point.amount
                )
                if not points:
                    continue
                amounts, medians = [p.amount for p in points], [p.share.median for p in points]
                below = [p.share.median - p.share.low for p in points]
                above = [p.share.high - p.share.median for p in points]
                label = drawable(subject, 40)
                ax.errorbar(
                    amounts, medians, [below, above], fmt="o-", color=colour, markersize=4, capsize=3, label=label
                )
                data[f"{axis} of {subject}"] = _array(points)
                ends = {"first": f"{medians[0]:.3g}", "last": f"{medians[-1]:.3g}"}
                told.append(wording("benchmark.found", subject=clip(subject, 60), over=over, **ends))
            ax.set_xlabel(over)
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(subjects))
        figure.suptitle(wording("benchmark.title", machine=drawable(_machine(record), 90)), fontsize=9)
    machine = clip(_machine(record), 120)
    return Picture(
        figure=figure,
        data=data,
        alt=wording("benchmark.alt", shares=wording("list.semicolon").join(told)),
        caption=wording("benchmark.caption", machine=machine),
        call="sdx.views.benchmark(record)  # of python -m sdexplore.bench",
    )


def _array(points: Sequence[CostPoint]) -> Float64[np.ndarray, "point 4"]:
    """Amount, first quartile, median, third quartile of each point."""
    return np.array([(p.amount, p.share.low, p.share.median, p.share.high) for p in points], np.float64)


def _machine(record: Benchmark) -> str:
    return ", ".join(filter(None, (record.facts.get(name) for name in ("device", "date"))))
