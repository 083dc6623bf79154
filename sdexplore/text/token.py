"""Tokens and words of a prompt: the parts of a Tokenization, how they are made and shown."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, TypeAlias

from ..base.display import MOST_ROWS, Chip, Chips, Table, clip, count
from .pieces import Cover, piece_bytes
from .words import Span, fold, lone_surrogate, word_spans

Kind: TypeAlias = Literal["start", "text", "end", "padding", "truncated"]

# What a stored Tokenization holds. Everything else follows from it.
FACTS = ("tokenizer", "text", "max_length", "ids", "pieces", "kinds", "spans")
HEADERS = ("position", "id", "text", "piece", "characters", "word", "part")
"""Over the columns of `token_table`."""
NAMES = "names"  # is stored too, where there are any


@dataclass(frozen=True, kw_only=True)
class Token:
    """One entry of the vocabulary in a prompt's sequence.

    Attributes:
        position: Its place in the padded sequence, from 0; None where it was cut off.
        id: Its number in the vocabulary.
        piece: Its entry in the vocabulary, as it stands there: "cafÃ©</w>".
        text: The characters of the prompt that it covers, as typed: "café"; "" where special.
        span: Their (start, stop) in the prompt; None where special.
        kind: "start", "text", "end", "padding", or "truncated": text that was cut off.
        part: (i, n) where n tokens share characters, for example each some bytes of one, and this is
            the i-th of them, from 1; else None.
        word: The index in `Tokenization.words` of its word, the first one where it covers
            several; None where it belongs to none.
    """

    position: int | None
    id: int
    piece: str
    text: str
    span: Span | None
    kind: Kind
    part: tuple[int, int] | None = None
    word: int | None = None


@dataclass(frozen=True, kw_only=True)
class Word:
    """A run of letters, digits and marks in a prompt, or an emoji. A script without spaces gives runs of that script.

    The name of a textual inversion is one word too, whatever characters it holds: "<cat-toy>".

    Attributes:
        text: As typed; of a textual inversion, its name once.
        span: (start, stop) in the prompt's characters.
        positions: Those of every token that covers some of it; fewer, or none, where the word was cut off.
        occurrence: How many equal words, whatever their case, stand before it.
    """

    text: str
    span: Span
    positions: tuple[int, ...]
    occurrence: int


class Spelling:
    """The tokens that cover characters, in order of the text.

    Args:
        spans: (start, stop) of every token, in order of their starts, except for tokens that were cut off.
    """

    def __init__(self, spans: Sequence[Span | None]) -> None:
        covering = [(span, index) for index, span in enumerate(spans) if span is not None]
        covering.sort(key=lambda pair: pair[0][0])  # some tokenizers cut off the front
        self.order = [index for _, index in covering]
        self._cover = Cover([span for span, _ in covering])

    def over(self, span: Span) -> list[int]:
        """The indices of the tokens that share a character with `span`."""
        return [self.order[k] for k in self._cover.over(span)]

    def widened(self, span: Span) -> Span:
        """The smallest span around `span` that cuts through no run of tokens."""
        return self._cover.widened(span)

    def parts(self) -> dict[int, tuple[int, int] | None]:
        """Index of a token → its `part`."""
        return dict(zip(self.order, self._cover.parts(), strict=True))


def parts_of(
    text: str,
    ids: Sequence[int],
    pieces: Sequence[str],
    kinds: Sequence[Kind],
    spans: Sequence[Span | None],
    names: Sequence[Span] = (),
) -> tuple[tuple[Token, ...], tuple[Word, ...]]:
    """The tokens and words of `text`; `ids`, `pieces`, `kinds` and `spans` have one entry a token.

    Args:
        names: (start, stop) of each textual inversion in `text`, all its vectors together.
    """
    spelling = Spelling(spans)
    word_of: dict[int, int] = {}
    seen: dict[str, int] = {}
    words = []
    named = {start for start, _ in names}
    for index, (start, stop) in enumerate(_words_between(text, names)):
        owned = spelling.over((start, stop))
        for token in owned:
            word_of.setdefault(token, index)
        called = spans[owned[0]] if start in named and owned else None
        typed = text[slice(*called)] if called else text[start:stop]
        key = fold(typed)
        words.append(
            Word(
                text=typed,
                span=(start, stop),
                positions=tuple(k for k in owned if kinds[k] != "truncated"),
                occurrence=seen.setdefault(key, 0),
            )
        )
        seen[key] += 1
    parts = spelling.parts()
    tokens = tuple(
        Token(
            position=None if kind == "truncated" else index,
            id=number,
            piece=piece,
            text=text[slice(*span)] if span else "",
            span=span,
            kind=kind,
            part=parts.get(index),
            word=word_of.get(index),
        )
        for index, (number, piece, kind, span) in enumerate(zip(ids, pieces, kinds, spans, strict=True))
    )
    return tokens, tuple(words)


def _words_between(text: str, names: Sequence[Span]) -> list[Span]:
    """The words of `text` as (start, stop), in order; each of `names` is one, and no other word reaches into it."""
    found: list[Span] = []
    place = 0
    for start, stop in (*sorted(names), (len(text), len(text))):
        found += ((place + first, place + last) for first, last in word_spans(text[place:start]))
        found += [(start, stop)] if stop > start else []
        place = stop
    return found


def faults(value: object) -> Iterator[str]:
    """What is wrong with `value` as a stored Tokenization; only the first fault is reliable."""
    if not isinstance(value, Mapping):
        yield f"an object was expected, not {clip(repr(value))}"
        return
    yield from (f"{name!r} is missing" for name in FACTS if name not in value)
    name, text, max_length, ids, pieces, kinds, spans = (value[name] for name in FACTS)
    lists = (ids, pieces, kinds, spans)
    if not all(isinstance(each, list) for each in lists) or len(set(map(len, lists))) != 1:
        yield "'ids', 'pieces', 'kinds' and 'spans' must be lists of one length"
    strings = (name, text, *pieces)
    if not all(isinstance(each, str) and lone_surrogate(each) is None for each in strings):
        yield "'tokenizer', 'text' and each of 'pieces' must be text"
    if not all(type(each) is int for each in ids) or type(max_length) not in (int, type(None)):
        yield "'ids' and 'max_length' must be whole numbers"
    for index, (kind, span) in enumerate(zip(kinds, spans, strict=True)):
        match kind, span:
            case "start" | "end" | "padding", None:
                pass
            case "text" | "truncated", [int(start), int(stop)] if 0 <= start <= stop <= len(text):
                pass
            case _:
                yield f"token {index} cannot be {clip(repr(kind))} with span {clip(repr(span))}"
    if any(a == "truncated" != b for a, b in pairwise(kinds)):
        yield "tokens that were cut off must stand last"
    yield from _faults_of_names(value.get(NAMES, []), len(text))


def _faults_of_names(names: object, length: int) -> Iterator[str]:
    place = 0
    for span in names if isinstance(names, list) else [names]:
        match span:
            case [int(start), int(stop)] if place <= start < stop <= length:
                place = stop
            case _:
                yield f"{clip(repr(span))} is no place of a name in the text"


def token_chips(tokens: Sequence[Token], said: Callable[[str], str] = str) -> Chips:
    """A chip a token: every second word shaded, special ones faint, tokens that were cut off struck through.

    Args:
        said: Says "start", "end", "padding" and "cut off" in another language.
    """
    runs = list(_runs(tokens))
    shown = runs if len(runs) <= MOST_ROWS else runs[: MOST_ROWS - 1]
    chips = [_chip(run, said) for run in shown]
    if len(runs) > len(shown):
        chips.append(Chip(f"… {count(len(runs) - len(shown))} more", kind="special"))
    return Chips(chips, in_text=False)


def _chip(run: Sequence[Token], said: Callable[[str], str]) -> Chip:
    token = run[0]
    if token.span is None:
        return Chip(said(token.kind), _place(run, said), "special")
    shaded = token.word is not None and token.word % 2 == 1
    look = "lost" if token.kind == "truncated" else "shade" if shaded else "plain"
    return Chip(_legible(token.text), f"{_place(run, said)}  {_part(token)}".rstrip(), look)


def token_table(tokens: Sequence[Token], words: Sequence[Word], said: Callable[[str], str] = str) -> Table:
    """A row a token, the padding in one row; repeated words with their occurrence: "cat #1".

    Args:
        said: Says a heading of `HEADERS`, or what `token_chips` says, in another language.
    """
    keys = [fold(word.text) for word in words]
    often = Counter(keys)
    names = [
        f"{word.text} #{word.occurrence}" if often[key] > 1 else word.text
        for key, word in zip(keys, words, strict=True)
    ]
    rows = [
        (
            _place(run, said),
            str(run[0].id),
            _legible(run[0].text) if run[0].span else f"({said(run[0].kind)})",
            run[0].piece,
            "{}:{}".format(*run[0].span) if run[0].span else "",
            names[run[0].word] if run[0].word is not None else "",
            _part(run[0]),
        )
        for run in _runs(tokens)
    ]
    return Table(tuple(map(said, HEADERS)), rows, numeric=frozenset(map(said, HEADERS[:2])))


def _runs(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Each token alone, but the padding together."""
    for padding, run in groupby(tokens, lambda token: (token.kind == "padding", token.id)):
        if padding[0]:
            yield list(run)
        else:
            yield from ([token] for token in run)


def _place(run: Sequence[Token], said: Callable[[str], str]) -> str:
    first, last = run[0].position, run[-1].position
    if first is None:
        return said("cut off")
    return str(first) if first == last else f"{first}–{last}"


def _legible(text: str) -> str:
    """`text`, with a circle before it if it begins with a mark that needs a letter."""
    return f"◌{text}" if text and unicodedata.category(text[0]).startswith("M") else text


def _part(token: Token) -> str:
    """Which of how many tokens that share characters, and its bytes: "1/3  E6"."""
    if token.part is None:
        return ""
    spelled = piece_bytes(token.piece) or b""
    return f"{token.part[0]}/{token.part[1]}  {spelled.hex(' ').upper()}".rstrip()
