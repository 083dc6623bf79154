"""Noise schedules: what the model was trained on, and where the calls of one or several runs lie on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..base import display
from ..base.display import with_infinity
from ..base.errors import TraceError
from ..figures.code_lines import CodeLine, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import BLOG_COLUMN, SMALL
from ..figures.picture import Picture, style
from ..records.schedule import Schedule, schedule_of_trace
from ..strings.wording import counted, listed, wording
from ..trace.trace import Trace
from .made_from import made_from

_MARKERS = "os^Dv<>p"
_GREY = "#6f6f6f"  # of words; lines may be fainter


@made_from("trace", "pipeline", "scheduler", calls=["schedule"])
def schedule(*sources: Trace | Schedule) -> Picture:
    """Draws β, ᾱ, σ and ln SNR over the training timestep, and σ call by call, of one or several schedules.

    Grey lines are the training schedule: a value for each timestep t of training (β_t, DDPM Eq. 2; ᾱ_t its Eq. 4;
    σ = √(1−ᾱ)/√ᾱ, on a logarithmic axis; ln SNR = −2 ln σ). Of flow matching σ = τ/(1−τ), noise over signal, with
    τ = t/1000; it has no β, and the panel says so. Marks are the calls of the denoiser that a run made, a
    colour and a shape for each of `sources`. The lower panel has σ over the number of the call, where schedulers whose
    timesteps are not training's (EDM, IPNDM) appear too. Points at σ = 0 or ∞ cannot be drawn on a logarithmic axis;
    the alt text counts them.

    Args:
        sources: Traces, or Schedules as `sdx.schedule` returns them; eight at most, so that colours differ.

    The line of code calls the pipelines `pipe_0`, `pipe_1` … where schedules are of different models; `sdx.reproduce`,
    which has one pipeline, refuses such a line.

    Raises:
        TraceError: None is given, or too many; a trace does not know its noise levels.
    """
    if not 1 <= len(sources) <= len(PALETTE):
        raise TraceError(f"schedule of {len(sources)} sources: give one to {len(PALETTE)} Traces or Schedules")
    found = [one if isinstance(one, Schedule) else schedule_of_trace(one) for one in sources]
    names = _names(found, lambda name, calls: f"{name}, {display.counted(calls, 'call')}")
    shown = _names(found, lambda name, calls: listed((name, counted(calls, "call"))))
    data: dict[str, np.ndarray] = {}
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 7.0), layout="constrained")
        grid = figure.add_gridspec(3, 2)
        axes = [figure.add_subplot(grid[i // 2, i % 2]) for i in range(4)]
        last = figure.add_subplot(grid[2, :])
        _training(axes, found)
        for number, (name, label, one) in enumerate(zip(names, shown, found, strict=True)):
            look: dict[str, Any] = {
                "color": PALETTE[number],
                "marker": _MARKERS[number],
                "ls": "none",
                "ms": 4.5 + 1.5 * min(3, len(found) - 1 - number),  # one around the other, where they meet
                "fillstyle": "none",
            }
            on_axis = one.train_sigmas is not None
            for ax, value in zip(axes[1:], (one.alphas_cumprod, one.sigmas, one.log_snr), strict=True):
                if on_axis:
                    ax.plot(one.timesteps, _drawn(value), label=label, **look)
            if on_axis and one.train_betas is not None:
                index = np.clip(one.timesteps.round().astype(int), 0, len(one.train_betas) - 1)
                axes[0].plot(one.timesteps, one.train_betas[index], label=label, **look)
            last.plot(np.arange(len(one)), _drawn(one.sigmas), label=label, **{**look, "ls": "-", "lw": 1})
            data |= {f"{name}/{kind}": getattr(one, kind) for kind in ("timesteps", "sigmas", "log_snr")}
        _labels(axes, last)
        _say_why_empty(axes)
        figure.legend(*last.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=SMALL)
    calls = wording("list.semicolon").join(_called(name, one) for name, one in zip(shown, found, strict=True))
    several = len({one.source for one in found if one.asked is not None}) > 1  # pipelines
    arguments = ", ".join(
        _argument(one, f"_{number}" * (len(found) > 1), f"pipe_{number}" if several else "pipe")
        for number, one in enumerate(found)
    )
    return Picture(
        figure=figure,
        data=data,
        alt=wording("schedule.alt", calls=calls),
        caption=wording("schedule.caption" if len(found) == 1 else "schedule.caption.several"),
        call=CodeLine(
            f"sdx.views.schedule({arguments})  # {', '.join(one.source for one in found)}",
            [one.run for one in found if one.run],
        ),
    )


def _training(axes: list[Axes], found: list[Schedule]) -> None:
    drawn: list[np.ndarray] = []
    for one in found:
        if one.train_sigmas is None or any(np.array_equal(one.train_sigmas, before) for before in drawn):
            continue
        drawn.append(one.train_sigmas)
        t, sigma = np.arange(len(one.train_sigmas)), one.train_sigmas
        if one.train_betas is not None:
            axes[0].plot(t, one.train_betas, color=FAINT)
        with np.errstate(divide="ignore"):
            for ax, value in zip(axes[1:], (1 / (1 + sigma**2), sigma, -2 * np.log(sigma)), strict=True):
                ax.plot(t, _drawn(value), color=FAINT)


def _labels(axes: list[Axes], last: Axes) -> None:
    titles = ("β", "ᾱ", "σ = √(1−ᾱ)/√ᾱ", "ln SNR = −2 ln σ")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, loc="left")
        ax.set_xlabel(wording("schedule.timestep"))
    for ax in (axes[2], last):
        ax.set_yscale("log")
    last.set_title(wording("schedule.by_call"), loc="left")
    last.set_xlabel(wording("schedule.call"))
    last.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _say_why_empty(axes: list[Axes]) -> None:
    """A panel that none of the schedules has anything for says so, and has no scale."""
    for ax in axes:
        if not ax.lines:
            ax.set(xticks=[], yticks=[], yscale="linear")
            none = wording("schedule.no_beta" if ax is axes[0] else "schedule.unknown")
            ax.text(0.5, 0.5, none, ha="center", va="center", color=_GREY, transform=ax.transAxes)


def _drawn(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _called(name: str, one: Schedule) -> str:
    """How many calls a schedule has, and from which σ to which; how many of them are not drawn."""
    lost = int((~np.isfinite(one.sigmas) | (one.sigmas == 0)).sum())
    first, last = (with_infinity(float(one.sigmas[end]), ".3g") for end in (0, -1))
    calls = counted(len(one), "call")
    told = {"name": name if calls in name else listed((name, calls)), "first": first, "last": last}
    return wording("schedule.called.lost", **told, lost=lost) if lost else wording("schedule.called", **told)


def _names(found: list[Schedule], numbered: Callable[[str, int], str]) -> list[str]:
    """Scheduler classes; where one comes twice, with its number of calls, then a running number."""
    plain = [one.scheduler.removesuffix("Scheduler") for one in found]
    full = [numbered(name, len(one)) if plain.count(name) > 1 else name for name, one in zip(plain, found, strict=True)]
    return [f"{name} ({number})" if full.count(name) > 1 else name for number, name in enumerate(full)]


def _argument(one: Schedule, number: str, pipe: str) -> str:
    """The schedule in the line of code: its trace, the call that made it of a pipeline, or a name."""
    if one.run:
        return f"trace{number}"
    if one.asked is None:
        return f"schedule{number}"
    steps = options({"num_inference_steps": one.asked.get("num_inference_steps")}, {"num_inference_steps": None})
    scheduler = one.asked.get("scheduler")
    if scheduler is not None:
        steps += f", scheduler={scheduler!r}" if isinstance(scheduler, str) else f", scheduler=scheduler{number}"
    return f"sdx.schedule({pipe}{steps})"
