"""The pictures of a comparison on its grid."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from ..base.display import clip, short, width
from ..base.errors import TraceError
from ..figures.alt_texts import in_words
from ..figures.code_lines import CodeLine
from ..figures.colours import DIVERGING
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import run_title, setting_in_words
from ..strings.wording import counted, listed, wording
from ..trace.collections import Comparison
from .made_from import made_from

_LONGEST = 28
_ACROSS = 104  # characters of a title over all columns together, so that titles do not meet
_LINE = 0.14  # inches of a further line of a title
_MOST = 12  # columns, beyond which a figure would be too wide to read
_TITLE = 0.2  # inches over a line of pictures, where each has its own titles


@made_from("comparison")
def comparison(source: Comparison, *, against: Mapping[str, Any] | None = None) -> Picture:
    """Draws the final picture of each cell on the comparison's grid.

    The last argument of `over` runs from left to right and stands over the columns; the others run downwards and stand
    at the left of the rows. More than 12 columns are wrapped: each row of the grid goes on in the line beneath. All
    cells began with the same noise unless the comparison is over the seed.

    Args:
        source: A Comparison.
        against: Settings of one cell, as `Comparison.at` takes them: instead of the pictures, each cell less that one,
            mean over red, green and blue, on −255..255. Blue is darker than there, white the same, red brighter; one
            scale, as far below 0 as above, printed at its colour bar. The cell itself is drawn as it is.

    Raises:
        TraceError: It is no Comparison; a cell has no picture; no cell, or several, have the settings; pictures are of
            different sizes.
    """
    return comparison_grid(source, "comparison") if against is None else _differences(source, dict(against))


def comparison_grid(source: Comparison, view: str) -> Picture:
    """The pictures of `source`, as `view` draws them."""
    images = [trace.recorded("image") for trace in source]
    return _drawn(source, images, None, f"sdx.views.{view}(comparison)", "")


def _differences(source: Comparison, settings: dict[str, Any]) -> Picture:
    chosen = source.at(**settings)
    images = [trace.recorded("image") for trace in source]
    base = chosen.recorded("image").astype(np.float32)
    if any(image.shape != base.shape for image in images):
        raise TraceError("comparison(against=…): the pictures have different sizes, so no pixel stands for another")
    changes = [
        image if trace is chosen else (image.astype(np.float32) - base).mean(axis=-1)
        for image, trace in zip(images, source, strict=True)
    ]
    reach = max((float(np.abs(change).max()) for change in changes if change.ndim == 2), default=0.0) or 1.0  # noqa: PLR2004  (y, x)
    call = f"sdx.views.comparison(comparison, against={settings!r})"
    return _drawn(source, changes, reach, call, listed(setting_in_words(*one) for one in settings.items()))


def _drawn(source: Comparison, images: Sequence[np.ndarray], reach: float | None, call: str, base: str) -> Picture:
    """The grid; `base` names the cell that was subtracted from the others, and is "" where none was."""
    across = len(list(source.over.values())[-1])
    lines = -(-across // _MOST)  # of the figure, for each row of the grid
    columns = -(-across // lines)
    rows = len(images) // across
    settings = list(source.settings())
    last = list(source.over)[-1]
    y, x = images[0].shape[:2]
    titles = [_label({last: cell[last]}, _ACROSS // columns) for cell in settings]
    taller = _LINE * max(title.count("\n") for title in titles)
    height = 0.6 + taller + ((_TITLE + taller) * rows * lines if lines > 1 else 0)
    with panels(rows * lines, columns, aspect=y / x, top=height) as (figure, axes):
        figure.suptitle(run_title(source.traces[0], source.over), fontsize=9)
        signed = None
        cells = [
            axes[row * lines + place // columns, place % columns] for row in range(rows) for place in range(across)
        ]
        for ax, image in zip(cells, images, strict=True):
            if image.ndim == 3:  # noqa: PLR2004  (y, x, rgb)
                ax.imshow(image)
            else:
                signed = ax.imshow(image, cmap=DIVERGING, vmin=-(reach or 1.0), vmax=reach)
        for ax, title in zip(cells[: across if lines == 1 else None], titles, strict=False):
            ax.set_title(title, fontsize=SMALL)
        for row in range(rows):
            others = {name: value for name, value in settings[row * across].items() if name != last}
            if others:
                row_label(axes[row * lines, 0], _label(others), size=SMALL)
        if signed is not None:
            colour_bar(figure, signed, axes, label=wording("comparison.difference"), shrink=0.8, pad=0.01)
    semicolon = wording("list.semicolon")
    named = semicolon.join(listed(setting_in_words(*one) for one in cell.items()) for cell in settings)
    over = {name: list(values) for name, values in source.over.items()}
    written = ", ".join(f"{name!r}: [{', '.join(map(short, values))}]" for name, values in over.items())
    told = {"pictures": counted(len(images), "picture"), "cells": named}
    told |= {} if reach is None else {"base": base, "reach": f"{reach:.3g}"}
    which = "less" if reach is not None else "grid"
    if "prompt" not in source.over:
        alt = wording(f"comparison.{which}.alt", **told, prompt=in_words(source.traces[0], source.over))
    else:
        alt = wording(f"comparison.{which}.prompts.alt", **told)
    names = listed(_argument(name) for name in source.over if name != "seed")
    noise = "noise" if list(source.over) == ["seed"] else "seeds" if "seed" in source.over else "settings"
    if reach is None:
        caption = wording(f"comparison.{noise}.caption", names=names)
    else:
        caption = wording("comparison.less.caption", base=clip(base))
    return Picture(
        figure=figure,
        data={str(number): image for number, image in enumerate(images)},
        alt=alt,
        caption=caption,
        call=CodeLine(f"{call}  # over={{{written}}}, from trace {source.traces[0].fingerprint}", source.traces, over),
    )


def _label(settings: Mapping[str, Any], wide: int = 2 * _LONGEST) -> str:
    return "\n".join(
        _filled(drawable(setting_in_words(name, value), 5 * _LONGEST), min(max(wide, _LONGEST // 2), 2 * _LONGEST))
        if name == "change" or value is None
        else f"{name} {drawable(short(value, str), _LONGEST) or repr(value)}"
        for name, value in settings.items()
    )


def _argument(name: str) -> str:
    return wording("comparison.change") if name == "change" else name


def _filled(text: str, wide: int) -> str:
    """The text in lines of about so many columns, of which a Japanese letter takes two."""
    return fill(text, max(1, wide * len(text) // max(1, width(text))))
