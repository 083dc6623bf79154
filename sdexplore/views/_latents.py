"""The latents themselves, channel by channel."""

from operator import index
from typing import Any, SupportsIndex

import numpy as np

from ..base.errors import TraceError
from ..figures.alt_texts import in_words
from ..figures.code_lines import line_of_code, options
from ..figures.colours import DIVERGING
from ..figures.columns import SMALL
from ..figures.labels import colour_bar, row_label
from ..figures.names import steps_named
from ..figures.not_numbers import reach_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import MOST_STEPS, run_title, step_title
from ..strings.wording import counted, wording
from ..trace.one_frame import one_frame
from ..trace.record import spread
from ..trace.trace import Steps, Trace
from .made_from import made_from

_QUANTILE = 0.995


@made_from("trace")
def latents(trace: Trace, steps: Steps = None, *, frame: SupportsIndex | None = None) -> Picture:
    """Draws the latents before chosen steps: a row a channel, a column a step, one square a latent pixel.

    Values are on the variance-preserving scale, where noise has standard deviation 1. Blue is negative, white 0, red
    positive; one scale serves all panels, printed at the colour bar. It reaches to the 99.5 % quantile of the absolute
    values, and the arrows of the bar say that what lies beyond has the colour of its end.

    Args:
        steps: Which steps, a slice or one; by default eight, evenly spread.
        frame: Of a video, which frame of the latents; negative ones count from the end. None: the middle one.

    Raises:
        TraceError: Latents were not recorded, or a step or frame is beyond the run.
    """
    every = spread(tuple(range(trace.num_steps)), MOST_STEPS)
    chosen = trace.check_steps(steps) if steps is not None else every
    if not chosen:
        raise TraceError("latents(steps=()): name at least one step, or leave steps out")
    whole, trace = trace, one_frame(trace, frame)
    values = np.stack([trace.scaled_latents(step) for step in chosen])
    reach = reach_of(values, _QUANTILE) or 1.0
    channels, y, x = values.shape[1:]
    with panels(channels, len(chosen), aspect=y / x, top=0.6) as (figure, axes):
        figure.suptitle(run_title(trace), fontsize=9)
        for column, step in enumerate(chosen):
            axes[0, column].set_title(step_title(trace, step), fontsize=SMALL)
            for channel in range(channels):
                drawn = axes[channel, column].imshow(values[column, channel], cmap=DIVERGING, vmin=-reach, vmax=reach)
        for channel in range(channels):
            row_label(axes[channel, 0], wording("latents.channel", number=channel))
        colour_bar(figure, drawn, axes, label=wording("latents.value"), extend="both", shrink=0.8, pad=0.01)
    given: dict[str, Any] = {"steps": list(chosen)} if steps is not None else {}
    given |= {} if frame is None else {"frame": index(frame)}
    return Picture(
        figure=figure,
        data={"latents": values, "steps": np.array(chosen)},
        alt=wording(
            "latents.alt",
            channels=counted(channels, "channel"),
            steps=steps_named(chosen),
            of=trace.num_steps,
            reach=f"{reach:.2g}",
            prompt=in_words(trace),
        ),
        caption=wording(f"latents.caption.{trace.kind}"),
        call=line_of_code("latents", f"trace{options(given)}", whole),
    )
