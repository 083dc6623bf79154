"""Noise schedules: what the model was trained on, and where the calls of one or several runs lie on it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..base.display import counted, with_infinity
from ..base.errors import TraceError
from ..figures.captions import AltText
from ..figures.code_lines import CodeLine, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.picture import Picture, style
from ..records.schedule import Schedule, schedule_of_trace
from ..trace.trace import Trace
from .made_from import made_from

_MARKERS = "os^Dv<>p"


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
    names = _names(found)
    data: dict[str, np.ndarray] = {}
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 7.0), layout="constrained")
        grid = figure.add_gridspec(3, 2)
        axes = [figure.add_subplot(grid[i // 2, i % 2]) for i in range(4)]
        last = figure.add_subplot(grid[2, :])
        _training(axes, found)
        for number, (name, one) in enumerate(zip(names, found, strict=True)):
            look: dict[str, Any] = {
                "color": PALETTE[number],
                "marker": _MARKERS[number],
                "ls": "none",
                "ms": 4.5,
                "fillstyle": "none",
            }
            on_axis = one.train_sigmas is not None
            for ax, value in zip(axes[1:], (one.alphas_cumprod, one.sigmas, one.log_snr), strict=True):
                if on_axis:
                    ax.plot(one.timesteps, _drawn(value), label=name, **look)
            if on_axis and one.train_betas is not None:
                index = np.clip(one.timesteps.round().astype(int), 0, len(one.train_betas) - 1)
                axes[0].plot(one.timesteps, one.train_betas[index], label=name, **look)
            last.plot(np.arange(len(one)), _drawn(one.sigmas), label=name, **{**look, "ls": "-", "lw": 1})
            data |= {f"{name}/{kind}": getattr(one, kind) for kind in ("timesteps", "sigmas", "log_snr")}
        _labels(axes, last)
        _say_why_empty(axes)
        figure.legend(*last.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    calls = "; ".join(
        f"{name} {counted(len(one), 'call')}, σ {_range(one)}" for name, one in zip(names, found, strict=True)
    )
    several = len({one.source for one in found if one.asked is not None}) > 1  # pipelines
    arguments = ", ".join(
        _argument(one, f"_{number}" * (len(found) > 1), f"pipe_{number}" if several else "pipe")
        for number, one in enumerate(found)
    )
    return Picture(
        figure=figure,
        data=data,
        alt=AltText(
            f"Noise schedules: β, ᾱ, σ and log-SNR over the training timestep with the calls as points: {calls}.",
            "Noise schedules: β, ᾱ, σ and log-SNR over the training timestep with the calls as points.",
        ),
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
        ax.set_xlabel("training timestep t")
    for ax in (axes[2], last):
        ax.set_yscale("log")
    last.set_title("σ, call by call", loc="left")
    last.set_xlabel("call of the denoiser")
    last.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _say_why_empty(axes: list[Axes]) -> None:
    """A panel that none of the schedules has anything for says so, and has no scale."""
    for ax in axes:
        if not ax.lines:
            ax.set(xticks=[], yticks=[], yscale="linear")
            none = "no β here" if ax is axes[0] else "no training schedule is known"
            ax.text(0.5, 0.5, none, ha="center", va="center", color=FAINT, transform=ax.transAxes)


def _drawn(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _range(one: Schedule) -> str:
    lost = int((~np.isfinite(one.sigmas) | (one.sigmas == 0)).sum())
    first, last = (with_infinity(float(one.sigmas[end]), ".3g") for end in (0, -1))
    return f"{first} to {last}" + (f" ({lost} not drawn)" if lost else "")


def _names(found: list[Schedule]) -> list[str]:
    """Scheduler classes; where one comes twice, with its number of calls, then a running number."""
    plain = [one.scheduler.removesuffix("Scheduler") for one in found]
    full = [
        f"{name}, {counted(len(one), 'call')}" if plain.count(name) > 1 else name
        for name, one in zip(plain, found, strict=True)
    ]
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
