"""What classifier-free guidance did."""

from operator import index
from typing import Any, SupportsIndex

import numpy as np

from ..analysis.guidance import halves
from ..analysis.trajectory import predicted_pictures, preview
from ..base.errors import TraceError
from ..figures.alt_texts import in_words
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.columns import SMALL
from ..figures.labels import colour_bar, row_label
from ..figures.names import kind_named, steps_named
from ..figures.not_numbers import top_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import MOST_STEPS, run_title, step_title
from ..strings.wording import listed, wording
from ..trace.collections import Comparison
from ..trace.description import guidance_scale_of
from ..trace.one_frame import one_frame
from ..trace.record import spread
from ..trace.trace import Steps, Trace
from ._comparison import comparison_grid
from .made_from import made_from


@made_from("trace", "comparison")
def guidance(
    source: Trace | Comparison, steps: Steps = None, *, decode: bool = True, frame: SupportsIndex | None = None
) -> Picture:
    """Draws the two halves of guidance step by step; of a Comparison, the pictures side by side.

    A Trace: the first two rows are x0 as the unconditional (or negative prompt's) half and as the conditional half
    alone predict it, by the linear preview (one square a latent pixel). The third is where they disagree: root mean
    square over channels of noise_pred_cond − noise_pred_uncond. The fourth is x0 after guidance: decoded by the VAE,
    now if it was not before, as in `views.denoising`; where there is no VAE for that, by the linear preview too; labels
    say which. One scale from 0 serves the third row, printed at its colour bar.

    A Comparison: the final picture of each cell on its grid, as `views.comparison` draws it.

    Args:
        steps: Which steps of a Trace, a slice or one; by default eight of those at which both halves were computed.
        decode: False decodes nothing: the linear preview is shown unless all of these steps were decoded already.
        frame: Of a video's Trace, which frame of the latents; negative ones count from the end. None: the middle one.

    Raises:
        TraceError: The run had no guidance; a step had not both halves; the frame is beyond the video; a cell has no
            picture; a Comparison with steps or a frame, which it does not show.

    Source: Ho & Salimans 2022, Eq. 6.
    """
    if isinstance(source, Trace):
        return _halves(source, steps, frame, decode=decode)
    if steps is not None or frame is not None:
        name = "steps" if steps is not None else "frame"
        raise TraceError(f"guidance(comparison, {name}=…): a Comparison shows final pictures; leave {name} out")
    return comparison_grid(source, "guidance")


def _halves(trace: Trace, steps: Steps, frame: SupportsIndex | None, *, decode: bool) -> Picture:
    whole, trace = trace, one_frame(trace, frame)
    found = halves(trace)
    chosen = spread(found.steps, MOST_STEPS) if steps is None else trace.check_steps(steps)
    if missing := [step for step in chosen if step not in found.steps]:
        raise TraceError(f"step {missing[0]} had not both halves of guidance; these had: {list(found.steps)}")
    if not chosen:
        raise TraceError("guidance(steps=()): name at least one step, or leave steps out")
    rows = [found.steps.index(step) for step in chosen]
    difference = found.difference[rows]
    reach = top_of(difference) or 1.0
    guided = trace.recorded("pred_original_sample")
    y, x = difference.shape[1:]
    pictures, how = predicted_pictures(trace, chosen, decode=decode)
    how = kind_named(how)
    labels = (
        wording("guidance.x0_uncond"),
        wording("guidance.x0_cond"),
        wording("guidance.apart"),
        wording("guidance.x0_guided", how=how),
    )
    with panels(len(labels), len(chosen), aspect=y / x, top=0.6) as (figure, axes):
        title = listed((run_title(trace), f"guidance_scale {guidance_scale_of(trace)}"))
        figure.suptitle(title, fontsize=9)
        for row, label in enumerate(labels):
            row_label(axes[row, 0], label)
        for column, (row, step) in enumerate(zip(rows, chosen, strict=True)):
            axes[0, column].set_title(step_title(trace, step), fontsize=SMALL)
            axes[0, column].imshow(preview(trace, found.x0_uncond[row]))
            axes[1, column].imshow(preview(trace, found.x0_cond[row]))
            drawn = axes[2, column].imshow(found.difference[row], cmap=SEQUENTIAL, vmin=0.0, vmax=reach)
            axes[3, column].imshow(pictures[column])
        colour_bar(figure, drawn, axes[2, :], label=wording("panel.rms"), pad=0.01)
    given: dict[str, Any] = {"steps": list(chosen)} if steps is not None else {}
    given |= {} if decode else {"decode": False}
    given |= {} if frame is None else {"frame": index(frame)}
    return Picture(
        figure=figure,
        data={
            "x0_uncond": found.x0_uncond[rows],
            "x0_cond": found.x0_cond[rows],
            "difference": difference,
            "x0_guided": guided[list(chosen)],
            "steps": np.array(chosen),
        },
        alt=wording("guidance.alt", steps=steps_named(chosen), prompt=in_words(trace), reach=f"{reach:.2g}", how=how),
        caption=wording("guidance.caption"),
        call=line_of_code("guidance", f"trace{options(given)}", whole),
    )
