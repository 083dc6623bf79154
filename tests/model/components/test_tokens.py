"""The tokens of a prompt from real tokenizers: CLIP's vocabulary, sentencepiece, and some without offsets."""

import functools
import io
import json
import logging
from types import SimpleNamespace

import pytest
import tokenizers
import torch
import transformers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared_tokenizers import own_tokenizer
from tiny_pipelines import TOKENIZER, stable_diffusion, stable_diffusion_xl, tokenizer
from transformers import CLIPTokenizerFast

from sdexplore.base.errors import InspectionError, TokenError
from sdexplore.model.components.tokens import tokens
from sdexplore.text.tokenization import Tokenization

ODD = ["", " ", "東京の桜 🌸", "(cat:1.2)", "İstanbul ﬁ Å", "<|endoftext|> cat", "กกกก", "x " * 90]
PROMPTS = st.text() | st.text("aAé\u0301\u0323 ß東の桜🌸ก็한\u1112\u1161\u11ab'1:(\n▂\u200d", max_size=150)


class WithoutOffsets:
    """CLIP's tokenizer as transformers 4 loads it: slow, so that it tells no offsets."""

    is_fast = False

    def __init__(self, of):
        self._of = of

    def __getattr__(self, name):
        return getattr(self._of, name)

    def __call__(self, text, **how):
        if how.get("return_offsets_mapping"):
            raise NotImplementedError("return_offset_mapping is not available")
        return self._of(text, **how)


def clip(text):
    return tokens(tokenizer(), text)["tokenizer"]


def t5(**how):
    known = ["▁a", "▁photo", "▁of", "cat", "s", "▁dog", "é", "東", "."]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    vocab = [*special, *((piece, -1.0) for piece in known)]
    how = {"model_max_length": 12, **how}
    if int(transformers.__version__.partition(".")[0]) >= 5:
        return transformers.T5Tokenizer(vocab=vocab, extra_ids=0, **how)
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(vocab, unk_id=2))  # as version 5 makes it
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.WhitespaceSplit(), tokenizers.pre_tokenizers.Metaspace()]
    )
    made.decoder = tokenizers.decoders.Metaspace()
    end = {"single": ["$A", "</s>"], "special_tokens": [("</s>", 1)]}
    made.post_processor = tokenizers.processors.TemplateProcessing(**end)
    return transformers.T5TokenizerFast(tokenizer_object=made, extra_ids=0, **how)


plain_t5 = functools.cache(t5)


def shown(record):
    """(text, part) of every token of the prompt."""
    return [(token.text, token.part) for token in record.of_kind("text")]


def check(record):
    """What holds for every text."""
    sequence = [token for token in record.tokens if token.position is not None]
    assert [token.position for token in sequence] == list(range(len(sequence)))
    covered = set()
    for token in record.tokens:
        if token.span is not None:
            start, stop = token.span
            assert 0 <= start <= stop <= len(record.text)
            assert token.text == record.text[start:stop]
            covered |= set(range(start, stop))
    assert {p for p, c in enumerate(record.text) if not c.isspace()} <= covered
    for index, word in enumerate(record.words):
        owned = [
            token
            for token in record.tokens
            if token.span and max(token.span[0], word.span[0]) < min(token.span[1], word.span[1])
        ]
        assert word.positions == tuple(token.position for token in owned if token.position is not None)
        assert all(token.word is not None and token.word <= index for token in owned)  # the first of several words
        if word.positions:
            assert record.positions(word.text, word.occurrence) == word.positions
    assert Tokenization.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert repr(record)
    assert record._repr_html_()


