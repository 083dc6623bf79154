"""Bytes of pieces, and the characters that they cover, with and without a tokenizer's offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdexplore.text.pieces import Cover, align, piece_bytes, settle

CHARACTER_OF = {bytes([b]): c for c in map(chr, range(0x180)) if (bs := piece_bytes(c)) for b in bs}


def bytes_as_pieces(text):
    """`text` as a byte-level tokenizer without merges spells it: a piece for each byte."""
    return [CHARACTER_OF[bytes([byte])] for byte in text.encode()]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("æĿ±", "東".encode()),
        ("ðŁĲ±</w>", "🐱".encode()),
        ("cafÃ©</w>", "café".encode()),
        ("Ġcat", b" cat"),
        ("<0xE6>", b"\xe6"),
        ("▁cat", None),
        ("東", None),
    ],
)
def test_byte_level_pieces_spell_bytes(piece, expected):
    assert piece_bytes(piece) == expected


def test_every_byte_has_one_character():
    assert len(CHARACTER_OF) == 256
    assert len(set(CHARACTER_OF.values())) == 256


def test_a_mark_that_was_composed_away_goes_to_the_letter_before_it():
    assert settle("cafe\u0301 x", ["cafÃ©</w>", "x</w>"], [(0, 4), (6, 7)]) == [(0, 5), (6, 7)]


def test_every_token_that_shares_the_letter_gets_its_mark():
    assert settle("a\u030ax", ["Ã", "¥", "x</w>"], [(0, 1), (0, 1), (2, 3)]) == [
        (0, 2),
        (0, 2),
        (2, 3),
    ]


def test_what_stands_between_spaces_and_no_token_covers_belongs_to_none():
    assert settle("a ? b", ["a", "b"], [(0, 1), (4, 5)]) == [(0, 1), (4, 5)]


def test_what_touches_only_the_token_after_it_goes_there():
    assert settle("\u200bcat", ["cat"], [(1, 4)]) == [(0, 4)]


def test_spaces_and_word_marks_cover_nothing():
    pieces = ["▁a", "▁", "cat"]
    assert settle("a cat", pieces, [(0, 1), (1, 2), (1, 5)]) == [(0, 1), (1, 2), (2, 5)]
    assert settle("a cat", pieces, [(0, 1), (2, 3), (2, 5)]) == [(0, 1), (2, 2), (2, 5)]


def test_offsets_out_of_range_or_order_are_put_right():
    assert settle("abc", ["a", "b", "c"], [(-1, 9), (5, 2), (1, 2)]) == [(0, 3), (3, 3), (3, 3)]


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(-3, 25), st.integers(-3, 25))))
def test_settled_offsets_are_in_range_and_order_whatever_was_told(text, offsets):
    spans = settle(text, ["▁"] * len(offsets), offsets)
    assert len(spans) == len(offsets)
    assert all(0 <= start <= stop <= len(text) for start, stop in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


@given(st.text())
def test_bytes_are_aligned_to_the_characters_that_they_spell(text):
    lowered = text.lower()
    spans = align(lowered, bytes_as_pieces("".join(lowered.split())))
    covered = {place for start, stop in spans for place in range(start, stop)}
    assert {p for p, c in enumerate(lowered) if not c.isspace()} <= covered


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("東 京", ["æĿ", "±</w>", "äº", "¬</w>"], ["東", "東", "京", "京"]),
        ("Cafe\u0301 AU", ["cafÃ©</w>", "au</w>"], ["Cafe\u0301", "AU"]),
        ("A Cat", ["▁A", "▁", "Cat"], ["A", "", "Cat"]),
        ("a 🌸 b", ["▁a", "▁", "<unk>", "▁b"], ["a", "", "🌸", "b"]),
        ("a 0 cat", ["▁a", "▁", "<unk>", "▁", "cat"], ["a", "", "0", "", "cat"]),
        ("s0▁", ["▁", "s", "<unk>", "▁"], ["", "s", "0▁", ""]),
        ("▁", ["▁"], ["▁"]),
        ("A a", ["▁", "<unk>", "▁a"], ["", "A", "a"]),
        ("क़", ["à¤ķ</w>", "à¤", "¼</w>"], ["क", "\u093c", "\u093c"]),
        ("“cat”", ['"</w>', "cat</w>", '"</w>'], ["“", "cat", "”"]),
        ("İx", ["i</w>", "Ìĩ</w>", "x</w>"], ["İ", "İ", "x"]),
        ("x", ["<unk>", "<unk>"], ["x", "x"]),
        ("", ["<unk>"], [""]),
        ("cat", [], []),
    ],
)
def test_pieces_are_found_without_offsets(text, pieces, expected):
    assert [text[start:stop] for start, stop in align(text, pieces)] == expected


@given(st.text(max_size=30), st.lists(st.text(max_size=3) | st.sampled_from(["▁", "</w>", "Ġ", "ĥ"])))
def test_foreign_pieces_never_raise(text, pieces):
    spans = align(text, pieces)
    assert len(spans) == len(pieces)
    assert all(0 <= start <= stop <= len(text) for start, stop in spans)


def test_tokens_that_share_characters_are_parts_of_one_run():
    cover = Cover([(0, 2), (1, 3), (2, 3), (3, 4), (4, 4), (5, 6), (5, 6)])
    assert cover.parts() == [(1, 3), (2, 3), (3, 3), None, None, (1, 2), (2, 2)]
    assert cover.over((2, 3)) == [1, 2]
    assert cover.over((4, 5)) == []
    assert cover.widened((2, 3)) == (0, 3)
    assert cover.widened((3, 4)) == (3, 4)
    assert cover.widened((4, 5)) == (4, 5)


spans = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4))).map(
    lambda pairs: sorted(((a, a + n) for a, n in pairs), key=lambda span: span[0])
)


@given(spans, st.integers(0, 12), st.integers(1, 5))
def test_cover_agrees_with_asking_every_span(spans, start, length):
    cover, asked = Cover(spans), set(range(start, start + length))
    expected = [k for k, (a, b) in enumerate(spans) if asked & set(range(a, b))]
    assert cover.over((start, start + length)) == expected
    grown = set(asked)
    while any(grown & set(range(a, b)) and not set(range(a, b)) <= grown for a, b in spans):
        for a, b in spans:
            grown |= set(range(a, b)) if grown & set(range(a, b)) else set()
    assert cover.widened((start, start + length)) == (min(grown), max(grown) + 1)
