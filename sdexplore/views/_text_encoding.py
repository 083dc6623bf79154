"""What a text encoder makes of a prompt: how alike its tokens are, how long their vectors, and its own attention."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from ..base.display import clip
from ..base.errors import TokenError
from ..figures.alt_texts import said
from ..figures.captions import with_details
from ..figures.colours import DIVERGING, FAINT, PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.not_numbers import finite, top_of
from ..figures.panels import panels
from ..figures.picture import Picture, drawable, style
from ..records.text_encoding import TextEncoding
from .made_from import made_from

_MOST = 6  # layers in a figure by default
_COLUMNS = 3
_LABEL = 12  # characters of a token
_GAMMA = 0.5
_PADDING = 2


@made_from("pipeline", calls=["text_encoding"])
def text_similarity(encoding: TextEncoding, layers: Sequence[int] | None = None, padding: int = _PADDING) -> Picture:
    """Draws how alike the tokens of a prompt are after each layer of its text encoder: cosines, a panel a layer.

    Row and column are tokens in the order of the prompt, start and end included, and the first few of the padding.
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
    columns = min(_COLUMNS, len(chosen))
    with panels(ceil(len(chosen) / columns), columns, top=1.0, least=2.6, of=Axes) as (figure, axes):
        figure.suptitle(_title(encoding), fontsize=9)
        for ax, layer, matrix in zip(axes.flat, chosen, found, strict=False):
            ax.set_title("embeddings" if layer == 0 else f"layer {layer}", fontsize=8)
            drawn = ax.imshow(matrix, cmap=DIVERGING, vmin=-1.0, vmax=1.0)
            _name(ax, encoding, shown, below=ax in axes[-1] or ax in axes.flat[len(chosen) - columns : len(chosen)])
        for ax in axes.flat[len(chosen) :]:
            ax.set_visible(False)
        figure.colorbar(drawn, ax=axes, label="cosine", shrink=0.7, pad=0.01)
    text = [i for i, p in enumerate(shown) if encoding.tokens.tokens[p].kind == "text"]
    apart = ~np.eye(len(text), dtype=bool)
    means = [float(matrix[np.ix_(text, text)][apart].mean()) if len(text) > 1 else float("nan") for matrix in found]
    return Picture(
        figure=figure,
        data={"similarity": found, "layers": np.array(chosen), "positions": np.array(shown)},
        alt=f"Cosine similarity of the tokens of {clip(encoding.tokens.text, 200)!r} after layers "
        f"{', '.join(map(str, chosen))} of {encoding.encoder}: two words are {said(means[0], '.2f')} alike on average "
        f"in the first and {said(means[-1], '.2f')} in the last.",
        call=_call("text_similarity", encoding, layers, chosen, _padded(padding)),
    )


