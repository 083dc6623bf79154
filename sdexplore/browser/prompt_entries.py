"""What a pixel can look at: words of a prompt, its other tokens, start, end and padding; each has its columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..base.display import clip
from ..base.errors import TokenError
from ..text.tokenization import Token, Tokenization
from ..text.words import fold
from ..trace.trace import Attention, Trace

Kind = Literal["word", "mark", "part", "start", "end", "padding", "position"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing to look at, and the recorded columns that are summed for it.

    Attributes:
        kind: "word" competes for a pixel. "mark" is a token that belongs to no word: punctuation. "part" is one of a
            word's several tokens. "start", "end" and "padding" are the rest of the sequence. "position" stands for a
            word where there is no prompt to read, and competes as a word does.
        text: As typed; of a word that occurs several times, as it was typed first.
        positions: In the padded prompt.
        whole: Of a part: the text of its word.
    """

    kind: Kind
    text: str
    positions: tuple[int, ...]
    whole: str = ""


@dataclass(frozen=True)
class Reading:
    """The prompt of a role: what its pixels can look at, and how it was typed.

    Attributes:
        entries: Words and marks in the prompt's order, then parts, start, end, padding.
        sentence: Words and marks in the order in which they were typed: (place among `entries`, text). The place is
            None where the tokenizer cut the word off.
        lost: Words that were cut off.
    """

    entries: list[Entry]
    sentence: list[tuple[int | None, str]]
    lost: list[str]


def read_prompt(trace: Trace, role: str, attention: Attention) -> Reading:
    """Reads the prompt of a role; equal words are one entry, as `word_map` sums them.

    Without a prompt, each recorded column is an entry of kind "position".
    """
    tokenizer = attention.tokenizer
    if tokenizer is None or tokenizer not in trace.tokens.get(role, ()):
        entries = [_position(column) for column in attention.columns]
        return Reading(entries, [(place, entry.text) for place, entry in enumerate(entries)], [])
    read = trace.tokens[role][tokenizer]
    found: dict[str, Entry] = {}
    typed: list[tuple[int, str | None, str]] = []
    lost: dict[str, str] = {}
    for word in read.words:
        key = f"word {fold(word.text)}"
        typed.append((word.span[0], key if word.positions else None, word.text))
        if key not in found and key not in lost:
            try:
                found[key] = Entry(kind="word", text=word.text, positions=read.positions(word.text))
            except TokenError:
                lost[key] = clip(word.text)
    marks: dict[str, list[Token]] = {}
    for token in read.tokens:
        if token.word is None and token.span is not None:
            key = f"mark {fold(token.text) or token.piece}"
            typed.append((token.span[0], None if token.position is None else key, token.text or token.piece))
            marks.setdefault(key, []).append(token)
    for key, tokens in marks.items():
        if positions := tuple(token.position for token in tokens if token.position is not None):
            found[key] = Entry(kind="mark", text=tokens[0].text or tokens[0].piece, positions=positions)
    keys = sorted(found, key=lambda key: found[key].positions)
    places = {key: place for place, key in enumerate(keys)}
    spelled = [found[key] for key in keys]
    in_order = sorted(typed, key=lambda one: one[0])
    sentence = [(None if key is None else places.get(key), text) for _, key, text in in_order]
    return Reading([*spelled, *_parts(read, spelled), *_specials(read, attention)], sentence, list(lost.values()))


def _position(column: tuple[int, ...]) -> Entry:
    text = f"position {column[0]}" if len(column) == 1 else f"positions {column[0]}–{column[-1]}"
    return Entry(kind="position", text=text, positions=column)


def _parts(read: Tokenization, spelled: list[Entry]) -> Iterator[Entry]:
    by_position = {token.position: token for token in read.tokens}
    first: dict[str, tuple[int, ...]] = {}
    for word in read.words:
        first.setdefault(fold(word.text), word.positions)
    for entry in spelled:
        positions = first.get(fold(entry.text), ()) if entry.kind == "word" else ()
        if len(positions) > 1:
            for position in positions:
                token = by_position[position]
                count = f" ({token.part[0]} of {token.part[1]})" if token.part else ""
                yield Entry(kind="part", text=token.text + count, positions=(position,), whole=entry.text)


def _specials(read: Tokenization, attention: Attention) -> Iterator[Entry]:
    seen = {position for column in attention.columns for position in column}
    for kind, text in (("start", "start"), ("end", "end"), ("padding", "padding")):
        own = tuple(t.position for t in read.of_kind(kind) if t.position in seen)  # type: ignore[arg-type]
        if own:
            yield Entry(kind=kind, text=text, positions=own)  # type: ignore[arg-type]


def columns_for(attention: Attention, entry: Entry) -> list[int]:
    """The columns of a layer that hold the entry's positions and no others.

    Raises:
        TraceError: A position was summed with others that the entry does not have, or was not recorded.
    """
    wanted = set(entry.positions)
    whole = [place for place, column in enumerate(attention.columns) if column and wanted.issuperset(column)]
    held = {position for place in whole for position in attention.columns[place]}
    return whole + [attention.column(position) for position in sorted(wanted - held)]
