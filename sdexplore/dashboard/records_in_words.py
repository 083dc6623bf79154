"""Records as the dashboard shows them: what their own reprs show in English, in its language."""

from collections.abc import Mapping
from typing import Final

from ..base.display import Block, Line, Table, clip, count, size
from ..figures.names import notes_named
from ..records.components import Component, Components
from ..strings.wording import worded, wording
from ..text.token import token_chips, token_table
from ..text.tokenization import Tokenization, Tokenizations

_TOKEN_WORDS: Final[Mapping[str, str]] = {
    "start": "tokens.start",
    "end": "tokens.end",
    "padding": "tokens.padding",
    "cut off": "tokens.truncated",
    "position": "dashboard.tokens.position",
    "id": "dashboard.tokens.id",
    "text": "dashboard.tokens.text",
    "piece": "dashboard.tokens.piece",
    "characters": "dashboard.tokens.characters",
    "word": "dashboard.tokens.word",
    "part": "dashboard.tokens.part",
}


def tokens_in_words(found: Tokenizations) -> list[Block]:
    """For each tokenizer a heading, chips and a table of its tokens; then what a reader should know of them."""
    blocks = [block for one in found.values() for block in _tokens(one)]
    blocks += [Line(f"! {note}") for note in notes_named(found)]
    return blocks or [Line(wording("dashboard.tokens.no_tokenizer"))]


def _tokens(one: Tokenization) -> tuple[Block, ...]:
    limit = one.max_length
    read = wording(
        "dashboard.tokens.read.endless" if limit is None else "dashboard.tokens.read",
        tokenizer=one.tokenizer,
        prompt=clip(one.text),
        length=one.length,
        limit="" if limit is None else count(limit),
    )
    lost = len(one.truncated)
    heading = wording("dashboard.tokens.read.lost", read=read, lost=count(lost)) if lost else read
    return (
        Line(heading, strong=True),
        token_chips(one.tokens, _said),
        token_table(one.tokens, one.words, _said),
    )


def _said(word: str) -> str:
    return wording(_TOKEN_WORDS[word])


def components_in_words(parts: Components) -> list[Block]:
    """One row a component, then facts of the whole pipeline."""
    null = sum(one.class_name is None for one in parts.values())
    told = {"n": len(parts), "null": null, "parameters": count(parts.parameters), "size": size(parts.bytes)}
    heading = wording(f"dashboard.components.all{'.null' if null else ''}", pipeline=parts.pipeline, **told)
    heads = tuple(
        wording(f"dashboard.components.{name}")
        for name in ("component", "class", "library", "parameters", "dtype", "device", "size")
    )
    facts = [wording("components.fact", name=worded(name), what=worded(what)) for name, what in parts.summary.items()]
    rows = list(map(_row, parts.values()))
    return [Line(heading, strong=True), Table(heads, rows, frozenset((heads[3], heads[6]))), *map(Line, facts)]


def _row(one: Component) -> tuple[str, ...]:
    held = "" if one.parameters is None else count(one.parameters)
    kinds = (", ".join(one.dtypes), ", ".join(one.devices))
    return (one.name, one.class_name or "null", one.library, held, *kinds, size(one.bytes) if held else "")