@made_from("pipeline", calls=["text_encoding"])
def text_norms(encoding: TextEncoding, padding: int = _PADDING) -> Picture:
    """Draws how long each token's hidden state is after every layer of the text encoder.

    A line a token: Euclidean length (logarithmic axis) over layers, 0 for the embeddings. Black is the start token,
    blue the prompt's, light to dark in their order, orange the end, grey dashes the first of the padding.

    Args:
        encoding: One of `sdx.text_encoding(pipe, prompt)`.
        padding: How many of the padding tokens.
    """
    shown = list(encoding.shown_positions(padding))
    norms = encoding.norms[:, shown]
    text = [p for p in shown if encoding.tokens.tokens[p].kind == "text"]
    blues = dict(zip(text, colormaps["Blues"](np.linspace(0.35, 0.95, max(1, len(text)))), strict=False))
    looks = {"start": (PALETTE[7], "-"), "end": (PALETTE[1], "-"), "padding": (FAINT, "--")}
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 3.6), layout="constrained")
        figure.suptitle(_title(encoding), fontsize=9)
        ax = figure.subplots()
        for column, position in enumerate(shown):
            colour, dash = looks.get(encoding.tokens.tokens[position].kind, (blues.get(position, PALETTE[0]), "-"))
            name = f"{position}: {drawable(encoding.label(position), _LABEL)}"
            ax.plot(finite(norms[:, column]), color=colour, linestyle=dash, linewidth=1.3, label=name)
        ax.set(
            yscale="log", xlabel="layer (0: embeddings)", ylabel="length of the hidden state", xlim=(0, len(norms) - 1)
        )
        ax.set_xticks(range(0, len(norms), max(1, len(norms) // 12)))
        figure.legend(loc="outside right upper", fontsize=6.5, frameon=False, ncols=1 + len(shown) // 22)
    longest = int(np.where(np.isfinite(norms[-1]), norms[-1], -1.0).argmax())
    return Picture(
        figure=figure,
        data={"norms": norms, "positions": np.array(shown)},
        alt=f"Length of hidden states of {clip(encoding.tokens.text, 200)!r} over the layers of {encoding.encoder}, "
        f"from {_between(norms[0])} in the embeddings to {_between(norms[-1])} after the last layer, longest "
        f"{encoding.label(shown[longest])!r}.",
        call=_call("text_norms", encoding, None, (), _padded(padding)),
    )


def _between(values: np.ndarray) -> str:
    """The least and the greatest finite number."""
    finite = values[np.isfinite(values)]
    return f"{finite.min():.3g}–{finite.max():.3g}" if finite.size else "no number"


@made_from("pipeline", calls=["text_encoding"])
def text_attention(
    encoding: TextEncoding, layers: Sequence[int] | None = None, heads: Sequence[int] | None = None
) -> Picture:
    """Draws the text encoder's own self-attention: which earlier tokens each token looked at.

    A panel a layer; with heads, a row a head beneath each other. Row: the token that looks; column: what it looks at;
    colour: the probability, one scale from 0 for all panels, printed at the bar. The scale is of square roots, since
    most of the weight often lies on the first token. Grey is what the causal mask hides: in a causal encoder no token
    sees a later one, so the first token is the same in every prompt. The padding behind the end is left out.

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
    per_row = min(_COLUMNS, len(chosen)) if heads is None else len(chosen)
    lines = ceil(len(chosen) / per_row) if heads is None else len(rows)
    flat = found.reshape(-1, *found.shape[-2:])
    with panels(lines, per_row, top=1.0, least=2.6 if heads is None else 1.6, of=Axes) as (figure, axes):
        figure.suptitle(_title(encoding), fontsize=9)
        norm = PowerNorm(_GAMMA, vmin=0.0, vmax=top_of(flat) or 1.0)
        for number, (ax, matrix) in enumerate(zip(axes.flat, flat, strict=False)):
            head = rows[number // len(chosen)]
            which = "mean of heads" if head is None else f"head {head}"
            ax.set_title(f"layer {chosen[number % len(chosen)]}, {which}", fontsize=8)
            drawn = ax.imshow(np.ma.masked_array(matrix, hidden), cmap=cmap, norm=norm)
            _name(ax, encoding, shown, below=number >= len(flat) - per_row, left=number % per_row == 0)
        for ax in axes.flat[len(flat) :]:
            ax.set_visible(False)
        figure.colorbar(drawn, ax=axes, label="probability (√ scale)", shrink=0.7, pad=0.01)
    text = [i for i, p in enumerate(shown) if encoding.tokens.tokens[p].kind == "text"]
    sink = "There is no word."
    if text:
        sink = f"The words give {said(found[:, :, text, 0].mean(), '.0%')} of theirs to the first token on average."
    seen = "each sees itself and what is before it" if encoding.causal else "each sees all"
    return Picture(
        figure=figure,
        data={"attention": found, "layers": np.array(chosen), "positions": np.array(shown)},
        alt=with_details(
            f"Self-attention of {encoding.encoder} over {clip(encoding.tokens.text, 200)!r}, layers "
            f"{', '.join(map(str, chosen))}",
            f"{seen}. {sink}".removesuffix("."),
        ),
        call=_call("text_attention", encoding, layers, chosen, "" if heads is None else f", heads={list(heads)}"),
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


def _name(ax: Axes, encoding: TextEncoding, shown: Sequence[int], *, below: bool = True, left: bool = True) -> None:
    """Names rows and columns by their tokens."""
    names = [drawable(encoding.label(position), _LABEL) for position in shown]
    size = 6.0 if len(names) > 16 else 7.0  # noqa: PLR2004  (what still fits)
    places = range(len(names))
    ax.set_yticks(places if left else (), names if left else (), fontsize=size)
    ax.set_xticks(places if below else (), names if below else (), fontsize=size, rotation=90)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _title(encoding: TextEncoding) -> str:
    return f"“{drawable(encoding.tokens.text, 90)}”\n{encoding.encoder}, {encoding.class_name}"


def _padded(padding: int) -> str:
    return "" if padding == _PADDING else f", padding={padding}"


def _call(view: str, encoding: TextEncoding, asked: object, chosen: Sequence[int], more: str = "") -> str:
    layers = "" if asked is None else f", layers={list(chosen)}"
    made = f"sdx.text_encoding(pipe, {encoding.tokens.typed!r})[{encoding.encoder!r}]"
    return f"sdx.views.{view}({made}{layers}{more})"
