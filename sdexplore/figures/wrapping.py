"""Lines of titles and labels, broken where their language lets them be broken.

matplotlib breaks at spaces only, and Japanese has none. The rule for Japanese (kinsoku) is that of JIS X 4051 in short:
a line begins with no closing mark, small kana or sound mark, and ends with no opening bracket.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from ..base.display import width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLOSING: Final = "、。，．・：；？！）」』】〕〉》”’…‥"  # noqa: RUF001  (Japanese marks)
_CONTINUING: Final = "ー々〜ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"  # sound marks and small kana
_NEVER_FIRST: Final = frozenset(_CLOSING + _CONTINUING)
_NEVER_LAST: Final = frozenset("（「『【〔〈《“‘")  # noqa: RUF001


def breaks(text: str) -> Iterator[tuple[int, int]]:
    """Where `text` may be broken: the end of one line, and the beginning of the next.

    At a space, which no line keeps; and beside a wide East Asian character, unless a mark forbids it. Never within a
    Latin word or a number.
    """
    for place in range(1, len(text)):
        before, after = text[place - 1], text[place]
        if after == " ":
            if place + 1 < len(text):
                yield place, place + 1
        elif before != " " and (_wide(before) or _wide(after)) and _allowed(before, after):
            yield place, place


def _wide(character: str) -> bool:
    return width(character) == 2  # noqa: PLR2004  (columns)


def _allowed(before: str, after: str) -> bool:
    return after not in _NEVER_FIRST and before not in _NEVER_LAST


def wrapped(text: str, room: float, measure: Callable[[str], float]) -> str:
    """`text` with line breaks, so that no line measures more than `room`, where it can be broken so.

    Args:
        room: In the unit of `measure`.
        measure: How wide a line is.
    """
    return "\n".join(line for whole in text.split("\n") for line in _lines(whole, room, measure))


def _lines(text: str, room: float, measure: Callable[[str], float]) -> Iterator[str]:
    while text and measure(text) > room:
        places = [place for place in breaks(text) if text[: place[0]].strip()]
        if not places:
            break
        low, high = 0, len(places)  # the first `low` breaks leave a line that fits
        while low < high:
            middle = (low + high) // 2
            if measure(text[: places[middle][0]]) <= room:
                low = middle + 1
            else:
                high = middle
        end, start = places[max(low - 1, 0)]
        yield text[:end]
        text = text[start:]
    yield text


def wrap_title(figure: "Figure") -> None:
    """Breaks the lines of a figure's title that are wider than the figure; the other lines stay."""
    from .picture import canvas_of

    title = figure.get_suptitle()
    own = next((text for text in figure.texts if title and text.get_text() == title), None)
    if own is None:
        return
    renderer, font = canvas_of(figure).get_renderer(), own.get_fontproperties()

    def measure(line: str) -> float:
        return float(renderer.get_text_width_height_descent(line, font, False)[0])  # noqa: FBT003  (matplotlib's)

    broken = wrapped(title, float(figure.bbox.width), measure)
    if broken != title:
        own.set_text(broken)
