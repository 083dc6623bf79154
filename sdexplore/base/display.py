"""What a record shows: blocks of facts that become text and HTML alike, escaped and bounded.

A record lists its facts once, as a tuple of blocks (`Line`, `Table`, `Tree`, `Chips`, `Thumbnails`);
`to_text` and `to_html` render the same blocks, so the two never disagree. HTML uses no script
and no network: it folds with <details> and takes its colours from JupyterLab's theme.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_ROWS = 400
MOST_CHARACTERS = 160
_KIBI = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

# The first value of each pair is JupyterLab's theme, the second serves where no theme is set.
_FAINT = "var(--jp-content-font-color2, #6b6b6b)"
_LINE = "var(--jp-border-color2, #c8c8c8)"
_CELL = "padding:.5em"  # as in JupyterLab's tables; set in each cell, since ipywidgets sets it to 0
_MONO = "font-family:var(--jp-code-font-family, monospace)"
_TEX = re.compile(r"[$\\]")
_REORDERING = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # characters that could reverse the order of a whole line
)


@dataclass(frozen=True)
class Line:
    """One sentence; `strong` is the heading of the record."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under headers; columns named in `numeric` are set flush right."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tree:
    """A foldable branch: a label, faint facts behind it, and branches below."""

    label: str
    facts: str = ""
    children: Sequence["Tree"] = ()
    unfolded: bool = False


@dataclass(frozen=True)
class Chip:
    """A small labelled box: `text` large, `note` small beneath, `kind` chooses its look.

    Kinds: "plain", "shade" (every second word, so that borders of words show), "special"
    (start, end, padding: dashed and faint) and "lost" (cut off: struck through).
    """

    text: str
    note: str = ""
    kind: str = "plain"


@dataclass(frozen=True)
class Chips:
    """A row of chips; `in_text` is False where a table beside them says the same."""

    chips: Sequence[Chip] = field(default_factory=tuple)
    in_text: bool = True


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, as a data URI."""

    source: str
    alt: str


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures side by side; text has no room for them."""

    pictures: Sequence[Thumbnail]


Block: TypeAlias = Line | Table | Tree | Chips | Thumbnails


class Shown:
    """Mixin: a record that shows itself as text and as HTML from one list of blocks."""

    def blocks(self) -> Sequence[Block]:
        """The facts to show, in order."""
        raise TypeError(f"{type(self).__name__} does not say what it shows")

    def __repr__(self) -> str:
        try:
            return to_text(self.blocks())
        except Exception as error:  # noqa: BLE001  (a repr never raises)
            return f"<{type(self).__name__}: cannot be shown, {type(error).__name__}: {clip(str(error))}>"

    def _repr_html_(self) -> str:
        try:
            return to_html(self.blocks())
        except Exception:  # noqa: BLE001  (a repr never raises)
            return f"<pre>{escape(repr(self))}</pre>"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:  # noqa: FBT001  (IPython's protocol)
        del cycle
        write = getattr(printer, "text", None)
        if write is not None:
            write(repr(self))


def harmless(text: str) -> str:
    """`text` with HTML's special characters, quotes included, made harmless.

    It serves attributes, and pages that typeset no TeX. Content that a notebook shows needs `escape`.
    """
    return html.escape(text, quote=True)


def escape(text: str) -> str:
    """`text` as the content of an HTML element that shows it as typed, in a notebook too.

    Notebooks typeset text between TeX's delimiters (dollars, brackets or environments with a backslash) anywhere in an
    output, but never across elements. Therefore an empty element follows each dollar and backslash. It is invisible,
    and copied text does not hold it.
    """
    return _TEX.sub(r"\g<0><span></span>", harmless(text))


