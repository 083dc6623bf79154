"""What the drawing of a pipeline has around its denoiser: spaces, the way of sampling, autoencoder, text encoders."""

from collections.abc import Collection

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Polygon

from ..base.display import count
from ..figures.picture import drawable
from ..records.architecture import Shape, Surroundings
from ._architecture_strokes import CROSS, LINE, Place, arrow, box, path

WIDE, HIGH = 11.0, 6.3  # inches, and units of the drawing
_PIXEL, _LATENT, _CONDITION = "#fbe6e2", "#e7f3e6", "#eeeeee"


def sides(plan: Surroundings) -> tuple[float, float]:
    """Where the space of the denoiser begins and ends, from left to right."""
    return (2.05 if plan.autoencoder else 0.1), (8.95 if plan.readers else WIDE - 0.1)


def spaces(ax: Axes, plan: Surroundings) -> None:
    """The coloured spaces, with their names, in axes of the drawing's size."""
    left, right = sides(plan)
    ax.set(xlim=(0, WIDE), ylim=(0, HIGH))
    if plan.autoencoder:
        _space(ax, 0.1, left - 0.1, _PIXEL, "pixel space")
        _space(ax, left, right, _LATENT, "latent space")
    else:
        _space(ax, left, right, _PIXEL, "pixel space, no autoencoder")
    if plan.readers:
        _space(ax, right + 0.1, WIDE - 0.05, _CONDITION, "conditioning")


def _space(ax: Axes, left: float, right: float, colour: str, name: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left + 0.06, 0.1), right - left - 0.12, HIGH - 0.2, boxstyle="round,pad=0.04", color=colour, linewidth=0
        )
    )
    ax.text((left + right) / 2, HIGH - 0.12, name, ha="center", va="top", fontsize=9.5, fontweight="bold", color=LINE)


def flow(ax: Axes, plan: Surroundings, given: Shape, first: Place, last: Place, beside: str = "") -> None:
    """Training above the denoiser, sampling beneath it.

    Args:
        given: (channel, y, x) of what the denoiser is given.
        first, last: Its first and last block.
        beside: What is said of the timestep.
    """
    left, right = sides(plan)
    name = "z" if plan.autoencoder else "x"
    entry, leave, top = left + 0.48, right - 0.52, 5.55
    box(ax, entry, top, name, plan.latents)
    box(ax, leave, top, f"{name}_T", plan.latents)
    arrow(ax, (entry + 0.4, top), (leave - 0.4, top))
    ax.text(
        (entry + leave) / 2,
        top + 0.05,
        f"diffusion, {plan.num_train_timesteps} timesteps",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    box(ax, entry, first.y, f"{name}_t", given)
    path(ax, [(leave, top - 0.26), (leave, 5.02), (entry, 5.02), (entry, first.y + 0.28)])
    ax.text(
        (entry + leave) / 2,
        5.04,
        f"sampling begins with noise {name}_T",
        ha="center",
        va="bottom",
        fontsize=7,
        color="#555555",
    )
    arrow(ax, (entry + 0.4, first.y), (first.x - first.wide / 2, first.y))
    box(ax, leave, last.y, _PREDICTS.get(plan.prediction_type, plan.prediction_type), plan.latents)
    arrow(ax, (last.x + last.wide / 2, last.y), (leave - 0.38, last.y))
    middle, low = (left + right) / 2, 0.5
    text = f"{drawable(plan.scheduler)}: {name}_t → {name}_(t−1), every step"
    half = max(1.55, 0.0305 * len(text))
    ax.text(
        middle,
        low,
        text,
        ha="center",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": LINE, "linewidth": 0.8},
    )
    path(ax, [(leave, last.y - 0.28), (leave, low), (middle + half, low)])
    path(ax, [(middle - half, low), (entry, low), (entry, first.y - 0.28)])
    ax.text(
        entry + 0.06,
        first.y - 1.5,
        beside,
        ha="left",
        va="top",
        fontsize=6.5,
        color="#555555",
    )


_PREDICTS = {"epsilon": "ε_θ", "v_prediction": "v_θ", "sample": "x_θ", "flow_prediction": "v_θ", "flow": "v_θ"}


def pixels(ax: Axes, plan: Surroundings) -> None:
    """The autoencoder's halves, between pixels and latents; nothing without one."""
    encoder = plan.autoencoder
    if encoder is None:
        return
    top, low = 5.2, 1.05
    for y, name, image, parameters, inward in (
        (top, "E", "x", encoder.encoder_parameters, True),
        (low, "D", "x̃", encoder.decoder_parameters, False),
    ):
        box(ax, 0.55, y, image, plan.image)
        tall, short = 0.42, 0.16
        ax.add_patch(
            Polygon(
                [(1.12, y - tall), (1.12, y + tall), (1.72, y + short), (1.72, y - short)],
                facecolor="white",
                edgecolor=LINE,
                linewidth=0.9,
            )
        )
        ax.text(1.4, y, name, ha="center", va="center", fontsize=11, fontstyle="italic")
        ax.text(1.05, y - 0.5, f"{count(parameters)}\nparameters", ha="center", va="top", fontsize=6.5, color="#555555")
        if inward:
            arrow(ax, (0.92, y), (1.12, y))
            path(ax, [(1.72, y), (1.9, y), (1.9, 5.55), (2.1, 5.55)])
        else:
            arrow(ax, (1.12, y), (0.92, y))
            path(ax, [(2.5, 0.5), (1.9, 0.5), (1.9, y), (1.72, y)])
    text = f"{encoder.class_name}\nfactor {encoder.factor}\nchannels\n{' → '.join(map(str, encoder.widths))}"
    ax.text(1.0, 3.2, text, ha="center", va="center", fontsize=7.5, color=LINE)


def readers(ax: Axes, plan: Surroundings, giving: Collection[str] | None = None) -> tuple[float, float]:
    """The text encoders, each reading the prompt by itself; from where (x, y) their orange line goes down.

    Args:
        giving: Names of those whose tokens the picture attends to; by default all.
    """
    _, right = sides(plan)
    middle, prompt = (right + WIDE) / 2 + 0.05, 5.5
    reads, gives = WIDE - 0.2, right + 0.27
    frame = {"boxstyle": "round", "facecolor": "white", "edgecolor": LINE, "linewidth": 0.9}
    ax.text(middle, prompt, "prompt", ha="center", va="center", fontsize=9, bbox=frame)
    gap = min(1.2, 3.2 / len(plan.readers))
    heights = [4.4 - gap * number for number in range(len(plan.readers))]
    tops: list[float] = []
    ax.plot([middle + 0.3, reads, reads], [prompt, prompt, heights[-1]], color=LINE, linewidth=1.1)
    for reader, y in zip(plan.readers, heights, strict=True):
        shape = f"{reader.positions} × {reader.width}" if reader.positions else f"width {reader.width}"
        text = f"{reader.name}\n{drawable(reader.class_name, 16)}\n{reader.layers} layers\n{shape}"
        arrow(ax, (reads, y), (middle + 0.52, y))
        ax.text(middle, y, text, ha="center", va="center", fontsize=6.8, bbox=frame)
        if giving is None or reader.name in giving:
            ax.plot([middle - 0.55, gives], [y, y], color=CROSS, linewidth=1.4)
            tops.append(y)
        else:
            ax.text(middle, y - 0.34, "pooled vector alone", ha="center", va="top", fontsize=6.3, color="#555555")
    return gives, max(tops, default=heights[0])
