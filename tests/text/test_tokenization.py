"""The record of a tokenized prompt: its sequence, JSON and reprs, without torch."""

import copy
import json
import pickle
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenized import read

from sdexplore.base.errors import TokenError, TraceError
from sdexplore.text.tokenization import Tokenization, Tokenizations


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
