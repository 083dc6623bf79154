"""Words of a prompt: where they stand, and how text is found whatever its case and composition."""

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
_BOTH_KANA = "KATAKANA-HIRAGANA"  # the prolonged sound mark belongs to whichever it follows


def word_spans(text: str) -> list[Span]:
    """The words of `text` as (start, stop) in characters, in order.

    A word is a run of letters and digits with their marks; in scripts that set no spaces (Han,
    kana, Thai, Lao, Khmer, Myanmar and others) a run of one script, for want of a dictionary.
    """
    spans: list[Span] = []
    script: str | None = None  # of the word that is open; None where there is none
    for place, character in enumerate(text):
        group = unicodedata.category(character)[0]
        if group in "LN":
            own = _script(character)
            if script is not None and own in (script, _BOTH_KANA):
                spans[-1] = (spans[-1][0], place + 1)
            else:
                script = "KATAKANA" if own == _BOTH_KANA else own
                spans.append((place, place + 1))
        elif group == "M" and script is not None:
            spans[-1] = (spans[-1][0], place + 1)
        else:
            script = None
    return spans


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    names = unicodedata.name(character, "").removeprefix("HALFWIDTH ").split()
    first = names[0] if names else ""
    return first if first == _BOTH_KANA else _UNSPACED.get(first, "")


def units(text: str) -> Iterator[Span]:
    """The smallest parts of `text` that normalise alone: a letter and its marks, a space run."""
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
    """`text` as it is compared: case folded, composed, one space for each run, none at the ends."""
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
        whole = place in starts and end in stops  # else it is a part of a letter: the "s" of "ß"
        if whole:
            hits.append((starts[place], stops[end]))
        place = folded.find(wanted, end if whole else place + 1)
    return hits


def occurrences(text: str, word: str) -> list[Span]:
    """Where `word` stands in `text` as a word of its own, compared by `fold`; else where it stands as a phrase."""
    return [span for span in word_spans(text) if fold(text[slice(*span)]) == fold(word)] or find(text, word)


def lone_surrogate(text: str) -> int | None:
    """Where `text` holds half of a surrogate pair, which is no character; None where nowhere."""
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
