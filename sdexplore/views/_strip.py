"""The pictures of a comparison along one argument, side by side."""

from math import ceil

from ..base.errors import TraceError
from ..figures.alt_texts import in_words
from ..figures.code_lines import CodeLine
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import run_title
from ..strings.wording import counted, listed, wording
from ..trace.collections import Comparison
from .made_from import made_from

_COLUMNS = 6


@made_from("comparison")
def strip(comparison: Comparison) -> Picture:
    """Draws the final pictures of a Comparison over one argument in a row, each under its value.

    For `sdx.clip_skip_ladder` and `sdx.interpolation`, whose runs all begin with the same noise. The title names the
    prompt, and of an interpolation both, from left to right.

    Raises:
        TraceError: It is no Comparison, or one over several arguments; or a run has no picture.
    """
    if len(comparison.over) != 1:
        raise TraceError(f"strip: one argument makes a strip; this comparison is over {', '.join(comparison.over)}")
    ((name, values),) = comparison.over.items()
    images = [trace.recorded("image") for trace in comparison]
    first = comparison.traces[0]
    columns = min(_COLUMNS, len(images))
    y, x = images[0].shape[:2]
    with panels(ceil(len(images) / columns), columns, aspect=y / x, top=0.6) as (figure, axes):
        figure.suptitle(run_title(first, [name]), fontsize=9)
        for ax, value, image in zip(axes.flat, values, images, strict=False):
            ax.set_title(f"{name} {drawable(_named(value), 24)}", fontsize=SMALL)
            ax.imshow(image)
    return Picture(
        figure=figure,
        data={str(number): image for number, image in enumerate(images)},
        alt=wording(
            "strip.alt",
            pictures=counted(len(images), "picture"),
            prompt=in_words(first, [name]),
            name=name,
            values=listed(map(_named, values)),
        ),
        caption=wording("strip.caption", name=name),
        call=CodeLine(
            f"sdx.views.strip(comparison)  # over {name}, from trace {first.fingerprint}",
            comparison.traces,
            {name: list(values)},
        ),
    )


def _named(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or repr(value)
