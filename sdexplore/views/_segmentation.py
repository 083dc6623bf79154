"""Which word wins at each pixel, and by how much."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from ..analysis.segmentation import winners_of
from ..analysis.selection import Heads, Layers, Selection, Word, words_of
from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import in_words, said
from ..figures.code_lines import line_of_code, options
from ..figures.colours import PALETTE, SEQUENTIAL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar
from ..figures.names import attention_name
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import first_words, run_title, selection_title
from ..strings.wording import listed, wording
from ..trace.trace import Steps, Trace
from .made_from import made_from

_LEGEND_COLUMNS = 4


@made_from("trace")
def segmentation(
    trace: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
) -> Picture:
    """Draws which word each latent pixel looks at most, and how clearly it won.

    Left the picture; in the middle one square a latent pixel in the colour of its winner, by the legend beneath, which
    gives each word's share of the pixels; right the margin, from 0 (dark: a tie with the second) to 1 (bright: alone),
    printed at the colour bar. Before they compete each word's map is divided by its own maximum. One word wins at
    every pixel: where the margin is small, the colour in the middle says little. The colours are Okabe and Ito's,
    which the colour-blind tell apart.

    Args:
        words: Two to eight words, phrases or positions; None: the words of the prompt, the first eight
            if there are more; the title then says so.
        role, steps, layers, heads: As `word_map` takes them.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: Fewer than two words or more than eight; what was asked for was not recorded.
    """
    chosen, cut = words, ""
    if words is None:
        chosen, cut = first_words(words_of(trace, role, None))
    selection = Selection(role, steps, layers, heads)
    found = winners_of(trace, chosen, selection)
    if len(found.words) > len(PALETTE):
        raise TraceError(
            f"segmentation: {len(found.words)} words are more than the {len(PALETTE)} colours that can be told apart"
        )
    colours = PALETTE[: len(found.words)]
    known = np.isfinite(found.margin)  # where the maps hold no number, no word wins
    winner = np.where(known, found.winner, np.nan).astype(np.float32)
    typical = np.median(found.margin[known]) if known.any() else np.nan
    shares = [float((found.mask(word) & known).mean()) for word in found.words]
    y, x = found.winner.shape
    pictured = trace.image is not None
    with panels(1, 2 + pictured, aspect=y / x, top=0.75 + 0.2 * ceil(len(colours) / _LEGEND_COLUMNS)) as (figure, axes):
        figure.suptitle(f"{run_title(trace)}\n{selection_title(trace, selection.of(trace))}{cut}", fontsize=9)
        if pictured:
            axes[0, 0].imshow(trace.image)
            axes[0, 0].set_title(wording("panel.picture"), fontsize=9)
        axes[0, -2].imshow(
            found.winner if known.all() else winner, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(colours) - 0.5
        )
        axes[0, -2].set_title(wording("segmentation.winner"), fontsize=9)
        drawn = axes[0, -1].imshow(found.margin, cmap=SEQUENTIAL, vmin=0.0, vmax=1.0)
        axes[0, -1].set_title(wording("segmentation.margin"), fontsize=9)
        colour_bar(figure, drawn, axes[0, -1], label=wording("segmentation.bar"), pad=0.02)
        handles = [
            Patch(color=colour, label=f"{drawable(word, 24)} {share:.0%}")
            for word, colour, share in zip(found.words, colours, shares, strict=True)
        ]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(_LEGEND_COLUMNS, len(handles)), frameon=False
        )
    won = listed(f"{clip(word)} {share:.0%}" for word, share in zip(found.words, shares, strict=True))
    given = "" if words is None else f", {words!r}"
    return Picture(
        figure=figure,
        data={"winner": found.winner, "margin": found.margin},
        alt=wording(
            f"segmentation.alt.{'beside' if pictured else 'alone'}",
            prompt=in_words(trace),
            won=won,
            median=said(typical, ".2f"),
        ),
        caption=wording("segmentation.caption", attention=attention_name(selection.of(trace))),
        call=line_of_code("segmentation", f"trace{given}{options(selection.given)}", trace),
    )
