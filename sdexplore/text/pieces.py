"""Vocabulary pieces and the characters that they cover.

Byte-level vocabularies (CLIP, GPT-2) spell UTF-8 with one printable character for each byte, so a
piece may hold a part of a character; sentencepiece vocabularies (T5) mark a word's start by "▁".
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from itertools import accumulate, takewhile

from .words import Span, nfc, units

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_BYTES = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + place): byte for place, byte in enumerate(byte for byte in range(0x100) if byte not in _PRINTABLE)
}
_WORD_START = "▁"
_NEAR = 64  # bytes to look ahead for a piece, where the tokenizer rewrote the text before it


def piece_bytes(piece: str) -> bytes | None:
    """The bytes that a byte-level piece stands for; None where it is no such piece.

    Source: GPT-2's bytes_to_unicode; "<0xE6>" is how sentencepiece writes a byte.
    """
    lone = re.fullmatch(r"<0x([0-9A-F]{2})>", piece)
    if lone:
        return bytes.fromhex(lone[1])
    try:
        return bytes(_BYTES[character] for character in piece.removesuffix("</w>"))
    except KeyError:
        return None


class Cover:
    """Which tokens cover which characters, by (start, stop) spans in order of their starts.

    A *run* is a sequence of tokens, each of which shares a character with the next. It holds the bytes
    of one character, or of several where a piece holds the end of one and the beginning of another.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._stops = list(accumulate((stop for _, stop in spans), max))
        self._runs: list[list[int]] = []
        end = 0
        for k, (start, stop) in enumerate(spans):
            if start == stop:
                continue
            if start < end:
                self._runs[-1].append(k)
            else:
                self._runs.append([k])
            end = max(end, stop)
        self._run_of = {k: run for run in self._runs for k in run}

    def over(self, span: Span) -> list[int]:
        """The indices of the spans that share a character with `span`."""
        low, high = bisect_right(self._stops, span[0]), bisect_left(self._starts, span[1])
        near = enumerate(self._spans[low:high], start=low)
        return [k for k, (start, stop) in near if max(start, span[0]) < min(stop, span[1])]

    def widened(self, span: Span) -> Span:
        """The smallest span around `span` that cuts through no run of tokens."""
        over = self.over(span)
        if not over:
            return span
        first, last = self._run_of[over[0]], self._run_of[over[-1]]
        return min(span[0], self._starts[first[0]]), max(span[1], self._stops[last[-1]])

    def parts(self) -> list[tuple[int, int] | None]:
        """(i, n) where this is the i-th span, from 1, of a run of n; None for a span alone."""
        found: list[tuple[int, int] | None] = [None] * len(self._spans)
        for run in self._runs:
            if len(run) > 1:
                for i, k in enumerate(run, start=1):
                    found[k] = (i, len(run))
        return found


def settle(text: str, pieces: Sequence[str], offsets: Sequence[Span]) -> list[Span]:
    """A tokenizer's offsets, corrected: in range and order, without spaces, no character left out.

    Tokenizers leave out characters that composition removes (the accent of a decomposed "é"). Such a
    character goes to the token that ends right before it, or else to the one that begins right after it.
    """
    spans = [list(_trimmed(text, start, stop)) for start, stop in offsets]
    floor = 0
    for span in spans:
        floor = span[0] = max(floor, span[0])
        span[1] = max(span)
    for k, piece in enumerate(pieces[:-1]):
        if piece == _WORD_START and spans[k][0] == spans[k + 1][0]:
            spans[k][1] = spans[k][0]  # a mark before a word covers nothing itself
    covered = 0
    for k, (start, stop) in enumerate([*spans, [len(text), len(text)]]):
        if start > covered:
            _claim(text, spans, k, (covered, start))
        covered = max(covered, stop)
    return [(start, stop) for start, stop in spans]


def _trimmed(text: str, start: int, stop: int) -> Span:
    start = min(max(start, 0), len(text))
    stop = min(max(stop, start), len(text))
    inner = text[start:stop]
    if not inner or inner.isspace():
        return start, stop
    return start + len(inner) - len(inner.lstrip()), stop - len(inner) + len(inner.rstrip())


