"""DDPM's equations compared with a scheduler's code; and how a UNet encodes the timestep."""

import numpy as np
from matplotlib.figure import Figure

from ..figures.code_lines import options
from ..figures.colours import DIVERGING, PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.picture import Picture, style
from ..records.equation_checks import EquationChecks, TimestepEmbedding
from ..strings.wording import wording
from .made_from import made_from

_SIZE = 8.5  # points
_LEAST = 1e-17  # drawn for an exact 0, which a logarithmic axis cannot show


@made_from("pipeline", calls=["equation_checks"])
def equation_checks(found: EquationChecks) -> Picture:
    """Draws how far DDPM's equations and a scheduler's own code differ, at every timestep.

    One panel an equation. Logarithmic axis: the largest absolute difference of all numbers compared at that timestep.
    Blue with the scheduler as it is, in float32; orange with its schedule in float64; a difference of exactly 0 is
    drawn at 1e-17. The grey line is the size (root mean square) of what the equation gives. Where blue lies far below
    grey and orange at 1e-13 and less, code and equation agree and blue is rounding.

    Args:
        found: What `sdx.equation_checks(pipe)` returns.
    """
    t = found.timesteps
    asked = found.num_inference_steps
    arguments = options({"num_inference_steps": asked, "seed": found.seed}, {"num_inference_steps": None, "seed": 0})
    scheduler = wording(
        "equation_checks.scheduler",
        own=found.own_scheduler,
        betas=found.beta_schedule,
        steps=found.steps,
        of=found.num_train_timesteps,
    )
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 4.9), layout="constrained")
        figure.suptitle(scheduler, fontsize=9)
        axes = figure.subplots(2, -(-len(found) // 2), sharex=True, sharey=True, squeeze=False)
        for ax, (name, one) in zip(axes.flat, found.items(), strict=False):
            ax.semilogy(
                t, np.maximum(one.size, _LEAST), color="#bbbbbb", linewidth=1.2, label=wording("equation_checks.size")
            )
            ax.semilogy(t, np.maximum(one.float32, _LEAST), color=PALETTE[0], linewidth=0.9, label="float32")
            ax.semilogy(t, np.maximum(one.float64, _LEAST), color=PALETTE[5], linewidth=0.9, label="float64")
            ax.set_title(f"{_named(name)}\n{one.formula}", fontsize=_SIZE)
            ax.set_ylim(_LEAST / 3, 30)
        for ax in axes.flat[len(found) :]:
            ax.set_visible(False)
        for ax in axes[-1]:
            ax.set_xlabel(wording("equation_checks.timestep"))
        for ax in axes[:, 0]:
            ax.set_ylabel(wording("equation_checks.difference"))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    worst = [
        wording(
            "equation_checks.worst",
            equation=_named(name),
            float32=f"{one.float32.max():.1g}",
            float64=f"{one.float64.max():.1g}",
        )
        for name, one in found.items()
    ]
    return Picture(
        figure=figure,
        data={
            f"{name}/{kind}": getattr(one, kind)
            for name, one in found.items()
            for kind in ("float32", "float64", "size")
        }
        | {"timesteps": t},
        alt=wording(
            "equation_checks.alt",
            panels=len(found),
            scheduler=scheduler,
            timesteps=len(t),
            worst=wording("list.semicolon").join(worst),
        ),
        caption=wording("equation_checks.caption"),
        call=f"sdx.views.equation_checks(sdx.equation_checks(pipe{arguments}))",
    )


def _named(equation: str) -> str:
    """An equation as figures name it: by its number, and that it gives the variance."""
    number, comma, variance = equation.partition(", variance")
    return wording("equation_checks.variance", equation=number) if comma and not variance else equation


@made_from("pipeline", calls=["time_embedding"])
def time_embedding(found: TimestepEmbedding) -> Picture:
    """Draws how a UNet encodes the timestep: the sinusoids of each timestep, and how alike they make two timesteps.

    Left, the sinusoids: a row a timestep, a column a dimension, from −1 (blue) to 1 (red). Middle, cosine similarity of
    the sinusoids of every two timesteps, on the same scale. Right, the same of what the UNet's two linear layers make
    of them, which is what its residual blocks are given.

    Args:
        found: What `sdx.time_embedding(pipe)` returns.
    """
    first, last = found.timesteps[[0, -1]]
    asked = "" if found.asked is None else f", {list(found.asked)!r}"
    before, after = found.similarity(), found.similarity(learned=True)
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 3.0), layout="constrained")
        title = wording(
            "time_embedding.title",
            unet=found.unet,
            sinusoids=found.sinusoids.shape[1],
            learned=found.learned.shape[1],
        )
        figure.suptitle(title, fontsize=9)
        axes = figure.subplots(1, 3)
        shown = ((found.sinusoids, "sinusoids"), (before, "before"), (after, "after"))
        places = np.unique(np.linspace(0, len(found.timesteps) - 1, min(5, len(found.timesteps))).round().astype(int))
        names = [f"{found.timesteps[place]:g}" for place in places]
        for ax, (matrix, name) in zip(axes, shown, strict=True):
            drawn = ax.imshow(matrix, cmap=DIVERGING, vmin=-1.0, vmax=1.0, aspect="auto")
            ax.set_title(wording(f"time_embedding.{name}"), fontsize=_SIZE)
            ax.set_xlabel(wording(f"time_embedding.{'dimension' if ax is axes[0] else 'timestep'}"), fontsize=_SIZE)
            ax.set_yticks(places, names)
            if ax is not axes[0]:
                ax.set_xticks(places, names)
            ax.tick_params(labelsize=_SIZE)
        axes[0].set_ylabel(wording("time_embedding.timestep"), fontsize=_SIZE)
        figure.colorbar(drawn, ax=axes, shrink=0.9, pad=0.01)
    return Picture(
        figure=figure,
        data={"timesteps": found.timesteps, "sinusoids": found.sinusoids, "similarity": before, "learned": after},
        alt=wording(
            "time_embedding.alt",
            first=f"{first:g}",
            last=f"{last:g}",
            before=f"{before[0, -1]:.2f}",
            after=f"{after[0, -1]:.2f}",
            unet=found.unet,
        ),
        caption=wording("time_embedding.caption", unet=found.unet),
        call=f"sdx.views.time_embedding(sdx.time_embedding(pipe{asked}))",
    )
