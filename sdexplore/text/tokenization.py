"""What the tokenizers of a pipeline made of a prompt: sequences of tokens, and where words are."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, SupportsIndex

from ..base.display import Block, Line, Shown, clip, count
from ..base.errors import TokenError, TraceError, did_you_mean
from .token import FACTS, NAMES, Kind, Spelling, Token, Word, faults, parts_of, token_chips, token_table
from .words import Span, find, fold, without, word_spans

__all__ = ["Kind", "Token", "Tokenization", "Tokenizations", "Word"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Tokenization(Shown):
    """A prompt as one tokenizer of a pipeline reads it.

    Attributes:
        tokenizer: The pipeline's name for it: "tokenizer", "tokenizer_2".
        text: The prompt that was tokenized.
        tokens: The whole padded sequence, token i at position i; then what was cut off.
        max_length: The length at which the tokenizer cuts; None where it never does.
        words: The words of the prompt, in order.
        names: (start, stop) in `text` of each textual inversion, all its vectors together; each is one of `words`.
    """

    tokenizer: str
    text: str
    tokens: tuple[Token, ...]
    max_length: int | None
    words: tuple[Word, ...]
    names: tuple[Span, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        tokenizer: str,
        text: str,
        max_length: int | None,
        ids: Sequence[int],
        pieces: Sequence[str],
        kinds: Sequence[Kind],
        spans: Sequence[Span | None],
        names: Sequence[Span] = (),
    ) -> "Tokenization":
        """The record of these tokens; words, parts and positions follow from them.

        `ids`, `pieces`, `kinds` and `spans` have one entry a token; truncated tokens come last. `names` are those of
        textual inversions.
        """
        tokens, words = parts_of(text, ids, pieces, kinds, spans, names)
        return cls(
            tokenizer=tokenizer, text=text, tokens=tokens, max_length=max_length, words=words, names=tuple(names)
        )

    @property
    def ids(self) -> tuple[int, ...]:
        """The input of the text encoder: the ids of the padded sequence."""
        return tuple(token.id for token in self.tokens if token.position is not None)

    @property
    def length(self) -> int:
        """How many tokens stand in the sequence, start and end included, without padding."""
        return sum(token.kind not in ("padding", "truncated") for token in self.tokens)

    @property
    def truncated(self) -> tuple[Token, ...]:
        """The tokens that were cut off."""
        return self.of_kind("truncated")

    @property
    def first_end(self) -> int | None:
        """The position of the end token after the text; None where the tokenizer sets none."""
        return next((token.position for token in self.of_kind("end")), None)

    @property
    def typed(self) -> str:
        """The prompt as it was typed: each textual inversion once, where `text` has the names of all its vectors."""
        return self.typed_without()

    def typed_without(self, *spans: Span) -> str:
        """The prompt as it was typed, without the characters of `text` in these spans; one space where each was."""
        tails = [(self._over(name)[0].span or name)[1] for name in self.names]
        later = [(tail, stop) for tail, (_, stop) in zip(tails, self.names, strict=True) if tail < stop]
        shorter, cuts = self.text, list(spans)
        for start, stop in reversed(later):
            shorter = shorter[:start] + shorter[stop:]
            cuts = [tuple(place - min(max(place - start, 0), stop - start) for place in cut) for cut in cuts]  # type: ignore[misc]
        return without(shorter, *cuts) if cuts else shorter

    def of_kind(self, kind: Kind) -> tuple[Token, ...]:
        """The tokens of one kind, in order."""
        return tuple(token for token in self.tokens if token.kind == kind)

    def positions(
        self, word: str | SupportsIndex | Iterable[object], occurrence: SupportsIndex | None = None
    ) -> tuple[int, ...]:
        """The positions, in the padded sequence, of the tokens that spell `word`.

        Args:
            word: A word of the prompt, whatever its case; or any other part of the prompt that
                begins and ends where tokens do; or positions, one or several, to be checked.
            occurrence: Which of several, from 0; all of them where None.

        Raises:
            TokenError: There is no such word, occurrence or position, or it was cut off.
        """
        if not isinstance(word, str):
            return checked_positions(word, occurrence, len(self.ids))
        spans = self.places(word, occurrence)
        tokens = [token for span in spans for token in self._over(span)]
        kept = {token.position for token in tokens if token.position is not None}
        if kept:
            return tuple(sorted(kept))
        if not tokens:
            raise TokenError(f"no token covers {word!r}: {self.tokenizer} leaves it out")
        raise TokenError(
            f"{word!r} was cut off: {self.tokenizer} takes {self.max_length} tokens and "
            f"{count(len(self.truncated))} of this prompt did not fit; shorten the prompt"
        )

    def places(self, word: str, occurrence: SupportsIndex | None = None) -> list[Span]:
        """Where `word` stands in `text`, as (start, stop) in characters; the arguments as `positions` takes them.

        Raises:
            TokenError: There is no such word or occurrence.
        """
        wanted = fold(word)
        if not wanted:
            raise TokenError(f"{word!r} names no word; give a word or a part of the prompt")
        spans = [w.span for w in self._equal.get(wanted, ())] or self._phrase(word)
        if occurrence is None:
            return spans
        if not isinstance(occurrence, SupportsIndex) or not 0 <= operator.index(occurrence) < len(spans):
            times = "once" if len(spans) == 1 else f"{count(len(spans))} times"
            allowed = "0" if len(spans) == 1 else f"0 to {len(spans) - 1}"
            raise TokenError(f"{word!r} stands {times} in the prompt: occurrence may be {allowed}, not {occurrence}")
        return [spans[occurrence]]

    def _phrase(self, phrase: str) -> list[Span]:
        """Where `phrase` stands as whole tokens; TokenError where it does not."""
        hits = find(self.text, phrase)
        if not hits:
            what = "phrase" if len(word_spans(phrase)) > 1 else "word"
            words = [word.text for word in self.words if word.occurrence == 0]
            known = map(clip, words or [token.text for token in self.tokens if token.text])
            raise TokenError(f"no {what} {phrase!r} in the prompt; {did_you_mean(phrase, known)}")
        whole = [hit for hit in hits if self._spelling.widened(hit) == hit]
        if whole:
            return whole
        hit = hits[0]
        word = next((w for w in self.words if w.span[0] <= hit[0] and hit[1] <= w.span[1]), None)
        where = f"is a part of the word {clip(word.text)!r}" if word else "cuts through a token"
        tokens = self._over(word.span if word else hit)
        spelled = clip(" + ".join(repr(token.text) for token in tokens))
        wide = clip(self.text[slice(*self._spelling.widened(hit))])
        raise TokenError(f"{phrase!r} {where}, and attention is per token, here {spelled}; ask for {wide!r}")

    def _over(self, span: Span) -> list[Token]:
        return [self.tokens[k] for k in self._spelling.over(span)]

    @cached_property
    def _equal(self) -> dict[str, list[Word]]:
        """Folded text -> the words that have it, in order; folding every word again would take long prompts n²."""
        found: dict[str, list[Word]] = {}
        for word in self.words:
            found.setdefault(fold(word.text), []).append(word)
        return found

    @property
    def different_words(self) -> tuple[str, ...]:
        """The words that the sequence holds, equal ones once, each as it was typed first."""
        return tuple(equal[0].text for equal in self._equal.values() if any(word.positions for word in equal))

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling([token.span for token in self.tokens])

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values, without what follows from them."""
        return {
            "tokenizer": self.tokenizer,
            "text": self.text,
            "max_length": self.max_length,
            "ids": [token.id for token in self.tokens],
            "pieces": [token.piece for token in self.tokens],
            "kinds": [token.kind for token in self.tokens],
            "spans": [list(token.span) if token.span else None for token in self.tokens],
            **({NAMES: [list(span) for span in self.names]} if self.names else {}),
        }

    @classmethod
    def from_json(cls, value: object) -> "Tokenization":
        """The record that `to_json` wrote; TraceError if `value` is something else."""
        fault = next(faults(value), None)
        if fault or not isinstance(value, Mapping):
            raise TraceError(f"the tokens in this trace are damaged: {fault}")
        facts = {name: value[name] for name in FACTS}
        spans = [tuple(span) if span else None for span in facts.pop("spans")]
        return cls.of(**facts, spans=spans, names=[(start, stop) for start, stop in value.get(NAMES, ())])

    def blocks(self) -> Sequence[Block]:
        """Heading, chips (HTML only) and a table of the tokens, the padding in one row."""
        lost = f"; {count(len(self.truncated))} more cut off" if self.truncated else ""
        limit = "" if self.max_length is None else f" of {count(self.max_length)}"
        heading = f"{self.tokenizer}: “{clip(self.text)}”, {self.length}{limit} tokens{lost}"
        return (
            Line(heading, strong=True),
            token_chips(self.tokens),
            token_table(self.tokens, self.words),
        )


