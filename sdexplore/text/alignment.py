"""Which tokens of one prompt stand for which of another, as prompt-to-prompt aligns them.

Source: Hertz et al. 2022 (2208.01626), section 3.2, and the code of its `seq_aligner`. Where both prompts have as many
words, the words stand for each other in their order ("replace"); else equal tokens do, in order, as many as possible
("refine"). We differ behind the text: the end stands for the end, and padding for padding of the same position. The
published code lets every position stand for itself there, also where one prompt has text and the other has none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .token import Token
from .tokenization import Tokenization

Pair = tuple[int, int, float]


@dataclass(frozen=True)
class Alignment:
    """What of a source's attention a prompt takes over.

    Attributes:
        kind: "replace": word for word; "refine": equal tokens alone.
        pairs: (position in the source, position in the prompt, share): so much of the source's column goes there.
        length: Positions of the prompt.
    """

    kind: Literal["replace", "refine"]
    pairs: tuple[Pair, ...]
    length: int

    @property
    def taken(self) -> tuple[bool, ...]:
        """For each position of the prompt, whether its attention is the source's; else it is the prompt's own."""
        filled = {position for _, position, _ in self.pairs}
        return tuple(position in filled for position in range(self.length))

    @property
    def one_to_one(self) -> bool:
        """Whether each position takes that of the same number, so that the source's attention is taken as it is."""
        return self.pairs == tuple((one, one, 1.0) for one in range(self.length))


def aligned(source: Tokenization, prompt: Tokenization) -> Alignment:
    """The positions of `source` that stand for positions of `prompt`; both as one tokenizer reads them."""
    many = [sum(bool(word.positions) for word in one.words) for one in (source, prompt)]
    kind: Literal["replace", "refine"] = "replace" if many[0] == many[1] else "refine"
    found = [*(_by_word if kind == "replace" else _by_token)(source, prompt), *_behind(source, prompt)]
    return Alignment(kind, tuple(sorted(found, key=lambda pair: pair[1::-1])), len(prompt.ids))


def _by_word(source: Tokenization, prompt: Tokenization) -> Iterator[Pair]:
    """Word for word, and what stands between two words; 1/n of each token where there are other numbers of tokens."""
    for mine, theirs in zip(_pieces(source), _pieces(prompt), strict=True):
        if len(mine) == len(theirs):
            yield from ((one, other, 1.0) for one, other in zip(mine, theirs, strict=True))
        else:
            yield from ((one, other, 1 / len(theirs)) for other in theirs for one in mine)


def _pieces(read: Tokenization) -> list[list[int]]:
    """The positions of the text with its start: what stands before a word, and the word, in turn; then the rest."""
    text = [token.position for token in read.tokens if token.kind in ("start", "text") and token.position is not None]
    pieces, begin = [], 0
    for word in (one for one in read.words if one.positions):
        inside = [place for place, position in enumerate(text) if position in word.positions and place >= begin]
        first, last = (inside[0], inside[-1] + 1) if inside else (begin, begin)
        pieces += [text[begin:first], text[first:last]]
        begin = last
    return [*pieces, text[begin:]]


def _by_token(source: Tokenization, prompt: Tokenization) -> Iterator[Pair]:
    """Equal tokens in order, as many as possible: the longest common subsequence."""
    mine, theirs = (
        [one for one in read.tokens if one.kind in ("start", "text") and one.position is not None]
        for read in (source, prompt)
    )
    yield from ((one, other, 1.0) for one, other in _common(mine, theirs))


def _common(mine: Sequence[Token], theirs: Sequence[Token]) -> Iterator[tuple[int, int]]:
    longest = [[0] * (len(theirs) + 1) for _ in range(len(mine) + 1)]
    for i in range(len(mine) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            same = mine[i].id == theirs[j].id
            longest[i][j] = longest[i + 1][j + 1] + 1 if same else max(longest[i + 1][j], longest[i][j + 1])
    i = j = 0
    while i < len(mine) and j < len(theirs):
        one, other = mine[i].position, theirs[j].position
        if mine[i].id == theirs[j].id and one is not None and other is not None:
            yield one, other
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1


def _behind(source: Tokenization, prompt: Tokenization) -> Iterator[Pair]:
    """The end and the padding."""
    ends, pads = (
        [[one.position for one in read.of_kind(kind) if one.position is not None] for read in (source, prompt)]
        for kind in ("end", "padding")
    )
    yield from ((one, other, 1.0) for one, other in zip(*ends, strict=False))
    yield from ((one, one, 1.0) for one in pads[1] if one in set(pads[0]))
