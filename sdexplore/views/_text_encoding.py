"""What a text encoder makes of a prompt: how alike its tokens are, and its own attention."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from ..base.errors import TokenError
from ..figures.alt_texts import said
from ..figures.colours import DIVERGING, FAINT, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import quoted
from ..figures.not_numbers import top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.text_encoding import TextEncoding
from ..strings.wording import listed, wording
from .made_from import made_from

PADDING = 2
_MOST = 6  # layers in a figure by default
_LABEL = 12  # characters of a token
_GAMMA = 0.5
_SIZE = 8.5  # points in a figure as wide as the column
_BESIDE, _LEAST = 1.5, 1.4  # inches for names of rows and the colour bar; least width of a panel
_FEW = 14  # tokens that three panels beside each other have room to name


@made_from("pipeline", calls=["text_encoding"])
def text_similarity(encoding: TextEncoding, layers: Sequence[int] | None = None, padding: int = PADDING) -> Picture:
    """Draws how alike the tokens of a prompt are after each layer of its text encoder: cosines, a panel a layer.

    Row and column are tokens in the order of the prompt, start and end included, and the first few of the padding; of
    a long prompt, every second or third is named.
    Colour is the cosine of the angle between their hidden states, from −1 (blue) over 0 (white) to 1 (red, as on the
    diagonal), the same in all panels. Layer 0 is token plus position embedding; hidden states are shown before the
    final layer norm, which the UNet's copy has gone through in SD 1.x and 2.x.

    Args:
        encoding: One of `sdx.text_encoding(pipe, prompt)`.
        layers: Which hidden states, negative ones counted from the end; by default six from first to last.
        padding: How many of the padding tokens.

    Raises:
        TokenError: There is no such layer.
    """
    chosen = _layers(encoding, layers, len(encoding.hidden_states))
    shown = list(encoding.shown_positions(padding))
    found = np.stack([encoding.similarity(layer)[np.ix_(shown, shown)] for layer in chosen])
    names = [wording("text.embeddings") if layer == 0 else wording("text.layer", layer=layer) for layer in chosen]
    with _matrices(encoding, names, shown, min(_columns(shown), len(chosen))) as (figure, axes, size):
        for ax, matrix in zip(axes, found, strict=True):
            drawn = ax.imshow(matrix, cmap=DIVERGING, vmin=-1.0, vmax=1.0)
        _bar(figure, axes, drawn, wording("text_similarity.cosine"), size)
    text = [i for i, p in enumerate(shown) if encoding.tokens.tokens[p].kind == "text"]
    apart = ~np.eye(len(text), dtype=bool)
    means = [float(matrix[np.ix_(text, text)][apart].mean()) if len(text) > 1 else float("nan") for matrix in found]
    return Picture(
        figure=figure,
        data={"similarity": found, "layers": np.array(chosen), "positions": np.array(shown)},
        alt=wording(
            "text_similarity.alt",
            prompt=quoted(encoding.tokens.text),
            encoder=encoding.encoder,
            layers=listed(map(str, chosen)),
            words=wording("text_similarity.words", first=said(means[0], ".2f"), last=said(means[-1], ".2f"))
            if len(text) > 1
            else wording("text_similarity.no_words"),
        ),
        caption=wording("text_similarity.caption", encoder=encoding.encoder),
        call=call_of("text_similarity", encoding, layers, chosen, padded(padding)),
    )


@made_from("pipeline", calls=["text_encoding"])
def text_attention(
    encoding: TextEncoding, layers: Sequence[int] | None = None, heads: Sequence[int] | None = None
) -> Picture:
    """Draws the text encoder's own self-attention: which earlier tokens each token looked at.

    A panel a layer; with heads, a row a head beneath each other. Row: the token that looks; column: what it looks at;
    colour: the probability, one scale from 0 for all panels, printed at the bar. The scale is of square roots, since
    most of the weight often lies on the first token. Grey is what the causal mask hides: in a causal encoder no token
    sees a later one, so the first token is the same in every prompt. The padding behind the end is left out; of a long
    prompt, every second or third token is named.

    Args:
        encoding: One of `sdx.text_encoding(pipe, prompt)`.
        layers: Which, 1 for the first, negative ones counted from the end; by default six from first to last.
        heads: Which heads, from 0; by default their mean.

    Raises:
        TokenError: There is no such layer or head; or the attention was not kept.
    """
    if encoding.attention is None:
        raise TokenError(
            f"no attention of {encoding.encoder} was kept: sdx.text_encoding(pipe, prompt, attention=True)"
        )
    count, total = encoding.attention.shape[:2]
    chosen = _layers(encoding, layers, count, first=1)
    rows = tuple(heads) if heads is not None else (None,)
    if not rows or any(head is not None and not 0 <= head < total for head in rows):
        raise TokenError(f"heads={heads!r}: the layers have {total} heads, from 0")
    shown = list(encoding.shown_positions(0))
    whole = encoding.attention[np.array(chosen) - 1][..., shown, :][..., shown]
    found = np.stack([whole.mean(axis=1) if head is None else whole[:, head] for head in rows])
    hidden = np.triu(np.ones(found.shape[-2:], bool), 1) & encoding.causal
    cmap = colormaps[SEQUENTIAL].with_extremes(bad=FAINT)
    per_row = min(_columns(shown), len(chosen)) if heads is None else len(chosen)
    flat = found.reshape(-1, *found.shape[-2:])
    names = [
        wording("text.layer", layer=layer) if head is None else wording("text_attention.head", layer=layer, head=head)
        for head in rows
        for layer in chosen
    ]
    with _matrices(encoding, names, shown, per_row) as (figure, axes, size):
        norm = PowerNorm(_GAMMA, vmin=0.0, vmax=top_of(flat) or 1.0)
        for ax, matrix in zip(axes, flat, strict=True):
            drawn = ax.imshow(np.ma.masked_array(matrix, hidden), cmap=cmap, norm=norm)
        label = "text_attention.mean" if heads is None else "text_attention.probability"
        _bar(figure, axes, drawn, wording(label), size)
    text = [i for i, p in enumerate(shown) if encoding.tokens.tokens[p].kind == "text"]
    share = said(found[:, :, text, 0].mean(), ".0%") if text else ""
    return Picture(
        figure=figure,
        data={"attention": found, "layers": np.array(chosen), "positions": np.array(shown)},
        alt=wording(
            "text_attention.alt",
            prompt=quoted(encoding.tokens.text),
            encoder=encoding.encoder,
            layers=listed(map(str, chosen)),
            seen=wording("text_attention.causal" if encoding.causal else "text_attention.all"),
            sink=wording("text_attention.sink" if text else "text_attention.no_word", share=share),
        ),
        caption=wording(
            "text_attention.caption.causal" if encoding.causal else "text_attention.caption.all",
            encoder=encoding.encoder,
        ),
        call=call_of("text_attention", encoding, layers, chosen, "" if heads is None else f", heads={list(heads)}"),
    )


def _layers(encoding: TextEncoding, layers: Sequence[int] | None, count: int, first: int = 0) -> tuple[int, ...]:
    if layers is None:
        last = first + count - 1
        many = min(_MOST, count)
        return tuple(round(first + i * (last - first) / max(1, many - 1)) for i in range(many))
    chosen = tuple(encoding.layer(layer) for layer in layers)
    if not chosen or min(chosen) < first:
        raise TokenError(f"layers={layers!r}: name at least one, from {first}")
    return chosen


def _columns(shown: Sequence[int]) -> int:
    """How many panels stand beside each other: fewer where there are many tokens to name."""
    return 3 if len(shown) <= _FEW else 2


@contextmanager
def _matrices(
    encoding: TextEncoding, names: Sequence[str], shown: Sequence[int], columns: int
) -> Iterator[tuple[Figure, list[Axes], float]]:
    """A figure with a square panel for each name, tokens along its sides, and the size of its letters in points."""
    rows = ceil(len(names) / columns)
    panel = min(3.2, max(_LEAST, (BLOG_COLUMN - _BESIDE) / columns))
    wide = panel * columns + _BESIDE
    size = _SIZE * max(1.0, wide / BLOG_COLUMN)  # so that it can be read where the figure is scaled to the column
    with style():
        figure = Figure(figsize=(wide, (panel + 0.35) * rows + 1.3), layout="compressed")
        figure.suptitle(title_of(encoding), fontsize=size)
        grid = list(panel_grid(figure, rows, columns, of=Axes).flat)
        axes = grid[: len(names)]
        for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
            ax.set_title(name, fontsize=size)
            below = number + columns >= len(names)
            _name(ax, encoding, shown, size, panel, below=below, left=number % columns == 0)
        for ax in grid[len(names) :]:
            ax.remove()
        yield figure, axes, size


def _name(
    ax: Axes, encoding: TextEncoding, shown: Sequence[int], size: float, panel: float, *, below: bool, left: bool
) -> None:
    """Names rows and columns by their tokens, as many as there is room for."""
    every = max(1, ceil(1.25 * size / 72 * len(shown) / panel))
    places = range(0, len(shown), every)
    names = [name_of(encoding, shown[place]) for place in places]
    ax.set_yticks(places if left else (), names if left else (), fontsize=size)
    ax.set_xticks(places if below else (), names if below else (), fontsize=size, rotation=90)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _bar(figure: Figure, axes: list[Axes], drawn: ScalarMappable, label: str, size: float) -> None:
    bar = figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.01)
    bar.set_label(label, fontsize=size)
    bar.ax.tick_params(labelsize=size)


def name_of(encoding: TextEncoding, position: int) -> str:
    """How figures name a token: its text, or its kind in brackets."""
    token = encoding.tokens.tokens[position]
    return drawable(token.text, _LABEL) if token.kind == "text" else f"⟨{wording(f'tokens.{token.kind}')}⟩"


def title_of(encoding: TextEncoding) -> str:
    """The prompt, and which encoder read it."""
    return wording(
        "text.title",
        prompt=drawable(encoding.tokens.text, 90),
        encoder=encoding.encoder,
        class_name=encoding.class_name,
    )


def padded(padding: int) -> str:
    """The argument as it stands in a line of code; "" for its default."""
    return "" if padding == PADDING else f", padding={padding}"


def call_of(view: str, encoding: TextEncoding, asked: object, chosen: Sequence[int], more: str = "") -> str:
    """The line of code of a view of one encoding."""
    layers = "" if asked is None else f", layers={list(chosen)}"
    made = f"sdx.text_encoding(pipe, {encoding.tokens.typed!r})[{encoding.encoder!r}]"
    return f"sdx.views.{view}({made}{layers}{more})"
