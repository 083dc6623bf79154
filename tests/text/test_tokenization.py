"""The record of a tokenized prompt: words, phrases, JSON and reprs, without torch."""

import copy
import json
import pickle
import re
import subprocess
import sys
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text import tokenization
from sdexplore.text.pieces import align
from sdexplore.text.tokenization import Tokenization, Tokenizations


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


@pytest.fixture
def animals():
    """A prompt with a repeated word, a word of three pieces and one that holds another."""
    text = "A cat, a capybara and a Cat in a cowboy hat"
    pieces = "a cat , a cap y bara and a cat in a cowboy hat"
    return read(text, pieces, max_length=20)


@pytest.fixture
def cut():
    """Room for four tokens: the second "cat" is lost and "capybara" is cut after "cap"."""
    return read("a cat or capybara cat", "a cat or cap y bara cat", max_length=6)


class TestSequence:
    def test_positions_count_the_padded_sequence(self, animals):
        assert [token.position for token in animals.tokens] == list(range(20))
        assert animals.ids == tuple(token.id for token in animals.tokens)
        assert len(animals.ids) == animals.max_length == 20
        assert animals.length == 16
        assert animals.first_end == 15
        assert [token.position for token in animals.of_kind("padding")] == [16, 17, 18, 19]
        assert [token.position for token in animals.of_kind("start")] == [0]

    def test_text_is_as_typed(self, animals):
        assert animals.tokens[10].text == "Cat"
        assert animals.tokens[10].piece == "cat"
        assert animals.tokens[0].text == ""
        assert animals.tokens[0].span is None

    def test_what_was_cut_off_stands_last_and_has_no_position(self, cut):
        assert [token.text for token in cut.truncated] == ["y", "bara", "cat"]
        assert [token.position for token in cut.tokens] == [0, 1, 2, 3, 4, 5, None, None, None]
        assert len(cut.ids) == 6
        assert cut.length == 6
        assert cut.first_end == 5

    def test_words_have_positions_and_occurrences(self, animals):
        words = {(word.text, word.occurrence): word.positions for word in animals.words}
        assert words["A", 0] == (1,)
        assert words["a", 1] == (4,)
        assert words["capybara", 0] == (5, 6, 7)
        assert words["Cat", 1] == (10,)
        assert [animals.words[animals.tokens[k].word].text for k in (5, 6, 7)] == ["capybara"] * 3
        assert animals.tokens[3].word is None  # the comma

    def test_a_token_of_two_words_counts_for_both(self):
        record = read("ab!cd", ["ab!cd"])
        assert [word.positions for word in record.words] == [(1,), (1,)]
        assert record.tokens[1].word == 0

    def test_a_character_of_three_tokens_has_three_parts(self):
        record = read("の桜", ["ãģ®", "æ", "¡", "ľ</w>"])
        assert [token.part for token in record.tokens[1:5]] == [None, (1, 3), (2, 3), (3, 3)]
        assert [token.text for token in record.tokens[1:5]] == ["の", "桜", "桜", "桜"]
        assert record.positions("桜") == (2, 3, 4)

    def test_without_an_end_there_is_no_first_end(self):
        record = Tokenization.of(tokenizer="t", text="", max_length=None, ids=[], pieces=[], kinds=[], spans=[])
        assert record.first_end is None
        assert record.length == 0
        assert record.ids == ()


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


class TestJson:
    def test_goes_there_and_back(self, animals, cut):
        for record in (animals, cut, read("", []), read("桜 </script>", ["æ", "¡", "ľ</w>", "</script>"])):
            stored = json.loads(json.dumps(record.to_json()))
            assert Tokenization.from_json(stored) == record

    @given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=15))
    def test_goes_there_and_back_for_any_text(self, text, pieces):
        record = read(text, pieces)
        assert Tokenization.from_json(json.loads(json.dumps(record.to_json()))) == record

    def test_leaves_unknown_facts_to_newer_versions(self, cut):
        assert Tokenization.from_json({**cut.to_json(), "later": 1}) == cut

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"text": None}, "'tokenizer', 'text' and each of 'pieces' must be text"),
            ({"text": "\ud800"}, "'tokenizer', 'text' and each of 'pieces' must be text"),
            ({"ids": [1]}, "'ids', 'pieces', 'kinds' and 'spans' must be lists of one length"),
            ({"ids": "abcdefghi"}, "must be lists of one length"),
            ({"ids": [1.0] * 9}, "'ids' and 'max_length' must be whole numbers"),
            ({"ids": [True] * 9}, "'ids' and 'max_length' must be whole numbers"),
            ({"max_length": "77"}, "'ids' and 'max_length' must be whole numbers"),
            ({"pieces": [b"a"] * 9}, "'tokenizer', 'text' and each of 'pieces' must be text"),
            ({"kinds": ["text"] * 9}, "token 0 cannot be 'text' with span None"),
            ({"kinds": ["bogus"] * 9}, "token 0 cannot be 'bogus' with span None"),
            ({"kinds": [["start"]] * 9}, "token 0 cannot be ['start'] with span None"),
            ({"spans": [None] * 9}, "token 1 cannot be 'text' with span None"),
            ({"spans": [None, [0, 99], *[None] * 7]}, "token 1 cannot be 'text' with span [0, 99]"),
            ({"spans": [None, [1, 0], *[None] * 7]}, "token 1 cannot be 'text' with span [1, 0]"),
            ({"spans": [[0, 1]] * 9}, "token 0 cannot be 'start' with span [0, 1]"),
        ],
    )
    def test_damage_is_told(self, cut, change, message):
        with pytest.raises(TraceError, match=re.escape(message)) as raised:
            Tokenization.from_json({**cut.to_json(), **change})
        assert str(raised.value).startswith("the tokens in this trace are damaged: ")

    @pytest.mark.parametrize("missing", ["tokenizer", "text", "max_length", "ids", "kinds", "spans"])
    def test_what_is_missing_is_named(self, cut, missing):
        facts = cut.to_json()
        del facts[missing]
        with pytest.raises(TraceError, match=f"'{missing}' is missing"):
            Tokenization.from_json(facts)

    @pytest.mark.parametrize("value", [None, [], "x", 3])
    def test_what_is_no_object_is_told(self, value):
        with pytest.raises(TraceError, match="an object was expected, not "):
            Tokenization.from_json(value)

    def test_cut_off_tokens_must_stand_last(self, cut):
        facts = copy.deepcopy(cut.to_json())
        for values in (facts["kinds"], facts["spans"]):
            values.insert(1, values.pop())
        with pytest.raises(TraceError, match="cut off must stand last"):
            Tokenization.from_json(facts)

    def test_records_are_values(self, animals):
        assert pickle.loads(pickle.dumps(animals)) == animals  # noqa: S301  (our own bytes)
        assert hash(animals) == hash(Tokenization.from_json(animals.to_json()))


