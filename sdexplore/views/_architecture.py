"""The architecture of a pipeline in the manner of the latent diffusion paper's Figure 3, with its real shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Polygon, Rectangle

from ..base.display import count
from ..figures.colours import PALETTE
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..records.architecture import Architecture, Shape, Stage
from .made_from import made_from

_WIDE, _HIGH = 11.0, 6.3  # inches, and units of the drawing
_PIXEL, _LATENT, _CONDITION = "#fbe6e2", "#e7f3e6", "#eeeeee"
_RESNET, _SELF, _CROSS = "#a9a9a9", PALETTE[0], PALETTE[5]
_LINE = "#444444"
_MOST_SKIPS = 4  # channels named on a skip


@dataclass(frozen=True)
class _Place:
    """Where a block of the UNet stands: its middle and its size."""

    x: float
    y: float
    wide: float
    high: float


@made_from("pipeline", calls=["pipeline_architecture"])
def architecture(plan: Architecture) -> Picture:
    """Draws how a pipeline is built: pixel space (red), latent space (green), conditioning (grey), with its own shapes.

    Above, training: x is encoded to z and noised to z_T. In the middle the denoising UNet, a box a block in its order,
    down from the left, up to the right: as high as its grid (square root of rows), as low as its level. Stripes in a
    box are its layers in their order: grey a residual block, blue self-attention, orange cross-attention; "×10" means
    ten transformer layers in each. Numbers above are channels, beneath the grid. Arrows across are skips, with the
    channels of each. Orange lines bring keys and values from the text encoders to every block with cross-attention.
    Beneath, sampling: the scheduler takes the prediction and x_t, and after the last step D decodes. A pipeline on
    pixels has no E and D, an unconditional one no conditioning; the figure then says so.

    Args:
        plan: What `sdx.pipeline_architecture(pipe)` returns.

    Source: Rombach et al. 2022 (LDM), Figure 3; ours has the blocks and shapes of one real pipeline.
    """
    latent = plan.autoencoder is not None
    left, right = (2.05 if latent else 0.1), (8.95 if plan.readers else _WIDE - 0.1)
    with style():
        figure = Figure(figsize=(_WIDE, _HIGH), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        ax.set(xlim=(0, _WIDE), ylim=(0, _HIGH))
        ax.set_title(f"{plan.pipeline}: {plan.unet} of {count(plan.parameters)} parameters", fontsize=10)
        if latent:
            _space(ax, 0.1, left - 0.1, _PIXEL, "pixel space")
        _space(
            ax, left, right, _LATENT if latent else _PIXEL, "latent space" if latent else "pixel space, no autoencoder"
        )
        if plan.readers:
            _space(ax, right + 0.1, _WIDE - 0.05, _CONDITION, "conditioning")
        places = _unet(ax, plan.stages, left + 0.92, right - 0.95)
        _flow(ax, plan, left, right, places)
        if latent:
            _pixels(ax, plan)
        if plan.readers:
            _conditioning(ax, plan, right, places)
        kinds = (("residual block", _RESNET), ("self-attention", _SELF), ("cross-attention", _CROSS))
        there = {colour for stage in plan.stages for colour in _stripes(stage)}
        handles = [Patch(color=colour, label=label) for label, colour in kinds if colour in there]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    crosses = [stage.name for stage in plan.stages if stage.cross_attention]
    space = (
        f"an autoencoder of factor {plan.autoencoder.factor} between pixels and latents"
        if plan.autoencoder
        else ("no autoencoder: the UNet works on pixels")
    )
    text = f"cross-attention in {', '.join(crosses)}" if crosses else "no cross-attention"
    reads = ", ".join(f"{one.name} of width {one.width}" for one in plan.readers) or "nothing: it is unconditional"
    return Picture(
        figure=figure,
        data={
            "grids": np.array([stage.grid for stage in plan.stages]),
            "channels": np.array([stage.channels for stage in plan.stages]),
            "cross_attention": np.array([stage.cross_attention for stage in plan.stages]),
        },
        alt=f"The architecture of the {plan.pipeline}: {space}; a UNet of {plan.levels} levels, "
        f"{' → '.join(str(stage.channels) for stage in plan.stages)} channels; {text}; conditioned on {reads}.",
        call=f"sdx.views.architecture(sdx.pipeline_architecture(pipe, height={plan.image[1]}, width={plan.image[2]}))",
    )


def _space(ax: Axes, left: float, right: float, colour: str, name: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left + 0.06, 0.1), right - left - 0.12, _HIGH - 0.2, boxstyle="round,pad=0.04", color=colour, linewidth=0
        )
    )
    ax.text((left + right) / 2, _HIGH - 0.12, name, ha="center", va="top", fontsize=9.5, fontweight="bold", color=_LINE)


def _unet(ax: Axes, stages: Sequence[Stage], left: float, right: float) -> list[_Place]:
    """Draws the blocks and their skips; where each stands."""
    levels = max(stage.level for stage in stages)
    tallest = max(stage.grid[0] for stage in stages)
    column = (right - left) / len(stages)
    most = max(len(_stripes(stage)) for stage in stages)
    places = []
    for number, stage in enumerate(stages):
        stripes = _stripes(stage)
        high = max(0.3, 0.85 * (stage.grid[0] / tallest) ** 0.5)
        y = 3.95 - (3.95 - 1.95) * stage.level / max(1, levels)
        place = _Place(left + (number + 0.5) * column, y, 0.92 * column * max(0.35, len(stripes) / most), high)
        places.append(place)
        one = place.wide / len(stripes)
        for index, colour in enumerate(stripes):
            corner = (place.x - place.wide / 2 + index * one, y - high / 2)
            ax.add_patch(Rectangle(corner, one * 0.86, high, facecolor=colour, linewidth=0))
        deep = max(stage.transformers, default=0)
        repeated = f" ×{deep}" if deep > 1 else ""
        ax.text(place.x, y + high / 2 + 0.03, f"{stage.channels}{repeated}", ha="center", va="bottom", fontsize=7.5)
        grid = f"{stage.grid[0]}×{stage.grid[1]}"
        ax.text(place.x, y - high / 2 - 0.03, grid, ha="center", va="top", fontsize=7, color="#555555")
    for (before, a), (after, b) in zip(
        zip(stages, places, strict=True), list(zip(stages, places, strict=True))[1:], strict=False
    ):
        del before, after
        _arrow(ax, (a.x + a.wide / 2, a.y), (b.x - b.wide / 2, b.y), thin=True)
    for number, stage in enumerate(stages):
        if stage.side == "up" and stage.skips:
            _skip(ax, stages, places, number)
    return places


def _stripes(stage: Stage) -> list[str]:
    """Colours of a block's layers in their order: residual blocks, an attention after each that has one."""
    found: list[str] = []
    attention = [_SELF] * bool(stage.self_attention) + [_CROSS] * bool(stage.cross_attention)
    many = len(stage.transformers) or stage.self_attention
    for number in range(stage.resnets):
        # The bottom begins with a residual block and attends before the second.
        found += [_RESNET] + (attention if number < many else [])
    return found or [_RESNET]


