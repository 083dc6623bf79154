"""What the drawing of a pipeline has around its denoiser: spaces, the way of sampling, autoencoder, text encoders."""

from collections.abc import Collection, Sequence
from typing import Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from ..base.display import count
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.panels import panel_grid
from ..records.architecture import Shape, Surroundings, TextReader
from ..strings.wording import wording
from ._architecture_strokes import BOX, CROSS, LINE, SMALL, Place, arrow, box, height_of, in_lines, lines_box

WIDE, HIGH = BLOG_COLUMN, 6.3  # inches, and units of the drawing
BUS: Final = 0.44  # height of the line that brings keys and values
_TRAINING, _SAMPLING = 5.5, 4.4  # heights of the two rows above the denoiser
_PIXEL, _LATENT, _CONDITION = "#fbe6e2", "#e7f3e6", "#eeeeee"
_ENTRY = 0.58  # from a side of the latent space to the middle of its boxes
_NAME, _READER = 14, 1.07  # letters of a class, and inches of its box
_PREDICTS: Final = {"epsilon": r"$\epsilon_\theta$", "sample": r"$x_\theta$"} | dict.fromkeys(
    ("v_prediction", "flow_prediction", "flow"), r"$v_\theta$"
)


def sheet(plan: Surroundings, denoiser: str, handles: Sequence[Artist]) -> tuple[Figure, Axes]:
    """An empty drawing: its title, its coloured spaces with their names, and the legend of these artists."""
    figure = Figure(figsize=(WIDE, HIGH + 0.7), layout="constrained")
    ax: Axes = panel_grid(figure)[0, 0]
    title = wording("architecture.title", pipeline=plan.pipeline, denoiser=denoiser, parameters=count(plan.parameters))
    figure.suptitle(title, fontsize=10)
    left, right = sides(plan)
    ax.set(xlim=(0, WIDE), ylim=(0, HIGH))
    if plan.autoencoder:
        _space(ax, 0.0, left - 0.06, _PIXEL, wording("architecture.pixels"))
        _space(ax, left, right, _LATENT, wording("architecture.latents"))
    else:
        _space(ax, left, right, _PIXEL, wording("architecture.pixels_alone"))
    if plan.readers:
        _space(ax, right + 0.06, WIDE, _CONDITION, wording("architecture.conditioning"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, columnspacing=1.2)
    return figure, ax


def sides(plan: Surroundings) -> tuple[float, float]:
    """Where the space of the denoiser begins and ends, from left to right."""
    return (1.6 if plan.autoencoder else 0.0), (5.98 if plan.readers else WIDE)


def _space(ax: Axes, left: float, right: float, colour: str, name: str) -> None:
    corner, size = (left + 0.05, 0.05), (right - left - 0.1, HIGH - 0.1)
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle="round,pad=0.04", color=colour, linewidth=0))
    ax.text((left + right) / 2, HIGH - 0.12, name, ha="center", va="top", fontsize=11, color=LINE)


def flow(ax: Axes, plan: Surroundings, given: Shape, first: Place, last: Place) -> None:
    """The row of training, and beneath it the loop of sampling, which goes through the denoiser under it.

    Args:
        given: (channel, y, x) of what the denoiser is given.
        first, last: Its first and last block.
    """
    left, right = sides(plan)
    letter = "z" if plan.autoencoder else "x"
    entry, leave, middle = left + _ENTRY, right - _ENTRY, (left + right) / 2
    clean = box(ax, entry, _TRAINING, f"${letter}$", plan.latents)
    noise = box(ax, leave, _TRAINING, f"${letter}_T$", plan.latents)
    arrow(ax, (clean.right, _TRAINING), (noise.left, _TRAINING))
    said = wording("architecture.diffusion", timesteps=plan.num_train_timesteps)
    ax.text(middle, _TRAINING + 0.05, said, ha="center", va="bottom", fontsize=SMALL)

    noisy = box(ax, entry, _SAMPLING, f"${letter}_t$", given)
    name = _PREDICTS.get(plan.prediction_type) or drawable(plan.prediction_type, 12)
    predicted = box(ax, leave, _SAMPLING, name, plan.latents)
    between = (noise.bottom + noisy.top) / 2 - 0.06
    arrow(ax, (leave, noise.bottom), (leave, between), (entry, between), (entry, noisy.top))
    ax.text(
        middle, between + 0.04, wording("architecture.from_noise"), ha="center", va="bottom", fontsize=SMALL, color=LINE
    )
    lines = [*in_lines(plan.scheduler, 24), rf"${letter}_t \rightarrow {letter}_{{t-1}}$"]
    loop = lines_box(ax, middle, _SAMPLING, min(2.0, predicted.left - noisy.right - 0.4), lines)
    arrow(ax, (predicted.left, _SAMPLING), (loop.right, _SAMPLING))
    arrow(ax, (loop.left, _SAMPLING), (noisy.right, _SAMPLING))

    down, up = left + 0.2, right - 0.2
    arrow(ax, (down, noisy.bottom), (down, first.y), (first.left, first.y))
    arrow(ax, (last.right, last.y), (up, last.y), (up, predicted.bottom))


