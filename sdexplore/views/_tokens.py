"""How a prompt becomes tokens."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..base.display import clip, count, width
from ..base.errors import TokenError
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.names import notes_named, quoted
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.wrapping import wrapped
from ..strings.wording import counted, wording
from ..text.tokenization import Token, Tokenization, Tokenizations
from .made_from import made_from

_SHADES = ("#cfe3fa", "#fde3c8")  # of words in turn, so that their borders show
_LOOKS = {"start": "#eeeeee", "end": "#eeeeee", "padding": "#eeeeee", "truncated": "#f3c6c6"}
_ROW, _HEAD = 0.64, 0.27  # inches of a row of boxes, and of what stands over a tokenizer's
_TEXT, _SIZE = 9.0, 8.4  # points of the text in a box, and of all else
_CHARACTER, _DIGIT = 0.085, 0.076  # inches of a letter of each
_MOST = 200
_NOTE, _LINE = 0.17, 100.0  # inches and characters of a line of a note


@made_from("pipeline", calls=["tokens"])
def tokens(source: Tokenization | Tokenizations) -> Picture:
    """Draws a prompt as boxes, a box a token, for each tokenizer: what it covers, its position, its id.

    Boxes of one word share a colour, and words take blue and orange in turn; what belongs to no word is white. Grey
    boxes are the tokenizer's own: start, end, and the padding, drawn as one box that says how many there are. Red ones
    were cut off: the model never sees them; where there are more than 200 tokens these are counted, not drawn. A
    character that is spelled by several tokens stands in each of their boxes with which part it is. Beneath stands what
    `sdx.tokens` notes, as where two tokenizers part.

    Args:
        source: What `sdx.tokens(pipe, text)` returns, or one of it.

    Raises:
        TokenError: More than 200 tokens that the model sees, which the table of `sdx.tokens` shows; or no tokenizer at
            all.
    """
    shown = {source.tokenizer: source} if isinstance(source, Tokenization) else dict(source)
    if not shown:
        raise TokenError("there is nothing to draw: this pipeline has no tokenizer")
    drawn = {name: _drawn(one) for name, one in shown.items()}
    lines = [(name, line) for name, found in drawn.items() for line in _lines(found)]
    notes = _notes(source)
    with style():
        high = _ROW * len(lines) + _HEAD * len(shown) + _NOTE * len(notes) + 0.1
        figure = Figure(figsize=(BLOG_COLUMN, high), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        y, last = 0.0, None
        for name, line in lines:
            if name != last:
                y += _HEAD
                ax.text(0, y, _head(shown[name], name, len(drawn[name])), fontsize=_SIZE, color="#555555")
                y, last = y + 0.08, name
            x = 0.0
            for text, note, colour in line:
                wide = _wide(text, note)
                ax.add_patch(_box(x, y, wide, colour))
                ax.text(x + wide / 2, y + 0.17, text, ha="center", va="center", fontsize=_TEXT)
                ax.text(x + wide / 2, y + 0.385, note, ha="center", va="center", fontsize=_SIZE, color="#555555")
                x += wide + 0.05
            y += _ROW
        for note in notes:
            y += _NOTE
            ax.text(0, y - 0.05, drawable(note), fontsize=_SIZE, color="#a03020")
        ax.set(xlim=(-0.02, BLOG_COLUMN), ylim=(y, 0))
    first = next(iter(shown.values()))
    real = [t for t in first.tokens if t.kind == "text"]
    lost = len(first.truncated)
    one_of = f"[{source.tokenizer!r}]" if isinstance(source, Tokenization) else ""
    return Picture(
        figure=figure,
        data={name: np.array(one.ids) for name, one in shown.items()},
        alt=wording(
            "tokens.alt.lost" if lost else "tokens.alt" if real else "tokens.alt.none",
            prompt=quoted(first.text),
            tokens=counted(len(real), "token"),
            pieces=clip(" | ".join(t.text for t in real), 400),
            lost=counted(lost, "token"),
            notes="".join(wording("tokens.note", note=clip(note, 300)) for note in notes_named(source)),
        ),
        caption=wording("tokens.caption.lost" if lost else "tokens.caption"),
        call=f"sdx.views.tokens(sdx.tokens(pipe, {first.typed!r}){one_of})",
    )


def _head(one: Tokenization, name: str, drawn: int) -> str:
    """What stands over a tokenizer's boxes: how many positions it fills, and what was cut off and is not drawn."""
    fields = {"tokenizer": drawable(name), "used": one.length, "limit": one.max_length}
    head = wording("tokens.head" if one.max_length else "tokens.head.endless", **fields)
    left = len(one.tokens) - drawn
    return wording("tokens.head.lost", head=head, left=count(left)) if left else head


def _notes(source: Tokenization | Tokenizations) -> list[str]:
    """What a reader should know of these tokens, in lines that fit the figure."""
    return [line for note in notes_named(source) for line in wrapped(note.strip(), _LINE, width).split("\n")]


def _drawn(one: Tokenization) -> list[Token]:
    """The tokens to draw: all of them, or those that the model sees where that is too many."""
    tokens = list(one.tokens)
    if sum(token.kind != "padding" for token in tokens) > _MOST:
        tokens = [token for token in tokens if token.kind != "truncated"]
    if one.length > _MOST:
        raise TokenError(
            f"{one.tokenizer} made {one.length} tokens: too many for a figure; sdx.tokens shows them as a table"
        )
    return tokens


def _lines(tokens: Sequence[Token]) -> list[list[tuple[str, str, str]]]:
    """Boxes (text, note, colour) broken into lines that fit the figure."""
    boxes: list[tuple[str, str, str]] = []
    for padding, run in groupby(tokens, lambda token: token.kind == "padding"):
        alike = list(run)
        if padding:
            place = f"{alike[0].position}–{alike[-1].position}" if len(alike) > 1 else str(alike[0].position)
            boxes.append((wording("tokens.paddings", n=len(alike)), place, _LOOKS["padding"]))
        else:
            boxes += map(_look, alike)
    lines: list[list[tuple[str, str, str]]] = [[]]
    room = BLOG_COLUMN
    for box in boxes:
        room -= _wide(box[0], box[1]) + 0.05
        if room < 0:
            lines.append([])
            room = BLOG_COLUMN - _wide(box[0], box[1]) - 0.05
        lines[-1].append(box)
    return lines


def _look(token: Token) -> tuple[str, str, str]:
    special = token.kind in ("start", "end")
    text = wording(f"tokens.{token.kind}") if special else drawable(token.text, 40)
    if token.part is not None:
        text += f" {token.part[0]}/{token.part[1]}"
    place = wording("tokens.truncated") if token.position is None else str(token.position)
    colour = _LOOKS.get(token.kind) or ("#ffffff" if token.word is None else _SHADES[token.word % 2])
    return text, f"{place}: {token.id}", colour


def _wide(text: str, note: str) -> float:
    return max(width(text) * _CHARACTER, width(note) * _DIGIT) + 0.12


def _box(x: float, y: float, wide: float, colour: str) -> Rectangle:
    return Rectangle((x, y), wide, 0.5, facecolor=colour, edgecolor="#999999", linewidth=0.6)
