"""Tokenized prompts from pieces that are written out, without a tokenizer."""

from itertools import count

from sdexplore.text.pieces import align
from sdexplore.text.tokenization import Tokenization


def read(text, pieces, max_length=12, tokenizer="tokenizer"):
    """`text` spelled by `pieces`, between a start and an end, padded or cut at `max_length`."""
    pieces = pieces.split() if isinstance(pieces, str) else pieces
    spans, room = align(text, pieces), max_length - 2
    padding = max(0, room - len(pieces))
    numbers = {piece: number for number, piece in zip(count(100), dict.fromkeys(pieces))}
    rows = [
        (1, "<s>", "start", None),
        *((numbers[p], p, "text", s) for p, s in zip(pieces[:room], spans, strict=False)),
        (2, "</s>", "end", None),
        *[(0, "!", "padding", None)] * padding,
        *((numbers[p], p, "truncated", s) for p, s in zip(pieces[room:], spans[room:], strict=True)),
    ]
    ids, pieces, kinds, spans = map(list, zip(*rows, strict=True))
    return Tokenization.of(
        tokenizer=tokenizer,
        text=text,
        max_length=max_length,
        ids=ids,
        pieces=pieces,
        kinds=kinds,
        spans=spans,
    )
