"""Where words and phrases stand among the tokens of a prompt."""

import json
import re

import pytest
from tokenized import read

from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text import tokenization
from sdexplore.text.tokenization import Tokenization


class TestPositions:
    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("cat", (2, 10)),
            ("CAT", (2, 10)),
            (" cat\n", (2, 10)),
            ("a", (1, 4, 9, 12)),
            ("capybara", (5, 6, 7)),
            ("cowboy", (13,)),
            ("a cat", (1, 2, 9, 10)),
            ("cat,", (2, 3)),
            ("cap", (5,)),
            ("ybara AND", (6, 7, 8)),
            (",", (3,)),
        ],
    )
    def test_of_words_and_of_phrases(self, animals, word, expected):
        assert animals.positions(word) == expected

    def test_of_one_occurrence(self, animals):
        assert animals.positions("cat", occurrence=0) == (2,)
        assert animals.positions("cat", occurrence=1) == (10,)
        assert animals.positions("a cat", 1) == (9, 10)

    @pytest.mark.parametrize(
        ("word", "message"),
        [
            ("cats", "no word 'cats' in the prompt; did you mean 'cat'?"),
            ("hot dog", "no phrase 'hot dog' in the prompt; "),
            ("", "'' names no word; give a word or a part of the prompt"),
            (" \n", r"' \n' names no word"),
        ],
    )
    def test_of_what_is_not_there_say_what_is(self, animals, word, message):
        with pytest.raises(TokenError, match=re.escape(message)):
            animals.positions(word)

    @pytest.mark.parametrize(
        ("part", "where", "here", "ask"),
        [
            ("cow", "is a part of the word 'cowboy'", "'cowboy'", "'cowboy'"),
            ("apy", "is a part of the word 'capybara'", "'cap' + 'y' + 'bara'", "'capy'"),
            ("wboy hat", "cuts through a token", "'cowboy' + 'hat'", "'cowboy hat'"),
        ],
    )
    def test_of_a_part_of_a_token_say_what_would_work(self, animals, part, where, here, ask):
        with pytest.raises(TokenError) as raised:
            animals.positions(part)
        assert str(raised.value) == (f"{part!r} {where}, and attention is per token, here {here}; ask for {ask}")
        assert animals.positions(ask.strip("'"))

    @pytest.mark.parametrize(
        ("word", "occurrence", "message"),
        [
            ("cat", 2, "'cat' stands 2 times in the prompt: occurrence may be 0 to 1, not 2"),
            ("cat", -1, "occurrence may be 0 to 1, not -1"),
            ("hat", 1, "'hat' stands once in the prompt: occurrence may be 0, not 1"),
            ([3], 0, "occurrence=0 goes with a word, not with positions"),
        ],
    )
    def test_of_an_occurrence_that_is_not_there(self, animals, word, occurrence, message):
        with pytest.raises(TokenError, match=re.escape(message)):
            animals.positions(word, occurrence)

    def test_of_a_prompt_without_words_name_its_tokens(self):
        with pytest.raises(TokenError, match=re.escape("no word 'cat' in the prompt; there is '🌸'")):
            read("🌸 🌸", ["🌸", "🌸"]).positions("cat")

    def test_of_an_empty_prompt(self):
        with pytest.raises(TokenError, match="no word 'cat' in the prompt; there is none"):
            read("", []).positions("cat")

    def test_of_words_that_were_cut_off(self, cut):
        assert cut.positions("capybara") == (4,)  # what is left of it
        assert cut.positions("cat") == (2,)
        for word, occurrence in [("cat", 1), ("bara", None)]:
            with pytest.raises(TokenError) as raised:
                cut.positions(word, occurrence)
            assert str(raised.value) == (
                f"{word!r} was cut off: tokenizer takes 6 tokens and 3 of this prompt did not fit; shorten the prompt"
            )

    def test_of_what_the_tokenizer_leaves_out(self):
        record = read("a ~ b", "a b")
        with pytest.raises(TokenError, match="no token covers '~': tokenizer leaves it out"):
            record.positions("~")

    def test_given_as_numbers_are_checked(self, animals):
        assert animals.positions(0) == (0,)
        assert animals.positions([7, 5, 6, 5]) == (5, 6, 7)
        assert animals.positions(range(18, 20)) == (18, 19)
        for bad in (20, -1):
            message = f"position {bad} is not in the sequence of 20 tokens, 0 to 19"
            with pytest.raises(TokenError, match=message):
                animals.positions([0, bad])
        with pytest.raises(TokenError, match="no position was given"):
            animals.positions([])
        with pytest.raises(TokenError, match="a position is a whole number, not 'cat'"):
            animals.positions(["cat", "hat"])
        with pytest.raises(TokenError, match=r"a position is a whole number, not 1\.5"):
            animals.positions([1.5])

    def test_given_by_numpy(self, animals):
        import numpy as np

        assert animals.positions(np.int64(3)) == (3,)
        assert animals.positions(np.arange(2)) == (0, 1)

    def test_messages_stay_short_for_endless_words(self):
        record = read("ab" * 5000, ["ab"] * 5000, max_length=77)
        with pytest.raises(TokenError) as raised:
            record.positions("b")
        assert len(str(raised.value)) < 700


