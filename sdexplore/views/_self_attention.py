"""Where pixels looked at other pixels."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..analysis.selection import Selection
from ..analysis.self_attention import components_of, map_of_pixel
from ..figures.alt_texts import in_words, peak_place
from ..figures.cells import place_of
from ..figures.code_lines import line_of_code, options
from ..figures.colours import DIVERGING, PALETTE, SEQUENTIAL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar
from ..figures.names import role_name, steps_named
from ..figures.not_numbers import reach_of, top_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import grid_of, run_title
from ..strings.wording import counted, wording
from ..trace.trace import Steps, Trace
from .made_from import made_from

_COLUMNS = 4


@made_from("trace")
def self_attention(
    trace: Trace,
    side: int,
    pixel: tuple[int, int] | None = None,
    components: int = 6,
    *,
    role: str = "cond",
    steps: Steps = None,
) -> Picture:
    """Draws the leading components of self-attention as pictures and, for one pixel, where it looked.

    The components are `self_attention_components`' of all recorded layers of that side: singular vectors of unit
    length, one square a pixel of the layer. Blue is negative, white 0, red positive, on one scale that is printed at
    the colour bar. Parts of the picture that are looked at alike have the same colour; the sign as such means nothing.
    First comes the picture. If a pixel is given, an orange square marks it there and on its map, in which colour is
    the probability (0 to 1) that it pays each pixel, on a scale from 0 printed beneath.

    Args:
        side: The longer side of the layers' grid, as recorded by Record(self_attention=(side,)).
        pixel: (row, column) on that grid.
        components: How many components.
        role, steps: Whose, and over which steps, as `word_map` takes them; None: over all recorded.

    Raises:
        TraceError: No such self-attention was recorded; the pixel is not on the grid; components is below 1.

    Source: Hertz et al. 2022, `show_self_attention_comp`.
    """
    selection = Selection(role, steps)
    vectors = components_of(trace, side, selection, components)
    looked = None if pixel is None else map_of_pixel(trace, pixel, side, selection)
    y, x = vectors.shape[1:]
    reach = reach_of(vectors) or 1.0
    shown = len(vectors) + (trace.image is not None) + (looked is not None)
    columns = min(_COLUMNS, shown)
    rows = ceil(shown / columns)
    with panels(rows, columns, aspect=y / x, top=0.6 + 0.25 * rows) as (figure, axes):
        when = _when(trace, steps)
        title = wording("self_attention.title", role=role_name(role), when=when, grid=grid_of(vectors))
        figure.suptitle(f"{run_title(trace)}\n{title}", fontsize=9)
        free = iter(axes.flat)
        if trace.image is not None:
            ax = next(free)
            ax.set_title(wording("panel.picture"), fontsize=9)
            ax.imshow(trace.image, extent=place_of(vectors[0]))
            _mark(ax, pixel)
        if looked is not None:
            ax = next(free)
            ax.set_title(wording("self_attention.pixel", pixel=pixel), fontsize=9)
            ax.imshow(looked, cmap=SEQUENTIAL, vmin=0.0, vmax=top_of(looked) or 1.0)
            ax.set_xlabel(wording("attention.range", top=f"{top_of(looked):.3g}"), fontsize=9)
            _mark(ax, pixel)
        for number, vector in enumerate(vectors, start=1):
            ax = next(free)
            ax.set_title(wording("self_attention.component", number=number), fontsize=9)
            drawn = ax.imshow(vector, cmap=DIVERGING, vmin=-reach, vmax=reach)
        colour_bar(figure, drawn, axes, label=wording("self_attention.bar"), shrink=0.8, pad=0.01)
    at_pixel = "" if looked is None else wording("self_attention.looked", pixel=pixel, peak=peak_place(looked))
    given = {"pixel": pixel, "components": components} | selection.given
    arguments = f"trace, {side}{options(given, {'pixel': None, 'components': 6})}"
    return Picture(
        figure=figure,
        data={"components": vectors} | ({} if looked is None else {"pixel": looked}),
        alt=wording(
            "self_attention.alt",
            components=counted(len(vectors), "component"),
            grid=grid_of(vectors),
            when=when,
            prompt=in_words(trace),
            picture="" if trace.image is None else wording("self_attention.beside"),
            reach=f"{reach:.2g}",
            at_pixel=at_pixel,
        ),
        caption=wording(f"self_attention.caption.{'components' if looked is None else 'pixel'}", pixel=pixel),
        call=line_of_code("self_attention", arguments, trace),
    )


def _when(trace: Trace, steps: Steps) -> str:
    if isinstance(steps, int):
        return steps_named([trace.check_step(steps)])
    if steps is None:
        return wording("self_attention.over.all")
    return wording("self_attention.over.some", steps=drawable(str(steps), 40))


def _mark(ax: Axes, pixel: tuple[int, int] | None) -> None:
    if pixel is not None:
        row, column = pixel
        around = [withStroke(linewidth=4, foreground="black")]  # to be seen on any ground
        place = (column - 0.5, row - 0.5)
        ax.add_patch(Rectangle(place, 1, 1, fill=False, color=PALETTE[1], linewidth=2, path_effects=around))
