"""What a pixel can look at: words of a prompt, its other tokens, start, end and padding; each has its columns.

Where words and picture share one softmax, there is also the rest: the picture itself, and padding without columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..analysis.selection import keys_of
from ..base.display import clip
from ..base.errors import TokenError
from ..strings.wording import wording
from ..text.shared_keys import SharedKeys
from ..text.tokenization import Token, Tokenization
from ..text.words import fold
from ..trace.trace import Attention, Trace

Kind = Literal["word", "mark", "part", "start", "end", "padding", "rest", "position"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing to look at, and the recorded columns that are summed for it.

    Attributes:
        kind: "word" competes for a pixel. "mark" is a token that belongs to no word: punctuation. "part" is one of a
            word's several tokens. "start", "end" and "padding" are the others of the sequence. "rest" is what is no
            token of the prompt, and has no positions. "position" stands for a word where there is no prompt to read,
            and competes as a word does.
        text: As typed; of a word that occurs several times, as it was typed first. It is the same in every language.
        name: What a reader sees in its place, in the language of the options.
        positions: In the padded prompt.
        whole: Of a part: the text of its word.
    """

    kind: Kind
    text: str
    name: str
    positions: tuple[int, ...]
    whole: str = ""


@dataclass(frozen=True)
class Reading:
    """The prompt of a role: what its pixels can look at, and how it was typed.

    Attributes:
        entries: Words and marks in the prompt's order, then parts, start, end, padding, rest.
        sentence: Words and marks in the order in which they were typed: (place among `entries`, text). The place is
            None where the tokenizer cut the word off.
        lost: Words that were cut off.
    """

    entries: list[Entry]
    sentence: list[tuple[int | None, str]]
    lost: list[str]


def read_prompt(trace: Trace, role: str, attention: Attention) -> Reading:
    """Reads the prompt of a role; equal words are one entry, as `word_map` sums them.

    Where tokenizers share the keys and do not agree, an entry has the keys of each of them, and the sentence goes on
    with what only a later one reads. Without a prompt, each recorded column is an entry of kind "position".
    """
    keys = keys_of(trace, role, attention)
    if not keys.read:
        entries = [_position(column) for column in attention.columns if column] + list(_rest(attention))
        return Reading(entries, [(place, one.text) for place, one in enumerate(entries) if one.kind == "position"], [])
    found: dict[str, Entry] = {}
    typed: list[tuple[str | None, str]] = []
    lost: dict[str, str] = {}
    for read, _ in keys.read:
        earlier = {text for _, text in typed}
        typed += [(key, text) for key, text in _typed(read) if text not in earlier]
        for word in read.words:
            key = _word_key(word.text)
            if key not in found and key not in lost:
                try:
                    positions = keys.positions(word.text)
                    found[key] = Entry(kind="word", text=word.text, name=word.text, positions=positions)
                except TokenError:
                    lost[key] = clip(word.text)
    found |= _marks(keys)
    places = {key: place for place, key in enumerate(sorted(found, key=lambda key: found[key].positions))}
    spelled = [found[key] for key in places]
    sentence = [(None if key is None else places.get(key), text) for key, text in typed]
    return Reading([*spelled, *_parts(keys, spelled), *_specials(keys, attention)], sentence, list(lost.values()))


def _word_key(text: str) -> str:
    return f"word {fold(text)}"


def _mark_key(token: Token) -> str:
    return f"mark {fold(token.text) or token.piece}"


def _is_mark(token: Token) -> bool:
    return token.word is None and token.span is not None


def _typed(read: Tokenization) -> list[tuple[str | None, str]]:
    """The words and marks of a prompt as typed: (key of the entry, text); the key is None where it was cut off."""
    words = ((word.span[0], _word_key(word.text) if word.positions else None, word.text) for word in read.words)
    marks = (
        (token.span[0], None if token.position is None else _mark_key(token), token.text or token.piece)
        for token in filter(_is_mark, read.tokens)
        if token.span is not None
    )
    return [(key, text) for _, key, text in sorted([*words, *marks], key=lambda one: one[0])]


def _marks(keys: SharedKeys) -> dict[str, Entry]:
    """The tokens that belong to no word, equal ones together."""
    places: dict[str, dict[int, Token]] = {}
    for key, there in sorted(keys.tokens.items()):
        for _, token in there:
            if _is_mark(token):
                places.setdefault(_mark_key(token), {}).setdefault(key, token)
    return {
        key: Entry(kind="mark", text=(text := first.text or first.piece), name=text, positions=tuple(at))
        for key, at in places.items()
        for first in list(at.values())[:1]
    }


def _position(column: tuple[int, ...]) -> Entry:
    first, last = column[0], column[-1]
    if len(column) == 1:
        text, name = f"position {first}", wording("packed.entry.position", position=first)
    else:
        text, name = f"positions {first}–{last}", wording("packed.entry.positions", first=first, last=last)
    return Entry(kind="position", text=text, name=name, positions=column)


def _parts(keys: SharedKeys, spelled: list[Entry]) -> Iterator[Entry]:
    """The tokens of each word that has several, as the first tokenizer that reads the word spells it."""
    spelled_by: dict[str, dict[str, tuple[int, ...]]] = {}
    for read, _ in keys.read:
        of_word = spelled_by.setdefault(read.tokenizer, {})
        for word in read.words:
            of_word.setdefault(fold(word.text), word.positions)
    for entry in spelled:
        if entry.kind != "word":
            continue
        read, first = next(spelling for spelling in keys.read if fold(entry.text) in spelled_by[spelling[0].tokenizer])
        positions = spelled_by[read.tokenizer][fold(entry.text)]
        for position in positions if len(positions) > 1 else ():
            token = read.tokens[position]
            text = name = token.text
            if token.part:
                number, of = token.part
                text = f"{token.text} ({number} of {of})"
                name = wording("packed.entry.part", token=token.text, number=number, of=of)
            yield Entry(kind="part", text=text, name=name, positions=(first + position,), whole=entry.text)


def _specials(keys: SharedKeys, attention: Attention) -> Iterator[Entry]:
    seen = {position for column in attention.columns for position in column}
    for kind in ("start", "end", "padding"):
        own = tuple(key for key in sorted(keys.kinds) if keys.kinds[key] == kind and key in seen)
        if own:
            yield Entry(kind=kind, text=kind, name=wording(f"packed.entry.{kind}"), positions=own)
    yield from _rest(attention)


def _rest(attention: Attention) -> Iterator[Entry]:
    if () in attention.columns:
        yield Entry(kind="rest", text="rest", name=wording("packed.entry.rest"), positions=())


def columns_for(attention: Attention, entry: Entry) -> list[int]:
    """The columns of a layer that hold the entry's positions and no others.

    Raises:
        TraceError: A position was summed with others that the entry does not have, or was not recorded.
    """
    if entry.kind == "rest":
        return [place for place, column in enumerate(attention.columns) if not column]
    wanted = set(entry.positions)
    whole = [place for place, column in enumerate(attention.columns) if column and wanted.issuperset(column)]
    held = {position for place in whole for position in attention.columns[place]}
    return whole + [attention.column(position) for position in sorted(wanted - held)]