def _claim(text: str, spans: list[list[int]], k: int, gap: Span) -> None:
    """Gives the ends of `gap`, which lies before token `k`, to the tokens that touch it."""
    start, stop = gap
    words = re.split(r"\s", text[start:stop])
    earlier = map(spans.__getitem__, range(k - 1, -1, -1))
    later = map(spans.__getitem__, range(k, len(spans)))
    before = [span for span in takewhile(lambda span: span[1] == start, earlier) if span[0] < start]
    for span in before:
        span[1] += len(words[0])
    if before and len(words) == 1:
        return
    for span in takewhile(lambda span: span[0] == stop, later):
        empty = span[0] == span[1]
        span[0] -= len(words[-1])
        span[1] -= empty * len(words[-1])


def align(text: str, pieces: Sequence[str]) -> list[Span]:
    """The spans of `pieces` in `text`, settled as by `settle`, for tokenizers that give no offsets.

    The bytes of the pieces are searched, in order, in those of the lower-cased composed text. Pieces that
    are not found there (unknown, rewritten) share the characters between their neighbours.
    """
    stream, owners = bytearray(), []
    words: set[int] = set()  # where a word begins in the stream
    apart = True
    for start, stop in units(text):
        unit = text[start:stop]
        if unit.isspace():
            apart = True
            continue
        if apart:
            words.add(len(stream))
        apart = False
        places = range(start, stop) if nfc(unit) == unit else [start]
        for first in places:
            last = first + 1 if len(places) > 1 else stop
            spelled = _lowered(text[first:last])
            stream += spelled
            owners += [(first, last)] * len(spelled)
    spans: list[Span | None] = []
    cursor, unknown = 0, False
    for piece in pieces:
        marks = piece == _WORD_START
        hit = None
        if unknown and not marks:  # the unknown piece spells something, so look behind that first
            hit = _hit(stream, cursor + 1, piece, words if piece.startswith(_WORD_START) else None)
            hit = hit or _hit(stream, cursor + 1, piece)
        hit = hit or _hit(stream, cursor, piece)
        unknown = hit is None and (unknown or not marks)
        if hit is None:
            spans.append(None)
            continue
        start, cursor = hit
        here = owners[start][0] if start < len(owners) else len(text)
        spans.append((here, owners[cursor - 1][1] if cursor > start else here))
    return settle(text, pieces, _filled(pieces, spans, len(text)))


def _lowered(text: str) -> bytes:
    return nfc(text).lower().encode("utf-8", "surrogatepass")


def _hit(stream: bytearray, cursor: int, piece: str, at: Container[int] | None = None) -> Span | None:
    """Where `piece` stands in `stream`, at `cursor` or soon after it; only at the places `at`, if given."""
    if piece == _WORD_START:  # the mark spells nothing, unless the user typed it
        typed = piece.encode()
        return (cursor, cursor + len(typed)) if stream.startswith(typed, cursor) else None
    spelled = piece_bytes(piece)
    bare = _lowered(piece.removesuffix("</w>").replace(_WORD_START, "").strip())
    choices = [bare]
    if spelled is not None:
        try:
            choices.insert(0, _lowered(spelled.decode().strip()))
        except UnicodeDecodeError:
            choices.insert(0, spelled)
    for limit in (cursor, cursor + _NEAR):
        for wanted in choices:
            place = stream.find(wanted, cursor, limit + len(wanted))
            while place >= 0 and at is not None and place not in at:
                place = stream.find(wanted, place + 1, limit + len(wanted))
            if place >= 0:
                return place, place + len(wanted)
    return None


def _filled(pieces: Sequence[str], spans: Sequence[Span | None], length: int) -> list[Span]:
    """`spans` with each None replaced by the span between its neighbours; by an empty one for a word's mark."""
    befores = accumulate((span[1] if span else 0 for span in spans), max, initial=0)
    filled: list[Span] = []
    here = after = length
    for piece, span, before in reversed([*zip(pieces, spans, befores, strict=False)]):
        if span:
            filled.append(span)
            after = span[0]
        else:
            filled.append((here, here) if piece == _WORD_START else (before, max(before, after)))
        here = filled[-1][0]
    return filled[::-1]
