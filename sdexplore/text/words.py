"""Words of a prompt: where they stand, and how text is found regardless of case and composition."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

# Scripts that set no spaces, by the first word of their characters' Unicode names.
_UNSPACED = {
    "CJK": "HAN",
    "IDEOGRAPHIC": "HAN",
    "HENTAIGANA": "HIRAGANA",
    **{
        name: name
        for name in (
            *("HIRAGANA", "KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR"),
            *("TAI", "NEW", "JAVANESE", "BALINESE"),  # NEW: New Tai Lue
        )
    },
}
# Kinds of characters beside the scripts.
_MARK, _JOINER, _SYMBOL, _TONE, _TAG, _HALF_FLAG = "mark", "joiner", "symbol", "tone", "tag", "half a flag"
_FIRST_PICTORIAL = 0x2300  # symbols with smaller numbers are signs of units and rights, and arrows: ° © ™ № ↻
_LINES = (range(0x2500, 0x25A0), range(0x2800, 0x2900), range(0xFFFC, 0xFFFE))  # boxes, Braille, replacements
_PICTOGRAPHS = range(0x1F000, 0x1FB00)
_PLACES = (
    (range(0x200D, 0x200E), _JOINER),
    (range(0x1F1E6, 0x1F200), _HALF_FLAG),
    (range(0x1F3FB, 0x1F400), _TONE),
    (range(0xE0020, 0xE0080), _TAG),  # spells a region behind a flag: Scotland
)
_BOTH_KANA = "KATAKANA-HIRAGANA"  # the prolonged sound mark belongs to the kana before it


def word_spans(text: str) -> list[Span]:
    """The words of `text` as (start, stop) in characters, in order.

    A word is a run of letters and digits with their marks; in scripts that set no spaces (Han,
    kana, Thai, Lao, Khmer, Myanmar and others) a run of one script, since there is no dictionary here.
    An emoji or another pictorial symbol (★) is a word of its own, with its skin tone and what is
    joined to it; a flag too. Punctuation and signs of mathematics, currencies and units are no words.
    """
    spans: list[Span] = []
    last: str | None = None  # the kind of the open word's last character; None if no word is open
    for place, character in enumerate(text):
        kind = _kind(character)
        if kind == _JOINER:
            last = _JOINER if last == _SYMBOL else None  # it belongs to the word if a symbol follows
        elif last is not None and _goes_on(last, kind):
            spans[-1] = (spans[-1][0], place + 1)
            last = _SYMBOL if last in (_HALF_FLAG, _JOINER) and kind != _MARK else last
        elif kind in (None, _MARK, _TAG):
            last = None
        else:
            spans.append((place, place + 1))
            last = {_BOTH_KANA: "KATAKANA", _TONE: _SYMBOL}.get(kind or "", kind)
    return spans


def _goes_on(last: str, kind: str | None) -> bool:
    """Whether a word whose last character is of kind `last` goes on with one of this kind."""
    match kind:
        case "mark":
            return last != _JOINER
        case "tone" | "tag":
            return last == _SYMBOL
        case "symbol":
            return last == _JOINER
        case "half a flag":
            return last == _HALF_FLAG
        case _:
            return kind == last or (kind == _BOTH_KANA and last not in (_SYMBOL, _HALF_FLAG, _JOINER))


@lru_cache(maxsize=4096)
def _kind(character: str) -> str | None:
    """The script of a letter or digit ("" if the script sets spaces), or another kind; None if no word holds it."""
    category, number = unicodedata.category(character), ord(character)
    if category[0] in "LN":
        return _script(character)
    if category[0] == "M":
        return _MARK
    if kind := next((kind for places, kind in _PLACES if number in places), None):
        return kind
    # Emoji that are younger than this Python's Unicode are not assigned there.
    pictorial = category == "So" and number >= _FIRST_PICTORIAL and not any(number in lines for lines in _LINES)
    return _SYMBOL if pictorial or (category == "Cn" and number in _PICTOGRAPHS) else None


def _script(character: str) -> str:
    names = unicodedata.name(character, "").removeprefix("HALFWIDTH ").split()
    first = names[0] if names else ""
    return first if first == _BOTH_KANA else _UNSPACED.get(first, "")


def units(text: str) -> Iterator[Span]:
    """The smallest parts of `text` that can be normalised alone: a letter with its marks, a run of spaces."""
    start = 0
    for place in range(1, len(text)):
        if _divides(text, start, place):
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _divides(text: str, start: int, place: int) -> bool:
    """Whether the unit that began at `start` ends before the character at `place`."""
    character = text[place]
    if character.isspace():
        return not text[place - 1].isspace()
    if character.isascii():
        return True
    if unicodedata.combining(character):
        return text[place - 1].isspace()
    before = text[start:place]  # Hangul syllables and some Indic vowels compose without combining
    return nfc(before + character) == nfc(before) + nfc(character)


def nfc(text: str) -> str:
    """`text` with letters and their marks composed, as CLIP's tokenizer reads it."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """`text` in the form for comparison: case folded, composed, one space for each run, no space at the ends."""
    return "".join(_folded(text[start:stop]) for start, stop in units(text)).strip()


def _folded(unit: str) -> str:
    return " " if unit[0].isspace() else nfc(nfc(unit).casefold())


def find(text: str, phrase: str) -> list[Span]:
    """Where `phrase` stands in `text` as (start, stop), compared by `fold`; hits do not overlap."""
    wanted = fold(phrase)
    if not wanted:
        return []
    starts: dict[int, int] = {}
    stops: dict[int, int] = {}
    parts, length = [], 0
    for start, stop in units(text):
        parts.append(_folded(text[start:stop]))
        starts[length] = start
        length += len(parts[-1])
        stops[length] = stop
    folded, hits = "".join(parts), []
    place = folded.find(wanted)
    while place >= 0:
        end = place + len(wanted)
        whole = place in starts and end in stops  # if not, the hit is a part of a letter: the "s" of "ß"
        if whole:
            hits.append((starts[place], stops[end]))
        place = folded.find(wanted, end if whole else place + 1)
    return hits


def occurrences(text: str, word: str) -> list[Span]:
    """Where `word` stands in `text` as a word of its own, compared by `fold`; else where it stands as a phrase."""
    return [span for span in word_spans(text) if fold(text[slice(*span)]) == fold(word)] or find(text, word)


def lone_surrogate(text: str) -> int | None:
    """The place of half a surrogate pair in `text`, which is no character; None if there is no such half."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def without(text: str, *spans: Span) -> str:
    """`text` without the characters of these spans, one space between what is left: "a photo of a"."""
    for start, stop in sorted(spans, reverse=True):
        text = f"{text[:start]} {text[stop:]}"
    return " ".join(text.split())
