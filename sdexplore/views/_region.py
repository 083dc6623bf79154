"""Which words a part of the picture looks at."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..analysis.region import Region, RegionWords, ranked_in, region_mask
from ..analysis.selection import Heads, Layers, Selection, Word
from ..base.display import clip
from ..figures.alt_texts import in_words, said
from ..figures.cells import place_of
from ..figures.code_lines import line_of_code, options
from ..figures.colours import FAINT, PALETTE
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import attention_name
from ..figures.not_numbers import top_of
from ..figures.panels import Panel
from ..figures.picture import Picture, style
from ..figures.titles import run_title, selection_title
from ..strings.wording import listed, wording
from ..trace.trace import Steps, Trace
from .made_from import made_from

_DIMMED = 0.65


@made_from("trace", "mask")
def region(
    trace: Trace,
    region: Region,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> Picture:
    """Draws which words a region of the picture looks at: the region at the left, words ranked at the right.

    Left: the picture, dimmed outside the region; a box has an orange frame besides. (Without a picture, the region is
    white on black.) Right: two bars a word, most looked at first, with their values: the mean probability (axis from 0)
    that pixels pay the word inside the region, dark blue, and in the rest of the picture, grey.

    Args:
        region: A box (left, top, right, bottom) in image pixels, or a boolean mask (Y, X) of any size laid over the
            picture; the call names it `mask`.
        words: Words, phrases or positions; None: every word of the prompt.
        role, steps, layers, heads: As `word_map` takes them.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: The region is empty or outside the picture; what was asked for was not recorded.
    """
    selection = Selection(role, steps, layers, heads)
    found, read = ranked_in(trace, region, words, selection), selection.of(trace)
    mask = region_mask(trace, region)
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 0.9 + max(2.4, 0.42 * len(found.words))), layout="constrained")
        figure.suptitle(f"{run_title(trace)}\n{selection_title(trace, read)}", fontsize=9)
        grid = figure.add_gridspec(1, 2, width_ratios=(1, 1.6))
        left, right = figure.add_subplot(grid[0], axes_class=Panel), figure.add_subplot(grid[1])
        dimmed_outside(left, trace.image, region, mask)
        left.set_xlabel(wording("region.area", area=f"{found.area:.1%}"), fontsize=9)
        _bars(right, found)
    own = {"mask": region} if isinstance(region, np.ndarray) else {}
    box = "mask" if own else repr(tuple(region))
    given = "" if words is None else f", {words!r}"
    ranked = listed(f"{clip(word)} {said(p)}" for word, p in zip(found.words, found.inside, strict=True))
    return Picture(
        figure=figure,
        data={"mask": mask, "inside": np.array(found.inside), "outside": np.array(found.outside)},
        alt=wording(
            f"region.alt.{'mask' if trace.image is None else 'picture'}",
            prompt=in_words(trace),
            area=f"{found.area:.1%}",
            ranked=ranked,
        ),
        caption=wording("region.caption", attention=attention_name(read)),
        call=line_of_code("region", f"trace, {box}{given}{options(selection.given)}", trace, given=own),
    )


def dimmed_outside(ax: Axes, image: np.ndarray | None, region: Region, mask: np.ndarray) -> None:
    """Draws a picture dimmed outside a region, and a frame around a box; without a picture, the mask in white on black.

    Args:
        mask: How much of each pixel lies in the region, on any grid.
    """
    if image is None:
        ax.imshow(mask, cmap="gray", vmin=0.0, vmax=1.0)
        return
    ax.imshow(image)
    veil = np.zeros((*mask.shape, 4), np.float32)
    veil[..., 3] = _DIMMED * (1 - mask)
    ax.imshow(veil, extent=place_of(image))
    if not isinstance(region, np.ndarray):
        left, top, right, bottom = region
        ax.add_patch(
            Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, color=PALETTE[1], linewidth=2)
        )


def _bars(ax: Axes, found: RegionWords) -> None:
    places = np.arange(len(found.words))
    for shift, values, colour, name in (
        (-0.2, found.inside, PALETTE[0], wording("region.inside")),
        (0.2, found.outside, FAINT, wording("region.outside")),
    ):
        drawn = ax.barh(places + shift, np.nan_to_num(values), height=0.38, color=colour, label=name)
        texts = [f"{value:.3g}" if np.isfinite(value) else "–" for value in values]
        ax.bar_label(drawn, texts, padding=2, fontsize=9)
    ax.set_yticks(places, [drawable(word, 24) for word in found.words])
    ax.invert_yaxis()
    longest = top_of(np.array([*found.inside, *found.outside])) or 1.0
    ax.locator_params(axis="x", nbins=6)
    ax.set(xlim=(0, 1.18 * longest), xlabel=wording("region.bars"))
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)  # clear of the bars
