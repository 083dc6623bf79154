"""The layers and heads that are most special to a word."""

from dataclasses import dataclass

import numpy as np

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError
from ..trace.trace import Steps, Trace
from .attention_mass import kinds_of
from .resizing import as_float32
from .selection import Layers, Selection, Word, columns_of, label

_SHOWN = 12  # rows of a ranking; SDXL has more than a thousand heads


@dataclass(frozen=True, repr=False)
class WordLayers(Shown):
    """Layers and heads, those most special to a word first: by probability × bits.

    A head that hardly ever looks at the word is not special to it, even where it looks at odd places; and float16 keeps
    few digits of such small probabilities. So the bits are weighted by how much the head looks at the word.

    Attributes:
        layers, heads: Which; head None where only the mean was recorded.
        bits: How far the word's map is from that of the prompt's other tokens: Kullback and Leibler's divergence of
            the two as distributions over pixels.
        probability: The mean attention that the word gets there.
    """

    word: str
    layers: tuple[str, ...]
    heads: tuple[int | None, ...]
    bits: tuple[float, ...]
    probability: tuple[float, ...]

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a layer and head, twelve at most."""
        ranked = list(zip(self.layers, self.heads, self.bits, self.probability, strict=True))
        rows = [
            (name, "mean" if head is None else str(head), f"{bits:.3f}", f"{p:.4f}", f"{1000 * p * bits:.3f}")
            for name, head, bits, p in ranked[:_SHOWN]
        ]
        headers = ("layer", "head", "bits", "probability", "product × 1000")
        more = len(ranked) - len(rows)
        return [
            Line(f"Layers most special to {clip(self.word)!r}", strong=True),
            Table(headers, rows, frozenset(headers[1:])),
            *[Line(f"… and {more} more: .layers, .heads, .bits, .probability")] * (more > 0),
        ]


def word_layers(
    trace: Trace,
    word: Word,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    tokenizer: str | None = None,
) -> WordLayers:
    """Layers (and heads, where recorded) ranked by how much, and how differently from the rest, they look at a word.

    Raises:
        TraceError: What was asked for was not recorded; or the prompt has no other token.
    """
    selection = Selection(role, steps, layers, tokenizer=tokenizer)
    chosen = selection.of(trace)
    rows: list[tuple[float, float, str, int | None]] = []
    for name, attention in chosen.layers.items():
        wanted = columns_of(attention, selection.positions(trace, attention, word))
        kinds = kinds_of(trace, role, name, attention)
        others = [column for column in np.flatnonzero(kinds == "words") if column not in wanted]
        if not others:
            raise TraceError(f"word_layers({word!r}): the prompt has no other token to compare with")
        probs = as_float32(attention.rows(chosen.calls(attention))).mean(axis=0)
        for head, by_head in enumerate(probs):
            mine, theirs = by_head[..., list(wanted)].sum(-1), by_head[..., others].sum(-1)
            row = (_divergence(mine, theirs), float(mine.mean()), name, None if attention.head_mean else head)
            rows.append(row)
    rows.sort(key=lambda row: -row[0] * row[1])
    bits, probability, names, heads = zip(*rows, strict=True)
    return WordLayers(label(word), names, heads, bits, probability)


def _divergence(mine: np.ndarray, theirs: np.ndarray) -> float:
    tiny = np.finfo(np.float32).tiny
    p, q = (np.maximum(values.astype(np.float64), tiny) for values in (mine, theirs))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log2(p / q)).sum())
