"""The architecture of a pipeline in the manner of the latent diffusion paper's Figure 3, with its real shapes."""

import numpy as np

from ..figures.picture import Picture, style
from ..records.architecture import Architecture
from ..records.transformer_architecture import TransformerArchitecture
from ..strings.wording import listed, wording
from ._architecture_frame import BUS, flow, pixels, readers, sheet, sides
from ._architecture_strokes import CROSS, CROSS_INK, SMALL
from ._architecture_transformer import transformer
from ._architecture_unet import bring_keys, draw_unet, legend_of
from ._architecture_words import caption, conditioned, line_of, surroundings
from .made_from import made_from


@made_from("pipeline", calls=["pipeline_architecture"])
def architecture(plan: Architecture | TransformerArchitecture) -> Picture:
    """Draws how a pipeline is built: pixel space (red), latent space (green), conditioning (grey), with its own shapes.

    Above, training: x is encoded to z and noised to z_T. Beneath it the loop of sampling, from z_t through the
    denoising UNet to its prediction and by the scheduler to the next z_t; after the last step D decodes. The UNet is a
    U of boxes, a block each: down from the left, up to the right, what is at the bottom beneath both; as high as its
    grid (square root of rows). Stripes in a box are its layers in their order: grey a residual block, blue
    self-attention, orange cross-attention; "×10" means ten transformer layers in each. The numbers above are channels
    and grid. Dashed arrows across are skips, with how many. Orange lines bring keys and values from the text encoders
    to every block with cross-attention. A pipeline on pixels has no E and D, an unconditional one no conditioning; the
    figure then says so.

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
        figure, ax = sheet(plan, plan.unet, legend_of(plan.stages))
        places = draw_unet(ax, plan.stages, left + 0.34, right - 0.34)
        flow(ax, plan, plan.unet_input, places[0], places[-1])
        pixels(ax, plan)
        if plan.readers:
            gives, top = readers(ax, plan)
            start = bring_keys(ax, plan.stages, places, BUS)
            if start is not None:
                ax.plot([gives, gives, start], [top, BUS, BUS], color=CROSS, linewidth=1.4)
                text = wording("architecture.keys", width=plan.key_width)
                ax.text(right - 0.12, BUS - 0.05, text, ha="right", va="top", fontsize=SMALL, color=CROSS_INK)
    crosses = [stage.name for stage in plan.stages if stage.cross_attention]
    return Picture(
        figure=figure,
        data={
            "grids": np.array([stage.grid for stage in plan.stages]),
            "channels": np.array([stage.channels for stage in plan.stages]),
            "cross_attention": np.array([stage.cross_attention for stage in plan.stages]),
        },
        alt=wording(
            "architecture.alt",
            spaces=surroundings(plan),
            denoiser=wording(
                "architecture.alt.unet",
                unet=plan.unet,
                levels=plan.levels,
                channels=" → ".join(str(stage.channels) for stage in plan.stages),
            ),
            attention=wording("architecture.alt.crosses", blocks=listed(crosses))
            if crosses
            else wording("architecture.alt.no_cross"),
            conditioned=conditioned(plan),
        ),
        caption=caption(plan, plan.unet),
        call=line_of(plan),
    )