def clip(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text` on one line with control characters made visible, cut with "…" where it is wider than `most`.

    A wide East Asian character is as wide as two others.
    """
    flat = "".join(_visible(c) for c in text[: most + 1])
    if len(flat) <= most and (flat.isascii() or width(flat) <= most):
        return flat
    kept = flat[: most - 1]
    while not kept.isascii() and width(kept) > most - 1:
        kept = kept[:-1]
    return kept + "…"


def short(value: object, written: Callable[[object], str] = repr) -> str:
    """The value as `written` has it, but a function by its name, without its address."""
    if callable(value) and not isinstance(value, type):
        return str(getattr(value, "__name__", type(value).__name__))
    return written(value)


def _visible(character: str) -> str:
    if character == "\n":
        return "⏎"
    # Controls, halves of surrogate pairs (no encoding takes them), line and paragraph separators.
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _REORDERING:
        return "�"
    return character


def width(text: str) -> int:
    """Columns that `text` takes in a terminal: 2 for wide East Asian characters, 0 for marks."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def count(number: int | float) -> str:  # noqa: PYI041  (the run-time checker takes no int for a float)
    """A count with separators: 859520964 → "859,520,964"."""
    return f"{number:,.0f}"


def with_infinity(number: int | float, form: str) -> str:  # noqa: PYI041  (as above)
    """A number in a format of Python's, with ∞ for what Python writes as "inf"."""
    return f"{number:{form}}".replace("inf", "∞")


def counted(number: int, thing: str) -> str:
    """How many things: "1 step", "3 steps"."""
    return f"{number} {thing}{'s' * (number != 1)}"


def size(count_of_bytes: int | float) -> str:  # noqa: PYI041  (as above)
    """Bytes in a fitting binary unit, one decimal: 50364416 → "48.0 MiB"."""
    if count_of_bytes < _KIBI:
        return f"{count_of_bytes:.0f} B"
    value, unit = float(count_of_bytes), 0
    while round(value, 1) >= _KIBI and unit < len(_UNITS) - 1:
        value, unit = value / _KIBI, unit + 1
    return f"{value:,.1f} {_UNITS[unit]}"


def to_text(blocks: Sequence[Block]) -> str:
    """The blocks as plain text, bounded in size."""
    return "\n".join(line for block in blocks for line in _text(block))


def to_html(blocks: Sequence[Block]) -> str:
    """The blocks as one self-contained <div>, bounded in size, without script."""
    body = "".join(_html(block) for block in blocks)
    return f'<div class="sdexplore" style="line-height:1.4">{body}</div>'


def _text(block: Block) -> Iterator[str]:
    match block:
        case Line():
            yield clip(block.text, 4 * MOST_CHARACTERS)
        case Table():
            yield from _table_text(block)
        case Tree():
            lines = _tree_text(block, "", "")
            for number, line in enumerate(lines):
                if number == MOST_ROWS:
                    yield "… the rest is left out here"
                    return
                yield line
        case Chips():
            if block.in_text:
                yield " ".join(f"[{clip(c.text)}]" for c in block.chips[:MOST_ROWS]) + _more_chips(block)


def _table_text(table: Table) -> Iterator[str]:
    rows = [[clip(cell) for cell in row] for row in (table.headers, *table.rows[:MOST_ROWS])]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    right = [header in table.numeric for header in table.headers]

    def line(row: Sequence[str]) -> str:
        cells = (
            " " * (w - width(cell)) + cell if flush else cell + " " * (w - width(cell))
            for cell, w, flush in zip(row, widths, right, strict=True)
        )
        return "  ".join(cells).rstrip()

    yield line(rows[0])
    yield "  ".join("─" * w for w in widths)
    yield from map(line, rows[1:])
    if len(table.rows) > MOST_ROWS:
        yield f"… and {count(len(table.rows) - MOST_ROWS)} more rows"


def _tree_text(tree: Tree, first: str, rest: str) -> Iterator[str]:
    facts = f"  {clip(tree.facts)}" if tree.facts else ""
    yield f"{first}{clip(tree.label)}{facts}"
    for number, child in enumerate(tree.children, start=1):
        last = number == len(tree.children)
        yield from _tree_text(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _html(block: Block) -> str:
    match block:
        case Line():
            inner = escape(clip(block.text, 4 * MOST_CHARACTERS))
            return f'<div dir="auto">{f"<strong>{inner}</strong>" if block.strong else inner}</div>'
        case Table():
            return _table_html(block)
        case Tree():
            budget = [MOST_ROWS]
            return f'<div style="{_MONO};font-size:90%">{_tree_html(block, budget)}</div>'
        case Chips():
            chips = "".join(map(_chip_html, block.chips[:MOST_ROWS]))
            return f'<div dir="auto" style="line-height:2.6">{chips}{_more_chips(block)}</div>'
        case Thumbnails():
            most = 192 if len(block.pictures) == 1 else 96  # pixels a side
            style = f"display:inline-block;margin:4px 4px 4px 0;max-width:min(100%, {most}px);max-height:{most}px"
            pictures = (
                f'<img src="{harmless(one.source)}" alt="{harmless(clip(one.alt))}" style="{style}">'
                for one in block.pictures
            )
            return f"<div>{''.join(pictures)}</div>"


def _table_html(table: Table) -> str:
    sides = ["right" if header in table.numeric else "left" for header in table.headers]

    def row(cells: Sequence[str], tag: str) -> str:
        inner = "".join(
            f'<{tag} dir="auto" style="text-align:{side};{_CELL}">{escape(clip(cell))}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{inner}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows[:MOST_ROWS])
    left = len(table.rows) - MOST_ROWS
    more = f"<div>… and {count(left)} more rows</div>" if left > 0 else ""
    return f"<table><thead>{row(table.headers, 'th')}</thead><tbody>{body}</tbody></table>{more}"


def _tree_html(tree: Tree, budget: list[int]) -> str:
    budget[0] -= 1
    facts = f' <span style="color:{_FAINT}">{escape(clip(tree.facts))}</span>' if tree.facts else ""
    label = f"{escape(clip(tree.label))}{facts}"
    if not tree.children:
        return f'<div style="padding-left:1.1em">{label}</div>'
    inner = []
    for child in tree.children:
        if budget[0] <= 0:
            inner.append("<div>… the rest is left out here</div>")
            break
        inner.append(_tree_html(child, budget))
    unfolded = " open" if tree.unfolded else ""
    indent = f"margin-left:.4em;padding-left:.9em;border-left:1px solid {_LINE}"
    return (
        f'<details{unfolded}><summary style="cursor:pointer">{label}</summary>'
        f'<div style="{indent}">{"".join(inner)}</div></details>'
    )


_CHIP_LOOKS = {
    "plain": "background:var(--jp-layout-color2, #eee)",
    "shade": "background:var(--jp-brand-color3, #cfe3fa);color:#111",  # a light ground in dark themes too
    "special": f"border-style:dashed;color:{_FAINT}",
    "lost": f"text-decoration:line-through;color:{_FAINT}",
}


def _more_chips(block: Chips) -> str:
    left = len(block.chips) - MOST_ROWS
    return f" … and {count(left)} more" if left > 0 else ""


def _chip_html(chip: Chip) -> str:
    faint = "inherit" if chip.kind == "shade" else _FAINT  # the page's faint ink is for the page's ground
    note = f'<br><span style="font-size:85%;color:{faint}">{escape(clip(chip.note))}</span>' if chip.note else ""
    return (
        f'<span style="display:inline-block;line-height:1.2;margin:1px;padding:1px 5px;text-align:center;'
        f'vertical-align:top;border:1px solid {_LINE};border-radius:4px;{_CHIP_LOOKS[chip.kind]}">'
        f"{escape(clip(chip.text))}{note}</span>"
    )