class TestClip:
    def test_tells_ids_positions_and_words(self):
        record = clip("a photo of an Astronaut")
        assert record.ids[:7] == (49406, 320, 1125, 539, 550, 18376, 49407)
        assert record.length == 7
        assert record.first_end == 6
        assert record.max_length == 77
        assert len(record.of_kind("padding")) == 70
        assert record.positions("astronaut") == (5,)
        assert record.tokens[5].text == "Astronaut"
        assert record.tokens[5].piece == "astronaut</w>"

    def test_reads_japanese_and_emoji(self):
        record = clip("東京の桜 🌸")
        assert shown(record) == [
            ("東", None),
            ("京", (1, 2)),
            ("京", (2, 2)),
            ("の", None),
            ("桜", (1, 3)),
            ("桜", (2, 3)),
            ("桜", (3, 3)),
            ("🌸", None),
        ]
        assert record.positions("東京") == (1, 2, 3)
        assert record.positions("京") == (2, 3)
        assert record.positions("🌸") == (8,)
        assert "1/3  E6" in repr(record)

    @pytest.mark.parametrize("word", ["caf\u00e9", "cafe\u0301"])
    @pytest.mark.parametrize("asked", ["caf\u00e9", "CAFE\u0301"])
    def test_reads_composed_and_decomposed_accents_alike(self, word, asked):
        record = clip(f"a {word} here")
        assert shown(record) == [("a", None), (word, None), ("here", None)]
        assert record.positions(asked) == (2,)

    def test_reads_decomposed_hangul(self):
        record = clip("\u1112\u1161\u11ab\u1100\u1173\u11af tea")
        assert [text for text, _ in shown(record)] == [
            *["\u1112\u1161\u11ab"] * 2,
            *["\u1100\u1173\u11af"] * 2,
            "tea",
        ]
        assert record.positions("\ud55c\uae00") == (1, 2, 3, 4)

    def test_shows_the_seven_tokens_of_a_weight(self):
        record = clip("(cat:1.2)")
        assert [text for text, _ in shown(record)] == ["(", "cat", ":", "1", ".", "2", ")"]
        assert record.positions("(cat:1.2)") == (1, 2, 3, 4, 5, 6, 7)
        assert record.positions("cat") == (2,)

    def test_words_may_have_several_pieces_or_stand_several_times(self):
        record = clip("1girl, a cow and a capybara, no cowboy")
        assert record.positions("1girl") == (1, 2)
        assert record.positions("girl") == (2,)
        assert record.positions("a") == (4, 7)
        assert record.positions("a", occurrence=1) == (7,)
        assert len(record.positions("capybara")) == 3
        assert record.positions("cow") == (5,)  # not the cow of the cowboy
        with pytest.raises(TokenError, match="'cowb' is a part of the word 'cowboy'"):
            record.positions("cowb")

    def test_a_token_may_begin_before_its_word(self):
        record = clip("don't")
        assert [token.text for token in record.of_kind("text")] == ["don", "'t"]
        assert record.positions("t") == (2,)
        assert record.positions("don't") == (1, 2)

    def test_pieces_that_hold_ends_of_two_characters_are_parts_of_one_run(self):
        assert shown(clip("กกกก")) == [
            ("กก", (1, 4)),
            ("กก", (2, 4)),
            ("กก", (3, 4)),
            ("ก", (4, 4)),
        ]

    def test_typed_special_tokens_are_text(self):
        record = clip("<|endoftext|> cat")
        assert record.tokens[1].id == record.ids[record.first_end] == 49407
        assert record.tokens[1].kind == "text"
        assert record.first_end == 3

    def test_tells_what_was_cut_off(self):
        record = clip("cat " * 80 + "hat")
        assert len(record.ids) == record.length == 77
        assert record.first_end == 76
        assert len(record.truncated) == 6
        assert record.truncated[-1].text == "hat"
        assert record.positions("cat") == tuple(range(1, 76))
        with pytest.raises(TokenError, match="'hat' was cut off: tokenizer takes 77 tokens and 6 "):
            record.positions("hat")

    def test_an_empty_prompt_is_start_and_end(self):
        record = clip("")
        assert record.length == 2
        assert record.first_end == 1
        assert record.words == ()

    @settings(deadline=None, max_examples=200)
    @given(PROMPTS)
    def test_holds_for_any_text(self, text):
        record = clip(text)
        check(record)
        fed = tokenizer()(text, padding="max_length", max_length=77, truncation=True).input_ids
        assert list(record.ids) == fed


class TestOtherTokenizers:
    @settings(deadline=None)
    @given(PROMPTS)
    def test_without_offsets_any_text_is_aligned_all_the_same(self, text):
        record = tokens(WithoutOffsets(tokenizer()), text)["tokenizer"]
        check(record)
        assert record.ids == clip(text).ids

    @pytest.mark.parametrize(
        "text", [*ODD, "a cafe\u0301, CAFÉ", "1girl don't", "\u0958 \ufb2c", "\u1112\u1161\u11ab tea"]
    )
    def test_without_offsets_spans_are_the_same(self, text):
        assert tokens(WithoutOffsets(tokenizer()), text)["tokenizer"] == clip(text)

    def test_sentencepiece_has_no_start_and_marks_its_words(self):
        record = tokens(t5(), "a photo of Cats. 東é🌸")["tokenizer"]
        assert record.max_length == len(record.ids) == 12
        assert record.of_kind("start") == ()
        assert record.positions("photo") == (1,)
        record = tokens(t5(), "a cat")["tokenizer"]
        assert [(t.piece, t.text) for t in record.of_kind("text")] == [
            ("▁a", "a"),
            ("▁", ""),
            ("cat", "cat"),
        ]
        assert record.positions("cat") == (2,)
        assert record.first_end == 3

    @settings(deadline=None)
    @example("0A a")
    @given(st.text() | st.text("a photcs.▁é東🌸", max_size=40))
    def test_sentencepiece_holds_for_any_text(self, text):
        one = plain_t5()
        record = tokens(one, text)["tokenizer"]
        check(record)
        fed = one(text, padding="max_length", max_length=12, truncation=True).input_ids
        assert list(record.ids) == fed
        check(tokens(WithoutOffsets(one), text)["tokenizer"])

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_sides_of_padding_and_cutting_are_the_tokenizers_own(self, side):
        one = own_tokenizer(CLIPTokenizerFast, TOKENIZER, padding_side=side, truncation_side=side, model_max_length=6)
        for text, kept in [("a cat", "a cat"), ("a cat on a big mat", None)]:
            record = tokens(one, text)["tokenizer"]
            fed = one(text, padding="max_length", max_length=6, truncation=True).input_ids
            assert list(record.ids) == fed
            assert record.max_length == 6
            if kept is None:
                kept = "on a big mat"[:12] if side == "left" else "a cat on a"  # noqa: PLW2901
            assert " ".join(token.text for token in record.of_kind("text")) == kept

    def test_without_limit_or_padding_nothing_is_cut(self):
        one = t5(model_max_length=int(1e30))
        record = tokens(one, "a photo " * 300)["tokenizer"]
        assert record.max_length is None
        assert len(record.ids) == 601
        assert record.of_kind("padding") == record.truncated == ()

    def test_special_tokens_in_unknown_places_are_refused(self):
        class Fickle(WithoutOffsets):
            def __call__(self, text, **how):
                said = super().__call__(text, **how)
                if how.get("truncation"):
                    said["input_ids"][1] = 7
                return said

        with pytest.raises(InspectionError, match="cannot tell which token is which"):
            tokens(Fickle(tokenizer()), "a cat")