def checked_positions(
    wanted: SupportsIndex | Iterable[object], occurrence: SupportsIndex | None, length: int
) -> tuple[int, ...]:
    """Positions, one or several, each once and ascending; TokenError where one is not among `length`."""
    if occurrence is not None:
        raise TokenError(f"occurrence={occurrence} goes with a word, not with positions")
    several = list(wanted) if isinstance(wanted, Iterable) else [wanted]
    if not several:
        raise TokenError("no position was given; give a word of the prompt or its positions")
    found = set()
    for one in several:
        if not isinstance(one, SupportsIndex):
            raise TokenError(f"a position is a whole number, not {one!r}; give one word at a time")
        position = operator.index(one)
        if not 0 <= position < length:
            raise TokenError(f"position {position} is not in the sequence of {length} tokens, 0 to {length - 1}")
        found.add(position)
    return tuple(sorted(found))


class Tokenizations(Shown, Mapping[str, Tokenization]):
    """One prompt as each tokenizer of a pipeline reads it: component name → Tokenization.

    Attributes:
        notes: What a reader should know of this pipeline's tokens, a sentence each; no part of a trace.
    """

    def __init__(self, tokenizations: Mapping[str, Tokenization], notes: Sequence[str] = ()) -> None:
        self._tokenizations = dict(tokenizations)
        self.notes = tuple(notes)

    def __getitem__(self, tokenizer: str) -> Tokenization:
        try:
            return self._tokenizations[tokenizer]
        except KeyError:
            known = did_you_mean(tokenizer, self._tokenizations)
            raise _NoTokenizerError(f"no tokenizer {tokenizer!r}; {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokenizations)

    def __len__(self) -> int:
        return len(self._tokenizations)

    def blocks(self) -> Sequence[Block]:
        """What each tokenization shows, one after the other."""
        blocks = [block for each in self.values() for block in each.blocks()]
        return [*blocks, *(Line(f"! {note}") for note in self.notes)] or [Line("no tokenizer, no tokens")]


class _NoTokenizerError(TokenError, KeyError):
    """A TokenError that is a KeyError too, which Mapping's own `get` and `in` need."""

    __str__ = Exception.__str__
