"""Which tokens stand at each key of a layer, where the sequences of several tokenizers share the keys.

SDXL's two encoders read the prompt each with its own tokenizer, and their features of one position are one key. Where
the tokenizers read the same, either names the key. Where they do not, a key belongs to each word with a token there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, SupportsIndex

from ..base.display import clip
from ..base.errors import TokenError
from .token import Token
from .tokenization import Kind, Tokenization, checked_positions

_WINS: tuple[Kind, ...] = ("text", "end", "start", "padding")  # the kind of a key, where its tokens are of several


@dataclass(frozen=True)
class SharedKeys:
    """The sequences that stand in a layer's keys.

    Attributes:
        read: Each tokenizer's reading of the prompt, and the key that its first token has.
    """

    read: tuple[tuple[Tokenization, int], ...]

    @classmethod
    def of(cls, tokens: Mapping[str, Tokenization], tokenizers: Iterable[tuple[str, int]]) -> "SharedKeys":
        """The keys of a prompt: `tokenizers` are (name, first key) pairs, as `Attention.read_by` has them."""
        return cls(tuple((tokens[name], first) for name, first in tokenizers if name in tokens))

    @property
    def length(self) -> int:
        """How many keys the sequences reach over."""
        return max((first + len(one.ids) for one, first in self.read), default=0)

    @cached_property
    def tokens(self) -> dict[int, tuple[tuple[str, Token], ...]]:
        """Key -> (tokenizer, the token that it has there), for each tokenizer that has one."""
        found: dict[int, tuple[tuple[str, Token], ...]] = {}
        for one, first in self.read:
            for token in one.tokens:
                if token.position is not None:
                    key = first + token.position
                    found[key] = (*found.get(key, ()), (one.tokenizer, token))
        return found

    @cached_property
    def kinds(self) -> dict[int, Kind]:
        """Key -> its kind; a key at which any tokenizer has text is "text", then "end" and "start" win over padding."""
        return {
            key: next(kind for kind in _WINS if any(token.kind == kind for _, token in there))
            for key, there in self.tokens.items()
        }

    def label(self, key: int) -> str:
        """What stands at a key: a token's text, or start, end, padding; "cat | dog" where tokenizers differ."""
        return " | ".join(dict.fromkeys(token.text or token.kind for _, token in self.tokens[key]))

    def positions(
        self, word: str | SupportsIndex | Iterable[object], occurrence: SupportsIndex | None = None
    ) -> tuple[int, ...]:
        """The keys of a word: those of every tokenizer, each once. Bare positions are keys, to be checked.

        Raises:
            TokenError: No tokenizer's prompt has the word, or occurrence; a position is no key.
        """
        if not isinstance(word, str):
            return checked_positions(word, occurrence, self.length)
        found: set[int] = set()
        refused: dict[str, None] = {}
        for one, first in self.read:
            try:
                found |= {first + position for position in one.positions(word, occurrence)}
            except TokenError as error:
                refused.setdefault(str(error))
        if not found:
            raise TokenError("; ".join(refused))
        return tuple(sorted(found))

    @property
    def agree(self) -> bool:
        """Whether the sequences read the same text, and have the same tokens at the same keys."""
        (one, first), *others = self.read
        facts = [(token.kind, token.span) for token in one.tokens]
        return all(
            begin == first
            and other.text == one.text
            and other.names == one.names
            and [(token.kind, token.span) for token in other.tokens] == facts
            for other, begin in others
        )

    @cached_property
    def parted(self) -> tuple[int, ...]:
        """Keys at which tokenizers have different tokens: another kind, or another text."""
        return tuple(
            key
            for key, there in sorted(self.tokens.items())
            if len({(token.kind, token.text) for _, token in there}) > 1
        )

    @property
    def parting(self) -> str | None:
        """A sentence that says where the tokenizers part, for a warning or a caption; None where they do not."""
        if len(self.read) < 2 or not self.parted:  # noqa: PLR2004  (two can part)
            return None
        key, last = self.parted[0], self.parted[-1]
        there = ", ".join(f"{name} has {_named(token)}" for name, token in self.tokens[key])
        reach = f"position {key}" if key == last else f"positions {key} to {last}"
        return f"the tokenizers do not agree at {reach}: at {key}, {there}; a position counts for each word there"


def _named(token: Token) -> str:
    return repr(clip(token.text, 40)) if token.text else token.kind


def tokenizers_of(tokens: Mapping[str, Tokenization], firsts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The (name, first key) pairs that are needed to name the keys: one tokenizer speaks for all that agree with it."""
    keys = SharedKeys.of(tokens, firsts.items())
    pairs = [(one.tokenizer, first) for one, first in keys.read]
    return pairs[:1] if pairs and keys.agree else pairs


def readers_of(tokens: Mapping[str, Tokenization], firsts: Mapping[str, int]) -> dict[str, Any]:
    """The fields of an Attention that name the tokenizers of its keys: `tokenizer` alone wherever that says it all."""
    pairs = tokenizers_of(tokens, firsts)
    alone = pairs[0][0] if len(pairs) == 1 else None
    return {"tokenizer": alone} | ({} if not pairs or pairs == [(alone, 0)] else {"tokenizers": tuple(pairs)})
