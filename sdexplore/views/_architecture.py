"""The architecture of a pipeline in the manner of the latent diffusion paper's Figure 3, with its real shapes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..base.display import count
from ..figures.captions import with_details
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.architecture import Architecture
from ..records.transformer_architecture import TransformerArchitecture
from ._architecture_frame import HIGH, WIDE, flow, pixels, readers, sides, spaces
from ._architecture_strokes import CROSS, RESNET, SELF, Place
from ._architecture_transformer import transformer
from ._architecture_unet import draw_unet, stripes
from .made_from import made_from


@made_from("pipeline", calls=["pipeline_architecture"])
def architecture(plan: Architecture | TransformerArchitecture) -> Picture:
    """Draws how a pipeline is built: pixel space (red), latent space (green), conditioning (grey), with its own shapes.

    Above, training: x is encoded to z and noised to z_T. In the middle the denoising UNet, a box a block in its order,
    down from the left, up to the right: as high as its grid (square root of rows), as low as its level. Stripes in a
    box are its layers in their order: grey a residual block, blue self-attention, orange cross-attention; "×10" means
    ten transformer layers in each. Numbers above are channels, beneath the grid. Arrows across are skips, with the
    channels of each. Orange lines bring keys and values from the text encoders to every block with cross-attention.
    Beneath, sampling: the scheduler takes the prediction and x_t, and after the last step D decodes. A pipeline on
    pixels has no E and D, an unconditional one no conditioning; the figure then says so.

    A diffusion transformer stands in the same place, a box a group of blocks (`transformer_blocks`) from left to right,
    with its name, "×24" for 24 blocks, heads and width. The upper lane is the picture's tokens, the lower one the
    words'; a block of two streams has a box in both, one of a single stream reaches over both. Stripes are the layers
    of its first block: green joint attention, which spans both lanes since words and picture share one softmax, blue
    self-attention, orange cross-attention, grey the feed-forward network. A text
    encoder without an orange line gives a pooled vector alone. The drawing of a transformer has no scale.

    Args:
        plan: What `sdx.pipeline_architecture(pipe)` returns.

    Source: Rombach et al. 2022 (LDM), Figure 3; ours has the blocks and shapes of one real pipeline.
    """
    if isinstance(plan, TransformerArchitecture):
        return transformer(plan)
    left, right = sides(plan)
    with style():
        figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        ax.set_title(f"{plan.pipeline}: {plan.unet} of {count(plan.parameters)} parameters", fontsize=10)
        spaces(ax, plan)
        places = draw_unet(ax, plan.stages, left + 0.92, right - 0.95)
        beside = f"t, embedded\nto {plan.time_width}, is\nadded in all\ngrey blocks"
        flow(ax, plan, plan.unet_input, places[0], places[-1], beside)
        pixels(ax, plan)
        if plan.readers:
            _keys(ax, plan, places)
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


def _keys(ax: Axes, plan: Architecture, places: Sequence[Place]) -> None:
    """The way of the text encoders' keys and values into the UNet."""
    gives, top = readers(ax, plan)
    (_, right), bus = sides(plan), 1.1
    crossed = [place for stage, place in zip(plan.stages, places, strict=True) if stage.cross_attention]
    if not crossed:
        return
    ax.plot([gives, gives, min(p.x for p in crossed)], [top, bus, bus], color=CROSS, linewidth=1.4)
    text = f"K, V from width {plan.key_width}"
    ax.text(right - 0.62, bus + 0.04, text, ha="right", va="bottom", fontsize=7, color=CROSS)
    for place in crossed:
        look = {"arrowstyle": "->", "color": CROSS, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (place.x, place.y - place.high / 2 - 0.18), (place.x, bus), arrowprops=look)
