"""The page of a story: places in inches, and the tokens of a prompt in lines."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.display import width
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.panels import Panel
from ..strings.wording import wording
from ..text.token import Token

GAP: Final = 0.26  # inches between two panels, for an arrow
LINE: Final = 0.2  # inches of a line of words
CHIP: Final = 0.3  # inches of a line of tokens
_LETTER: Final = 0.5 * 9.0 / 72  # inches of a letter of a token, about


class Chip(NamedTuple):
    """A token as the page shows it: what it says, its position in the prompt, and whether it is text of the prompt."""

    text: str
    position: int | None
    is_text: bool


class Page(NamedTuple):
    """A figure on which places are inches from its lower left corner."""

    figure: Figure
    tall: float  # of the figure
    wide: float  # of a panel
    high: float

    def words(self, left: float, top: float, text: str, **options: str) -> None:
        """Writes a line whose upper edge is `top`."""
        self.figure.text(left / BLOG_COLUMN, top / self.tall, text, fontsize=9, **{"va": "top", **options})  # type: ignore[arg-type]  # matplotlib's

    def panel(self, column: int, top: float) -> Axes:
        """A panel in that column, with its upper edge at `top`."""
        return self.axes(column * (self.wide + GAP), top - self.high, self.wide, self.high)

    def axes(self, left: float, bottom: float, wide: float, high: float) -> Axes:
        """A panel at that place."""
        place = (left / BLOG_COLUMN, bottom / self.tall, wide / BLOG_COLUMN, high / self.tall)
        return self.figure.add_axes(place, axes_class=Panel)


def lines_of(tokens: Sequence[Token]) -> list[list[Chip]]:
    """Tokens in lines that fit the page, three at most; padding is counted."""
    shown = [
        Chip(drawable(one.text or one.piece, 18), one.position, is_text=one.kind == "text")
        for one in tokens
        if one.kind in ("start", "text", "end")
    ]
    padding = sum(one.kind == "padding" for one in tokens)
    if padding:
        shown.append(Chip(wording("story.padding", number=padding), None, is_text=False))
    lines: list[list[Chip]] = []
    room = 0.0
    for one in shown:
        wide = _wide(one.text)
        if wide > room or not lines:
            lines.append([])
            room = BLOG_COLUMN
        lines[-1].append(one)
        room -= wide
    most = 3
    left = sum(map(len, lines[most:]))
    return [*lines[:most], [Chip(wording("story.more", number=left), None, is_text=False)]] if left else lines


def _wide(text: str) -> float:
    return width(text) * _LETTER + 0.22


def write_tokens(page: Page, top: float, lines: Sequence[Sequence[Chip]], colours: Mapping[int, str]) -> None:
    """Writes lines of tokens beneath their heading; `colours` of the frames around those at some positions."""
    page.words(0.0, top, wording("story.prompt"))
    high = CHIP * len(lines)
    ax = page.axes(0.0, top - LINE - high, BLOG_COLUMN, high)
    ax.set(xlim=(0.0, BLOG_COLUMN), ylim=(high, 0.0))
    for number, line in enumerate(lines):
        left = 0.06
        for text, position, is_text in line:
            colour = None if position is None else colours.get(position)
            box = {
                "boxstyle": "round,pad=0.3",
                "facecolor": "#eef3f8" if is_text else "#f4f4f4",
                "edgecolor": colour or "#c0c0c0",
                "linewidth": 2.0 if colour else 0.8,
            }
            ink = "#111111" if is_text else "#666666"
            ax.text(left, CHIP * (number + 0.5), text, fontsize=9, color=ink, va="center", bbox=box)
            left += _wide(text)