def pixels(ax: Axes, plan: Surroundings) -> None:
    """The autoencoder's halves, between pixels and latents; nothing without one."""
    encoder = plan.autoencoder
    if encoder is None:
        return
    latents = sides(plan)[0] + _ENTRY - BOX / 2  # the left edge of the latents' boxes
    for y, name, image, inward in ((_TRAINING, "E", "$x$", True), (_SAMPLING, "D", r"$\tilde{x}$", False)):
        picture = box(ax, 0.53, y, image, plan.image)
        tall, short, start, stop = 0.36, 0.17, picture.right + 0.13, 1.47
        corners = [(start, y - tall), (start, y + tall), (stop, y + short), (stop, y - short)]
        ax.add_patch(Polygon(corners, facecolor="white", edgecolor=LINE, linewidth=0.9, zorder=2.5))
        middle = (start + stop) / 2 - 0.01
        ax.text(middle, y, f"${name}$", ha="center", va="center", fontsize=12, zorder=3)
        ends = ((picture.right, start), (stop, latents)) if inward else ((latents, stop), (start, picture.right))
        for begin, end in ends:
            arrow(ax, (begin, y), (end, y))
    last = wording("architecture.last_step")
    ax.text(0.8, _SAMPLING - 0.42, last, ha="center", va="top", fontsize=SMALL, color=LINE)
    text = "\n".join([*in_lines(encoder.class_name, _NAME), wording("architecture.factor", factor=encoder.factor)])
    ax.text(0.8, (_SAMPLING + _TRAINING) / 2, text, ha="center", va="center", fontsize=SMALL, color=LINE)


def readers(ax: Axes, plan: Surroundings, giving: Collection[str] | None = None) -> tuple[float, float]:
    """The text encoders, each reading the prompt by itself; from where (x, y) their orange line goes down.

    Args:
        giving: Names of those whose tokens the picture attends to; by default all.
    """
    right = sides(plan)[1]
    gives, reads, middle = right + 0.13, WIDE - 0.08, right + 0.24 + _READER / 2
    prompt = lines_box(ax, middle, _TRAINING, _READER, [wording("architecture.prompt")])
    written = [_reader(reader) for reader in plan.readers]
    low, high = 0.85, prompt.bottom - 0.35
    silent = [giving is not None and reader.name not in giving for reader in plan.readers]
    taken = sum(map(height_of, written)) + 0.17 * sum(silent)
    gap = min(0.35, (high - low - taken) / max(1, len(written) - 1))
    tops: list[float] = []
    top = high
    for lines, mute in zip(written, silent, strict=True):
        place = lines_box(ax, middle, top - height_of(lines) / 2, _READER, lines)
        top = place.bottom - gap
        if len(written) == 1:
            arrow(ax, (middle, prompt.bottom), (middle, place.top))
        else:
            arrow(ax, (prompt.right, prompt.y), (reads, prompt.y), (reads, place.y), (place.right, place.y))
        if mute:
            pooled = wording("architecture.pooled")
            ax.text(middle, place.bottom - 0.03, pooled, ha="center", va="top", fontsize=SMALL, color=LINE)
            top -= 0.17
        else:
            ax.plot([place.left, gives], [place.y, place.y], color=CROSS, linewidth=1.4)
            tops.append(place.y)
    return gives, max(tops, default=high)


def _reader(reader: TextReader) -> list[str]:
    shape = (
        f"{reader.positions} × {reader.width}"
        if reader.positions
        else wording("architecture.width", width=reader.width)
    )
    return [*in_lines(reader.name, _NAME), *in_lines(reader.class_name, _NAME), shape]
