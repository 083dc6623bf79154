"""What a module's features hold: their main directions, and the places that are alike."""

from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..analysis.features import feature_components as components_of
from ..analysis.features import feature_similarity as similarity_of
from ..analysis.features import size_of
from ..analysis.selection import Whole
from ..figures.alt_texts import in_words
from ..figures.cells import place_of
from ..figures.code_lines import line_of_code, options
from ..figures.colours import DIVERGING, PALETTE
from ..figures.font_families import drawable
from ..figures.labels import colour_bar
from ..figures.names import role_name
from ..figures.not_numbers import reach_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import grid_of, run_title
from ..strings.wording import counted, listed, wording
from ..trace.trace import Trace
from .made_from import made_from

_COLOURS = 3
_COLUMNS = 5
_DEFAULTS = {"step": -1, "count": 3, "role": "cond"}
_OPAQUE = 0.6


@made_from("trace")
def feature_components(trace: Trace, module: str, *, step: Whole = -1, count: int = 3, role: str = "cond") -> Picture:
    """Draws the main directions of a module's features: three as one picture in colours, and each alone.

    First stands the picture. Then the first three components as red, green and blue, each scaled from its least value
    (0) to its greatest (255): places of one colour have alike features, and colours of two figures do not compare. Then
    each component alone, one square a cell: blue is negative, white 0, red positive, on one scale that is printed at
    the colour bar; its title says which share of the variance it explains. The sign as such means nothing.

    Args:
        module, step, role: As `sdx.feature_components` takes them.
        count: How many components; with fewer than three there is no picture in colours.

    Raises:
        TraceError: As `sdx.feature_components`.
    """
    found = components_of(trace, module, step=step, count=count, role=role)
    colours = _in_colours(found.maps) if count >= _COLOURS else None
    y, x = found.maps.shape[1:]
    shown = count + (trace.image is not None) + (colours is not None)
    columns = min(_COLUMNS, shown)
    rows = ceil(shown / columns)
    reach = reach_of(found.maps) or 1.0
    with panels(rows, columns, aspect=y / x, top=0.6 + 0.25 * rows) as (figure, axes):
        figure.suptitle(f"{run_title(trace)}\n{_what(found.module, found.step, role, found.maps)}", fontsize=9)
        free = iter(axes.flat)
        if trace.image is not None:
            ax = next(free)
            ax.set_title(wording("panel.picture"), fontsize=9)
            ax.imshow(trace.image, extent=place_of(found.maps[0]))
        if colours is not None:
            ax = next(free)
            ax.set_title(wording("feature_components.colours"), fontsize=9)
            ax.imshow(colours)
            ax.set_xlabel(wording("feature_components.scaled"), fontsize=9)
        for number, (one, share) in enumerate(zip(found.maps, found.explained, strict=True), start=1):
            ax = next(free)
            ax.set_title(wording("feature_components.one", number=number, share=f"{share:.0%}"), fontsize=9)
            drawn = ax.imshow(one, cmap=DIVERGING, vmin=-reach, vmax=reach)
        colour_bar(figure, drawn, axes, label=wording("feature_components.bar"), shrink=0.8, pad=0.01)
    shares = listed(f"{share:.0%}" for share in found.explained)
    given = options({"step": step, "count": count, "role": role}, _DEFAULTS)
    way = "alone" if colours is None else "colours"
    return Picture(
        figure=figure,
        data={"components": found.maps} | ({} if colours is None else {"colours": colours}),
        alt=wording(
            f"feature_components.alt.{way}",
            components=counted(count, "component"),
            module=found.module,
            step=found.step,
            role=role_name(role),
            prompt=in_words(trace),
            grid=grid_of(found.maps),
            shares=shares,
        ),
        caption=wording(f"feature_components.caption.{way}", module=found.module),
        call=line_of_code("feature_components", f"trace, {module!r}{given}", trace),
    )


@made_from("trace")
def feature_similarity(
    trace: Trace, pixel: tuple[Whole, Whole], module: str, *, step: Whole = -1, role: str = "cond"
) -> Picture:
    """Draws which places have features alike to those of one pixel: over the picture, and bare.

    Colour is `sdx.feature_similarity`'s cosine, from −1 (blue) over 0 (white) to 1 (red), one square a cell of the
    module; over the picture the same colours lie, smoothed to pixels and 60 % opaque, so read values off the bare map.
    An orange frame marks the pixel's cell in every panel.

    Args:
        pixel: (row, column) in the picture.
        module, step, role: As `sdx.feature_similarity` takes them.

    Raises:
        TraceError: As `sdx.feature_similarity`.
    """
    found = similarity_of(trace, pixel, module, step=step, role=role)
    values = found.values
    y, x = values.shape
    pictured = trace.image is not None
    with panels(1, 3 if pictured else 1, aspect=y / x, top=0.8) as (figure, axes):
        figure.suptitle(f"{run_title(trace)}\n{_what(found.module, found.step, role, values)}", fontsize=9)
        free = iter(axes.flat)
        if trace.image is not None:
            for name in (wording("panel.picture"), wording("feature_similarity.alike")):
                ax = next(free)
                ax.set_title(name, fontsize=9)
                ax.imshow(trace.image, extent=place_of(values))
                _mark(ax, found.cell)
            ax.imshow(values, cmap=DIVERGING, vmin=-1.0, vmax=1.0, alpha=_OPAQUE, interpolation="bilinear")
        ax = next(free)
        ax.set_title(wording("feature_similarity.cells"), fontsize=9)
        drawn = ax.imshow(values, cmap=DIVERGING, vmin=-1.0, vmax=1.0)
        _mark(ax, found.cell)
        colour_bar(figure, drawn, axes, label=wording("feature_similarity.bar"), shrink=0.8, pad=0.01)
    high, wide = size_of(trace)
    alike = float(np.mean(values > 0.5))  # noqa: PLR2004  (half way)
    given = options({"step": step, "role": role}, _DEFAULTS)
    return Picture(
        figure=figure,
        data={"similarity": values},
        alt=wording(
            f"feature_similarity.alt.{'bare' if trace.image is None else 'over'}",
            module=found.module,
            step=found.step,
            role=role_name(role),
            prompt=in_words(trace),
            pixel=found.pixel,
            size=f"{high} × {wide}",
            grid=grid_of(values),
            alike=f"{alike:.0%}",
            least=f"{np.nanmin(values):.2g}",
        ),
        caption=wording("feature_similarity.caption", module=found.module),
        call=line_of_code("feature_similarity", f"trace, {found.pixel}, {module!r}{given}", trace),
    )


def _what(module: str, step: int, role: str, maps: np.ndarray) -> str:
    return wording("features.title", module=drawable(module, 70), step=step, role=role_name(role), grid=grid_of(maps))


def _in_colours(maps: np.ndarray) -> np.ndarray:
    """The first three components as (y, x, 3), each from 0 at its least to 255 at its greatest."""
    first = maps[:_COLOURS].astype(np.float64)
    least = first.min(axis=(1, 2), keepdims=True)
    reach = np.maximum(first.max(axis=(1, 2), keepdims=True) - least, np.finfo(np.float64).tiny)
    return np.moveaxis(np.rint(255 * (first - least) / reach).astype(np.uint8), 0, -1)


def _mark(ax: Axes, cell: tuple[int, int]) -> None:
    row, column = cell
    for colour, wide in (("black", 4.0), (PALETTE[1], 2.0)):  # black around it, to be seen on any ground
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, color=colour, linewidth=wide))