class TestNames:
    """Textual inversions: "<cat-toy>" of two vectors is written out as "<cat-toy> <cat-toy>_1"."""

    @pytest.fixture
    def toy(self):
        text = "a <cat-toy> <cat-toy>_1 and a cat, <cat-toy> <cat-toy>_1"
        pieces = ["a", "<cat-toy>", "<cat-toy>_1", "and", "a", "cat", ",", "<cat-toy>", "<cat-toy>_1"]
        spans = [match.span() for match in re.finditer(r"<cat-toy>_1|<cat-toy>|\w+|,", text)]
        padding = 2
        return Tokenization.of(
            tokenizer="tokenizer",
            text=text,
            max_length=13,
            ids=[1, *range(100, 100 + len(pieces)), 2, *[0] * padding],
            pieces=["<s>", *pieces, "</s>", *["!"] * padding],
            kinds=["start", *["text"] * len(pieces), "end", *["padding"] * padding],
            spans=[None, *spans, *[None] * (1 + padding)],
            names=[(2, 23), (35, 56)],
        )

    def test_a_name_is_one_word_with_all_its_vectors(self, toy):
        assert toy.positions("<cat-toy>") == (2, 3, 8, 9)
        assert toy.positions("<cat-toy>", occurrence=1) == (8, 9)
        assert toy.positions("cat") == (6,)
        assert [word.text for word in toy.words] == ["a", "<cat-toy>", "and", "a", "cat", "<cat-toy>"]
        assert [word.occurrence for word in toy.words] == [0, 0, 0, 1, 0, 1]
        assert toy.different_words == ("a", "<cat-toy>", "and", "cat")

    def test_a_part_of_a_name_is_no_word(self, toy):
        with pytest.raises(TokenError, match="'toy' is a part of the word '<cat-toy>'"):
            toy.positions("toy")

    def test_the_prompt_as_typed_has_each_name_once(self, toy):
        assert toy.typed == "a <cat-toy> and a cat, <cat-toy>"
        assert toy.typed_without(*toy.places("cat")) == "a <cat-toy> and a , <cat-toy>"
        assert toy.typed_without(*toy.places("<cat-toy>")) == "a and a cat,"
        assert toy.typed_without(*toy.places("<cat-toy>", 1)) == "a <cat-toy> and a cat,"

    def test_names_come_back_from_json(self, toy):
        said = json.loads(json.dumps(toy.to_json()))
        assert Tokenization.from_json(said) == toy
        for wrong in (7, [[2, 3], [1, 2]], [[2, 2]], [[0, 999]], ["x"]):
            with pytest.raises(TraceError, match="no place of a name"):
                Tokenization.from_json({**said, "names": wrong})

    def test_a_prompt_without_names_is_stored_as_before(self, animals):
        assert "names" not in animals.to_json()


def test_words_of_a_long_prompt_are_compared_once_and_not_for_every_question(monkeypatch):
    """Folding every word at every question would take n² for a prompt of n words."""
    text = " ".join(f"w{number}" for number in range(400))
    record = read(text, text.split(), max_length=500)
    folded = []
    fold = tokenization.fold
    monkeypatch.setattr(tokenization, "fold", lambda word: folded.append(word) or fold(word))
    assert [record.positions(word.text) for word in record.words] == [(place,) for place in range(1, 401)]
    assert len(folded) <= 2 * len(record.words)
