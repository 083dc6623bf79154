"""Maps of any origin over a trace's picture."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import in_words, peak
from ..figures.cells import place_of
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import grid_of, run_title
from ..strings.wording import listed, wording
from ..trace.trace import Trace
from .made_from import made_from

Scale = Literal["shared", "each"]
_OVERLAY = 0.6
_MOST = 12


@made_from(refusal="it shows arrays of your own, which the sidecar does not hold; draw them with sdx.views.maps")
def maps(
    trace: Trace,
    maps: Mapping[str, Float[np.ndarray, "_y _x"]],
    *,
    scale: Scale = "each",
    label: str = "value",
    title: str = "",
) -> Picture:
    """Draws maps that were made apart from the trace, a column a map: over its picture, and bare on their own grids.

    For maps without a view of their own: published methods beside each other, words that the prompt does not have
    (`open_word_map`), where a word changes the noise prediction (`word_effect`), your own arrays. The bare row
    shows one square a pixel of the map; over the picture the same colours lie, smoothed to pixels and 60 % opaque.
    With scale="each" every map has its own scale, printed with its grid (rows × columns) beneath it; with "shared" all
    have one, printed at the colour bar. Scales begin at 0, or at the smallest value where that is negative.

    Args:
        maps: Title → map (y, x).
        scale: "each", or "shared" where the maps are of one kind.
        label: What the values are, at the colour bar.
        title: What the maps are of, above the run: word, role, steps, layers, which the maps themselves do not tell.

    Raises:
        TraceError: There is no map, more than twelve, or one that is no finite (y, x).
    """
    drawn = {str(name): np.asarray(pixels) for name, pixels in maps.items()}
    if not 0 < len(drawn) <= _MOST:
        raise TraceError(f"maps: these are {len(drawn)}; give 1 to {_MOST}, as in {{'cat': word_map(trace, 'cat')}}")
    for name, pixels in drawn.items():
        if pixels.ndim != 2 or not pixels.size or not np.isfinite(pixels).all():  # noqa: PLR2004  (y, x)
            raise TraceError(f"maps: {clip(name)!r} is no map (y, x) of finite numbers; its shape is {pixels.shape}")
    above = f"{drawable(title, 100)}\n{run_title(trace)}" if title else run_title(trace)
    figure = columns(trace, tuple(drawn), tuple(drawn.values()), scale=scale, title=above, label=label)
    asked = {"scale": scale, "label": label, "title": title}
    alt = wording(
        f"maps.alt.{scale}{'' if trace.image is not None else '.bare'}",
        names=listed(map(clip, drawn)),
        label=clip(label),
        prompt=in_words(trace),
        peaks=wording("list.semicolon").join(peak(clip(name), pixels) for name, pixels in drawn.items()),
    )
    return Picture(
        figure=figure,
        data=drawn,
        alt=wording("maps.titled", title=clip(title), alt=alt) if title else alt,
        caption=wording("maps.caption.title", title=clip(title)) if title else wording("maps.caption"),
        call=line_of_code(
            "maps", f"trace, maps{options(asked, {'scale': 'each', 'label': 'value', 'title': ''})}", trace
        ),
    )


def _ends(pixels: np.ndarray) -> tuple[float, float]:
    """The least and the greatest finite number; 0 for both where there is none."""
    finite = pixels[np.isfinite(pixels)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def columns(
    trace: Trace,
    names: Sequence[str],
    maps: Sequence[np.ndarray],
    *,
    scale: Scale,
    title: str,
    label: str,
    grid: str | None = None,
) -> Figure:
    """A column a map: over the trace's picture where there is one, and bare beneath, on a grid of this name.

    Args:
        grid: None: the latent grid.
    """
    if scale not in ("shared", "each"):
        raise TraceError(f"scale={scale!r}: scale is 'shared' or 'each'")
    ends = [_ends(pixels) for pixels in maps]
    low, top = min(least for least, _ in ends), max(most for _, most in ends)
    grids = {grid_of(pixels) for pixels in maps}
    y, x = maps[0].shape
    over = trace.image is not None
    with panels(1 + over, len(maps) + over, aspect=y / x, top=0.8) as (figure, axes):
        figure.suptitle(title, fontsize=9)
        row_label(axes[-1, 0], (grid or wording("maps.latent_grid")) if len(grids) == 1 else wording("maps.own_grid"))
        if over:
            row_label(axes[0, 0], wording("maps.over"))
            axes[0, 0].imshow(trace.image)
            axes[0, 0].set_title(wording("panel.picture"), fontsize=9)
        for column, (name, pixels) in enumerate(zip(names, maps, strict=True), start=int(over)):
            least, most = (low, top) if scale == "shared" else _ends(pixels)
            limits = {"vmin": min(0.0, least), "vmax": most if most > min(0.0, least) else min(0.0, least) + 1.0}
            drawn = axes[-1, column].imshow(pixels, cmap=SEQUENTIAL, **limits)
            axes[0, column].set_title(drawable(name, 24), fontsize=9)
            own = wording("maps.scale", least=f"{limits['vmin']:.3g}", most=f"{most:.3g}") if scale == "each" else ""
            beneath = (own, grid_of(pixels) if len(grids) > 1 else "")
            axes[-1, column].set_xlabel("\n".join(filter(None, beneath)), fontsize=SMALL)
            if trace.image is not None:
                axes[0, column].imshow(trace.image)
                over_it = {"extent": place_of(trace.image), "interpolation": "bilinear", "alpha": _OVERLAY}
                axes[0, column].imshow(pixels, cmap=SEQUENTIAL, **over_it, **limits)
        if scale == "shared":
            colour_bar(figure, drawn, axes[-1, :], label=label, pad=0.01)
    return figure
