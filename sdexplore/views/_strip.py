"""The pictures of a comparison along one argument, side by side."""

from math import ceil

from ..display import clip
from ..errors import TraceError
from ..picture import Picture, drawable
from ..traces import Comparison
from ._figure import panels, run_title

_COLUMNS = 6


def strip(comparison: Comparison) -> Picture:
    """Draws the final pictures of a Comparison over one argument in a row, each under its value.

    For `sdx.clip_skip_ladder` and `sdx.interpolation`, whose runs all begin with the same noise. The title names the
    prompt, and of an interpolation both, from left to right.

    Raises:
        TraceError: The comparison is over several arguments; or a run has no picture.
    """
    if len(comparison.over) != 1:
        raise TraceError(f"strip: one argument makes a strip; this comparison is over {', '.join(comparison.over)}")
    ((name, values),) = comparison.over.items()
    images = [trace.recorded("image") for trace in comparison]
    call = comparison.traces[0].call
    both = (
        f"“{drawable(str(call.get('prompt')), 60)}” → “{drawable(str(call['other']), 60)}”" if "other" in call else None
    )
    title = run_title(comparison.traces[0], [name])
    columns = min(_COLUMNS, len(images))
    y, x = images[0].shape[:2]
    with panels(ceil(len(images) / columns), columns, aspect=y / x, top=0.6) as (figure, axes):
        if both is not None:
            title = f"{both}, by {call.get('method')}\n{run_title(comparison.traces[0], ['prompt'])}"
        figure.suptitle(title, fontsize=9)
        for ax, value, image in zip(axes.flat, values, images, strict=False):
            ax.set_title(f"{name} {drawable(_named(value), 24)}", fontsize=8)
            ax.imshow(image)
    subject = (
        f"from {clip(str(call.get('prompt')), 150)!r} to {clip(str(call['other']), 150)!r}"
        if both
        else (f"of {clip(str(comparison.traces[0].prompt or call.get('prompt')), 200)!r}")
    )
    return Picture(
        figure=figure,
        data={str(number): image for number, image in enumerate(images)},
        alt=f"{len(images)} pictures {subject}, {name} {', '.join(map(_named, values))}.",
        call=f"sdx.views.strip(comparison)  # over {name}, from trace {comparison.traces[0].fingerprint}",
    )


def _named(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