def _skip(ax: Axes, stages: Sequence[Stage], places: Sequence[_Place], number: int) -> None:
    """An arrow from the way down to a block on the way up, through the free middle of the U."""
    stage, to = stages[number], places[number]
    start = next((p for s, p in zip(stages, places, strict=True) if s.side == "down" and s.level == stage.level), None)
    if start is None:
        return
    widths = [str(shape[0]) for shape in stage.skips[:_MOST_SKIPS]] + ["…"] * (len(stage.skips) > _MOST_SKIPS)
    look: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 0.9}
    a, b = start.x + start.wide / 2 + 0.02, to.x - to.wide / 2 - 0.02
    y = to.y + 0.28 * to.high
    if any(one.side == "mid" and one.level == stage.level for one in stages):  # the bottom stands in the way: above it
        a, b, y = start.x, to.x, to.y + to.high / 2 + 0.24
        for x in (a, b):
            ax.plot([x, x], [to.y + to.high / 2 + 0.17, y], **look)
    arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **look}
    ax.annotate("", (b, y), (a, y), arrowprops=arrow)
    ax.text((a + b) / 2, y + 0.02, ", ".join(widths), ha="center", va="bottom", fontsize=6.5, color="#777777")


def _flow(ax: Axes, plan: Architecture, left: float, right: float, places: Sequence[_Place]) -> None:
    """Training above the UNet, sampling beneath it."""
    name = "z" if plan.autoencoder else "x"
    entry, leave, top = left + 0.48, right - 0.52, 5.55
    _box(ax, entry, top, name, plan.latents)
    _box(ax, leave, top, f"{name}_T", plan.latents)
    _arrow(ax, (entry + 0.4, top), (leave - 0.4, top))
    ax.text(
        (entry + leave) / 2,
        top + 0.05,
        f"diffusion, {plan.num_train_timesteps} timesteps",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    first, last = places[0], places[-1]
    _box(ax, entry, first.y, f"{name}_t", plan.unet_input)
    _path(ax, [(leave, top - 0.26), (leave, 5.02), (entry, 5.02), (entry, first.y + 0.28)])
    ax.text(
        (entry + leave) / 2,
        5.04,
        f"sampling begins with noise {name}_T",
        ha="center",
        va="bottom",
        fontsize=7,
        color="#555555",
    )
    _arrow(ax, (entry + 0.4, first.y), (first.x - first.wide / 2, first.y))
    _box(ax, leave, last.y, _PREDICTS.get(plan.prediction_type, plan.prediction_type), plan.latents)
    _arrow(ax, (last.x + last.wide / 2, last.y), (leave - 0.38, last.y))
    middle, low = (left + right) / 2, 0.5
    ax.text(
        middle,
        low,
        f"{drawable(plan.scheduler)}: {name}_t → {name}_(t−1), every step",
        ha="center",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": _LINE, "linewidth": 0.8},
    )
    _path(ax, [(leave, last.y - 0.28), (leave, low), (middle + 1.55, low)])
    _path(ax, [(middle - 1.55, low), (entry, low), (entry, first.y - 0.28)])
    ax.text(
        entry + 0.06,
        first.y - 1.5,
        f"t, embedded\nto {plan.time_width}, is\nadded in all\ngrey blocks",
        ha="left",
        va="top",
        fontsize=6.5,
        color="#555555",
    )


_PREDICTS = {"epsilon": "ε_θ", "v_prediction": "v_θ", "sample": "x_θ", "flow_prediction": "v_θ"}


def _pixels(ax: Axes, plan: Architecture) -> None:
    encoder = plan.autoencoder
    if encoder is None:
        return
    top, low = 5.2, 1.05
    for y, name, image, parameters, inward in (
        (top, "E", "x", encoder.encoder_parameters, True),
        (low, "D", "x̃", encoder.decoder_parameters, False),
    ):
        _box(ax, 0.55, y, image, plan.image)
        tall, short = 0.42, 0.16
        ax.add_patch(
            Polygon(
                [(1.12, y - tall), (1.12, y + tall), (1.72, y + short), (1.72, y - short)],
                facecolor="white",
                edgecolor=_LINE,
                linewidth=0.9,
            )
        )
        ax.text(1.4, y, name, ha="center", va="center", fontsize=11, fontstyle="italic")
        ax.text(1.05, y - 0.5, f"{count(parameters)}\nparameters", ha="center", va="top", fontsize=6.5, color="#555555")
        if inward:
            _arrow(ax, (0.92, y), (1.12, y))
            _path(ax, [(1.72, y), (1.9, y), (1.9, 5.55), (2.1, 5.55)])
        else:
            _arrow(ax, (1.12, y), (0.92, y))
            _path(ax, [(2.5, 0.5), (1.9, 0.5), (1.9, y), (1.72, y)])
    text = f"{encoder.class_name}\nfactor {encoder.factor}\nchannels\n{' → '.join(map(str, encoder.widths))}"
    ax.text(1.0, 3.2, text, ha="center", va="center", fontsize=7.5, color=_LINE)


def _conditioning(ax: Axes, plan: Architecture, right: float, places: Sequence[_Place]) -> None:
    """The text encoders, each reading the prompt by itself, and the way of their keys and values into the UNet."""
    middle, bus, prompt = (right + _WIDE) / 2 + 0.05, 1.1, 5.5
    reads, gives = _WIDE - 0.2, right + 0.27
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": _LINE, "linewidth": 0.9}
    ax.text(middle, prompt, "prompt", ha="center", va="center", fontsize=9, bbox=box)
    gap = min(1.2, 3.2 / len(plan.readers))
    heights = [4.4 - gap * number for number in range(len(plan.readers))]
    ax.plot([middle + 0.3, reads, reads], [prompt, prompt, heights[-1]], color=_LINE, linewidth=1.1)
    for reader, y in zip(plan.readers, heights, strict=True):
        shape = f"{reader.positions} × {reader.width}"
        text = f"{reader.name}\n{drawable(reader.class_name, 16)}\n{reader.layers} layers\n{shape}"
        _arrow(ax, (reads, y), (middle + 0.52, y))
        ax.text(middle, y, text, ha="center", va="center", fontsize=6.8, bbox=box)
        ax.plot([middle - 0.55, gives], [y, y], color=_CROSS, linewidth=1.4)
    crossed = [place for stage, place in zip(plan.stages, places, strict=True) if stage.cross_attention]
    if not crossed:
        return
    ax.plot([gives, gives, min(p.x for p in crossed)], [heights[0], bus, bus], color=_CROSS, linewidth=1.4)
    text = f"K, V from width {plan.key_width}"
    ax.text(right - 0.62, bus + 0.04, text, ha="right", va="bottom", fontsize=7, color=_CROSS)
    for place in crossed:
        arrow = {"arrowstyle": "->", "color": _CROSS, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (place.x, place.y - place.high / 2 - 0.18), (place.x, bus), arrowprops=arrow)


def _box(ax: Axes, x: float, y: float, name: str, shape: Shape) -> None:
    ax.add_patch(
        Rectangle((x - 0.36, y - 0.25), 0.72, 0.5, facecolor="white", edgecolor=_LINE, linewidth=0.9, zorder=2)
    )
    ax.text(x, y + 0.09, name, ha="center", va="center", fontsize=9, fontstyle="italic", zorder=3)
    ax.text(x, y - 0.12, "×".join(map(str, shape)), ha="center", va="center", fontsize=6.5, zorder=3)


def _arrow(ax: Axes, start: tuple[float, float], stop: tuple[float, float], *, thin: bool = False) -> None:
    width = 0.7 if thin else 1.1
    ax.annotate(
        "", stop, start, arrowprops={"arrowstyle": "->", "color": _LINE, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    )


def _path(ax: Axes, points: Sequence[tuple[float, float]]) -> None:
    """A line with corners, an arrow at its end."""
    x, y = zip(*points[:-1], strict=True)
    ax.plot(x, y, color=_LINE, linewidth=1.1, solid_capstyle="round")
    _arrow(ax, points[-2], points[-1])