class TestPipelines:
    @pytest.mark.parametrize("text", ODD)
    def test_ids_are_what_the_text_encoder_is_fed(self, text, monkeypatch):
        pipe, fed = stable_diffusion(), []
        forward = pipe.text_encoder.forward
        monkeypatch.setattr(
            pipe.text_encoder,
            "forward",
            lambda input_ids, *a, **k: fed.append(input_ids) or forward(input_ids, *a, **k),
        )
        pipe.encode_prompt(text, "cpu", 1, do_classifier_free_guidance=False)
        assert [tuple(ids[0].tolist()) for ids in fed] == [tokens(pipe, text)["tokenizer"].ids]

    @pytest.mark.parametrize("text", ODD)
    def test_sdxl_has_two_and_the_second_pads_with_its_own(self, text, monkeypatch):
        pipe, fed = stable_diffusion_xl(), []
        for encoder in (pipe.text_encoder, pipe.text_encoder_2):
            monkeypatch.setattr(
                encoder,
                "forward",
                lambda ids, *a, forward=encoder.forward, **k: fed.append(ids) or forward(ids, *a, **k),
            )
        pipe.encode_prompt(text, device="cpu", do_classifier_free_guidance=False)
        both = tokens(pipe, text)
        assert list(both) == ["tokenizer", "tokenizer_2"]
        assert [tuple(ids[0].tolist()) for ids in fed] == [record.ids for record in both.values()]
        assert {token.piece for token in both["tokenizer_2"].of_kind("padding")} <= {"!"}
        assert both["tokenizer_2"].tokenizer == "tokenizer_2"

    def test_textual_inversion_is_written_out_as_the_pipeline_does_it(self):
        pipe = stable_diffusion()
        pipe.tokenizer = own_tokenizer(CLIPTokenizerFast, TOKENIZER)  # the other one is shared
        pipe.load_textual_inversion({"<toy>": torch.zeros(2, 32)}, token="<toy>")  # noqa: S106
        record = tokens(pipe, "a <toy> cat")["tokenizer"]
        assert record.text == "a <toy> <toy>_1 cat"
        assert [token.text for token in record.of_kind("text")] == ["a", "<toy>", "<toy>_1", "cat"]
        assert record.ids[2:4] == (49408, 49409)
        assert record.positions("<toy> <toy>_1") == (2, 3)

    @pytest.mark.parametrize("of_pipeline", [False, True])
    def test_transformers_says_nothing_of_long_prompts(self, of_pipeline):
        fresh = own_tokenizer(CLIPTokenizerFast, TOKENIZER)  # transformers warns once a tokenizer
        pipe = stable_diffusion()
        pipe.tokenizer = fresh
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        logger = logging.getLogger("transformers")
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            tokens(pipe if of_pipeline else fresh, "cat " * 100)
            assert said.getvalue() == ""
            fresh("cat " * 100)
            assert "Token indices sequence length" in said.getvalue()
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)

    def test_without_tokenizer_says_what_there_is(self):
        pipe = SimpleNamespace(components={"unet": object(), "vae": object(), "tokenizer": None})
        with pytest.raises(InspectionError) as raised:
            tokens(pipe, "a cat")
        assert str(raised.value) == "this SimpleNamespace has no tokenizer; it has unet, vae"
        with pytest.raises(InspectionError, match="it has no components"):
            tokens(SimpleNamespace(components={}), "a cat")

    def test_from_what_is_no_pipeline_says_so(self):
        with pytest.raises(InspectionError, match="from a pipeline or a tokenizer, not from int"):
            tokens(3, "a cat")

    def test_of_a_list_says_one_prompt_at_a_time(self, tiny):
        message = "a prompt is a str, not list; pass one prompt at a time"
        with pytest.raises(TokenError, match=message):
            tokens(tiny, ["a cat", "a dog"])
        with pytest.raises(TokenError, match=r"a prompt is a str, not NoneType$"):
            tokens(tiny, None)

    def test_of_a_broken_emoji_says_where(self, tiny):
        message = r"character 2 of the prompt, '\\ud83c', is half of a surrogate pair"
        with pytest.raises(TokenError, match=message):
            tokens(tiny, "a \ud83c")