class TestShown:
    def test_as_text_it_is_a_heading_and_a_table(self):
        record = read("cat 桜 Cat", ["cat", "æ", "¡", "ľ</w>", "cat"], max_length=10)
        assert repr(record).splitlines() == [
            "tokenizer: “cat 桜 Cat”, 7 of 10 tokens",
            "position   id  text       piece  characters  word    part",
            "────────  ───  ─────────  ─────  ──────────  ──────  ───────",
            "       0    1  (start)    <s>",
            "       1  100  cat        cat    0:3         cat #0",
            "       2  101  桜         æ      4:5         桜      1/3  E6",
            "       3  102  桜         ¡      4:5         桜      2/3  A1",
            "       4  103  桜         ľ</w>  4:5         桜      3/3  9C",
            "       5  100  Cat        cat    6:9         Cat #1",
            "       6    2  (end)      </s>",
            "     7–9    0  (padding)  !",
        ]

    def test_what_was_cut_off_is_marked(self, cut):
        assert "6 of 6 tokens; 3 more cut off" in repr(cut)
        assert repr(cut).count(" cut off  ") == 3
        assert cut._repr_html_().count("line-through") == 3

    def test_as_html_it_has_a_chip_for_each_token(self, animals):
        html = animals._repr_html_()
        chips = re.findall(r'<span style="display:inline-block[^"]*"[^>]*>(.*?)</span>', html)
        texts = [re.sub("<.*", "", chip) for chip in chips]
        assert texts[:4] == ["start", "A", "cat", ","]
        assert texts[-2:] == ["end", "padding"]
        assert "16–19" in html
        assert len(chips) == 17
        for fact in ("capybara", "bara", "Cat #1"):  # the table, too
            assert f">{fact}</td>" in html

    def test_every_second_word_is_shaded(self):
        html = read("one capy two", "one cap y two")._repr_html_()
        looks = re.findall(r"border-radius:4px;([^\"]*)\">(\w+)<", html)
        shaded = {text for look, text in looks if "brand" in look}
        assert shaded == {"cap", "y"}

    def test_a_mark_alone_is_carried_by_a_circle(self):
        assert "◌\u0e47" in repr(read("\u0e01\u0e47", ["\u0e01", "\u0e47"]))

    def test_hostile_text_is_escaped(self):
        hostile = "</script><img onerror=x>"
        html = Tokenizations({"tokenizer": read(hostile, [hostile], tokenizer=hostile)})._repr_html_()
        assert hostile not in html
        assert "<img" not in html
        assert "&lt;/script&gt;&lt;img onerror=x&gt;" in html

    def test_long_prompts_stay_small(self):
        record = read("ab " * 3000, ["ab"] * 3000, max_length=77)
        assert len(repr(record)) < 50_000
        assert len(record._repr_html_()) < 400_000
        assert "more rows" in repr(record)
        assert "… 2,603 more" in record._repr_html_()

    def test_long_padding_is_one_chip_with_its_range(self):
        html = read("ab", ["ab"], max_length=600)._repr_html_()
        assert html.count("3–599") == 2
        assert "more" not in html

    @given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=15))
    def test_nothing_raises(self, text, pieces):
        record = read(text, pieces)
        assert repr(record).startswith("tokenizer: “")
        assert record._repr_html_().endswith("</div>")


class TestTokenizations:
    def test_is_a_mapping_that_shows_each(self, animals, cut):
        both = Tokenizations({"tokenizer": animals, "tokenizer_2": cut})
        assert list(both) == ["tokenizer", "tokenizer_2"]
        assert both["tokenizer_2"] is cut
        assert both == Tokenizations(dict(both))
        assert repr(both) == f"{animals!r}\n{cut!r}"
        assert "cowboy" in both._repr_html_()

    def test_names_what_it_has(self, animals):
        one = Tokenizations({"tokenizer": animals})
        with pytest.raises(TokenError) as raised:
            one["tokeniser"]
        assert str(raised.value) == "no tokenizer 'tokeniser'; did you mean 'tokenizer'?"
        assert "tokeniser" not in one
        assert one.get("tokeniser") is None

    def test_may_be_empty(self):
        assert repr(Tokenizations({})) == "no tokenizer, no tokens"


def test_records_need_neither_torch_nor_transformers():
    code = (
        "import sys, sdexplore.text.tokenization; "
        "print(sorted({'torch', 'transformers', 'diffusers', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


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
