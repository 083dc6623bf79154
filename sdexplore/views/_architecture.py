"""The architecture of a pipeline in the manner of the latent diffusion paper's Figure 3, with its real shapes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Polygon

from ..base.display import count
from ..figures.captions import with_details
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..records.architecture import Architecture
from ._architecture_strokes import LINE, arrow, box, path
from ._architecture_unet import CROSS, RESNET, SELF, Place, draw_unet, stripes
from .made_from import made_from

_WIDE, _HIGH = 11.0, 6.3  # inches, and units of the drawing
_PIXEL, _LATENT, _CONDITION = "#fbe6e2", "#e7f3e6", "#eeeeee"


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
        places = draw_unet(ax, plan.stages, left + 0.92, right - 0.95)
        _flow(ax, plan, left, right, places)
        if latent:
            _pixels(ax, plan)
        if plan.readers:
            _conditioning(ax, plan, right, places)
        kinds = (("residual block", RESNET), ("self-attention", SELF), ("cross-attention", CROSS))
        there = {colour for stage in plan.stages for colour in stripes(stage)}
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
        alt=with_details(
            f"The architecture of the {plan.pipeline}: {space}",
            f"a UNet of {plan.levels} levels, {' → '.join(str(stage.channels) for stage in plan.stages)} channels",
            text,
            f"conditioned on {reads}",
        ),
        call=f"sdx.views.architecture(sdx.pipeline_architecture(pipe, height={plan.image[1]}, width={plan.image[2]}))",
    )


def _space(ax: Axes, left: float, right: float, colour: str, name: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left + 0.06, 0.1), right - left - 0.12, _HIGH - 0.2, boxstyle="round,pad=0.04", color=colour, linewidth=0
        )
    )
    ax.text((left + right) / 2, _HIGH - 0.12, name, ha="center", va="top", fontsize=9.5, fontweight="bold", color=LINE)


def _flow(ax: Axes, plan: Architecture, left: float, right: float, places: Sequence[Place]) -> None:
    """Training above the UNet, sampling beneath it."""
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
    first, last = places[0], places[-1]
    box(ax, entry, first.y, f"{name}_t", plan.unet_input)
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
    ax.text(
        middle,
        low,
        f"{drawable(plan.scheduler)}: {name}_t → {name}_(t−1), every step",
        ha="center",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": LINE, "linewidth": 0.8},
    )
    path(ax, [(leave, last.y - 0.28), (leave, low), (middle + 1.55, low)])
    path(ax, [(middle - 1.55, low), (entry, low), (entry, first.y - 0.28)])
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


def _conditioning(ax: Axes, plan: Architecture, right: float, places: Sequence[Place]) -> None:
    """The text encoders, each reading the prompt by itself, and the way of their keys and values into the UNet."""
    middle, bus, prompt = (right + _WIDE) / 2 + 0.05, 1.1, 5.5
    reads, gives = _WIDE - 0.2, right + 0.27
    frame = {"boxstyle": "round", "facecolor": "white", "edgecolor": LINE, "linewidth": 0.9}
    ax.text(middle, prompt, "prompt", ha="center", va="center", fontsize=9, bbox=frame)
    gap = min(1.2, 3.2 / len(plan.readers))
    heights = [4.4 - gap * number for number in range(len(plan.readers))]
    ax.plot([middle + 0.3, reads, reads], [prompt, prompt, heights[-1]], color=LINE, linewidth=1.1)
    for reader, y in zip(plan.readers, heights, strict=True):
        shape = f"{reader.positions} × {reader.width}"
        text = f"{reader.name}\n{drawable(reader.class_name, 16)}\n{reader.layers} layers\n{shape}"
        arrow(ax, (reads, y), (middle + 0.52, y))
        ax.text(middle, y, text, ha="center", va="center", fontsize=6.8, bbox=frame)
        ax.plot([middle - 0.55, gives], [y, y], color=CROSS, linewidth=1.4)
    crossed = [place for stage, place in zip(plan.stages, places, strict=True) if stage.cross_attention]
    if not crossed:
        return
    ax.plot([gives, gives, min(p.x for p in crossed)], [heights[0], bus, bus], color=CROSS, linewidth=1.4)
    text = f"K, V from width {plan.key_width}"
    ax.text(right - 0.62, bus + 0.04, text, ha="right", va="bottom", fontsize=7, color=CROSS)
    for place in crossed:
        look = {"arrowstyle": "->", "color": CROSS, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (place.x, place.y - place.high / 2 - 0.18), (place.x, bus), arrowprops=look)
