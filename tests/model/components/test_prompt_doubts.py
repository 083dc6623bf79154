"""What is noted of a pipeline's tokens: unused vectors, tokenizers that part, templates, ids without an embedding."""

import pytest
import torch
from shared_tokenizers import own_tokenizer
from tiny_pipelines import TOKENIZER, stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux, unknown
from transformers import CLIPTokenizerFast

import sdexplore as sdx
from sdexplore.base.errors import RunError, TokenError

SMALL = {"num_inference_steps": 1, "record": sdx.Record(decode=0)}


def toys(*names, vectors=2):
    """A pipeline with textual inversions of these names."""
    pipe = stable_diffusion()
    pipe.tokenizer = own_tokenizer(CLIPTokenizerFast, TOKENIZER)  # the other one is shared
    for name in names:
        pipe.load_textual_inversion({"emb_params": torch.randn(vectors, 32)}, token=name)
    return pipe


def test_the_map_of_a_textual_inversion_is_that_of_all_its_vectors_and_of_none_else():
    pipe = toys("<cat-toy>")
    trace = sdx.run(pipe, "a <cat-toy> and a cat", **SMALL)
    read = trace.tokens["cond"]["tokenizer"]
    assert (read.positions("<cat-toy>"), read.positions("cat")) == ((2, 3), (6,))
    assert read.ids[2:4] == (49408, 49409)
    both = sdx.word_map(trace, 2) + sdx.word_map(trace, 3)
    assert sdx.word_map(trace, "<cat-toy>") == pytest.approx(both, abs=1e-6)
    assert sdx.word_map(trace, "cat") == pytest.approx(sdx.word_map(trace, 6))
    assert "<cat-toy>" in sdx.region_words(trace, (0, 0, 8, 8)).words
    assert sdx.tokens(pipe, "a <cat-toy> and a cat").notes == ()
    assert not [one for one in sdx.doctor(pipe).warnings if "cat-toy" in one]


def test_a_word_left_out_beside_a_textual_inversion_takes_nothing_of_its_name():
    pipe = toys("<cat-toy>")
    compared = sdx.compare(pipe, "a <cat-toy> and a cat", over={"without": [None, "cat", "<cat-toy>"]}, **SMALL)
    assert [trace.prompt for trace in compared] == ["a <cat-toy> and a cat", "a <cat-toy> and a", "a and a cat"]


def test_occlusion_gives_the_pipeline_the_prompt_as_it_was_typed():
    """The names of all vectors, written out twice, would stand for twice as many."""
    pipe = toys("<cat-toy>")
    trace = sdx.run(pipe, "a <cat-toy> and a cat", **SMALL)
    found = sdx.occlusion(pipe, trace)  # checks that the full prompt predicts what was recorded
    assert found.prompt == "a <cat-toy> and a cat"
    assert found.words == ("a", "<cat-toy>", "and", "a (2)", "cat")


@pytest.mark.parametrize("typed", ["EasyNegative", "easynegative", "EASYNEGATIVE"])
def test_a_name_with_capitals_stands_for_its_first_vector_and_that_is_said(typed):
    pipe = toys("EasyNegative", vectors=4)
    found = sdx.tokens(pipe, f"bad, {typed}")
    assert sum(number >= 49408 for number in found["tokenizer"].ids) == 1
    (note,) = found.notes
    assert repr(typed) in note
    assert "4 vectors" in note
    assert "token='easynegative'" in note
    assert note in repr(found)
    (warning,) = [one for one in sdx.doctor(pipe).warnings if "EasyNegative" in one]
    assert "4 vectors" in warning
    assert "token='easynegative'" in warning


def test_a_small_name_typed_in_capitals_is_said():
    (note,) = sdx.tokens(toys("<cat-toy>"), "a <CAT-TOY>").notes
    assert "'<CAT-TOY>' stands for the first of <cat-toy>'s 2 vectors alone" in note
    assert "type it '<cat-toy>'" in note


def test_a_name_with_capitals_of_one_vector_is_whole():
    pipe = toys("EasyNegative", vectors=1)
    assert sdx.tokens(pipe, "EasyNegative").notes == ()
    assert not [one for one in sdx.doctor(pipe).warnings if "EasyNegative" in one]


def test_names_that_differ_in_case_alone_are_said():
    pipe = toys("Blobx", "blobx", vectors=1)
    (warning,) = [one for one in sdx.doctor(pipe).warnings if "blobx" in one]
    assert "'Blobx' and 'blobx' differ in case alone" in warning
    ids = {sdx.tokens(pipe, name)["tokenizer"].ids[1] for name in ("Blobx", "blobx")}
    assert len(ids) == 1
    used = {49408: "Blobx", 49409: "blobx"}[ids.pop()]
    assert f"both words stand for {used!r};" in warning


def test_exclamation_marks_that_part_sdxls_tokenizers_are_said():
    pipe = stable_diffusion_xl()
    (note,) = sdx.tokens(pipe, "wow!!! a cat").notes
    assert "at 2, tokenizer has '!!!', tokenizer_2 has '!'" in note
    assert sdx.tokens(pipe, "wow! a cat").notes == ()
    assert any("'!!!'" in one and "tokenizer_2" in one for one in sdx.doctor(pipe).warnings)
    assert not any("!" in one for one in sdx.doctor(stable_diffusion()).warnings)


def test_half_a_textual_inversion_of_sdxl_is_said():
    pipe = stable_diffusion_xl()
    pipe.tokenizer = own_tokenizer(CLIPTokenizerFast, TOKENIZER)
    first = {"tokenizer": pipe.tokenizer, "text_encoder": pipe.text_encoder}
    pipe.load_textual_inversion({"emb_params": torch.randn(2, 32)}, token="<toy>", **first)  # noqa: S106
    found = sdx.tokens(pipe, "a <toy> and a cat")
    assert (found["tokenizer"].positions("cat"), found["tokenizer_2"].positions("cat")) != ((6,), (6,))
    assert any("do not agree" in note for note in found.notes)
    (warning,) = [one for one in sdx.doctor(pipe).warnings if "<toy>" in one]
    assert "for tokenizer and not for tokenizer_2" in warning


def test_another_length_that_the_pipeline_feeds_is_said():
    pipe = unknown()  # of a known family, the prompt is read at that length
    notes = sdx.tokens(pipe, "a cat").notes
    length = sdx.tokens(pipe, "a cat")["tokenizer_2"].max_length
    assert length != 512
    (note,) = notes
    assert "max_sequence_length, by default 512" in note
    assert f"padded to {length}" in note
    assert "text_encoder_2" in note
    known = sdx.tokens(flux(), "a cat")
    assert not known.notes
    assert len(known["tokenizer_2"].ids) == known["tokenizer_2"].max_length == 512


class Chatting:
    """A pipeline that puts the prompt into a template, as far as `tokens` looks."""

    prompt_template_encode = None

    def __init__(self, tokenizer):
        self.components = {"tokenizer": tokenizer}
        self.prompt_template_encode = "<|user|>{}<|assistant|>"

    def __call__(self, prompt, max_sequence_length=512):
        """Makes nothing."""


def test_a_template_around_the_prompt_is_said():
    (note,) = sdx.tokens(Chatting(flux().tokenizer_2), "a cat").notes
    assert "Chatting puts the prompt into a template (prompt_template_encode)" in note
    assert "positions are moved" in note


def test_a_token_that_the_encoder_has_no_embedding_for_is_refused_before_the_run(monkeypatch):
    """On a GPU, torch's own error would end the process's use of the device."""
    pipe = stable_diffusion()
    pipe.tokenizer = own_tokenizer(CLIPTokenizerFast, TOKENIZER)
    pipe.tokenizer.add_tokens("<lonely>")
    monkeypatch.setattr(pipe.text_encoder, "forward", lambda *_, **__: pytest.fail("the encoder was called"))
    (note,) = sdx.tokens(pipe, "a <lonely> cat").notes
    for function, given in (
        ("run", {"prompt": "a <lonely> cat"}),
        ("run", {"prompt": "a", "negative_prompt": "<lonely>"}),
    ):
        with pytest.raises(RunError, match="'<lonely>' the id 49408") as raised:
            sdx.run(pipe, **given, **SMALL)
        assert str(raised.value).startswith(f"{function}: ")
        assert "load_textual_inversion" in str(raised.value)
    assert str(raised.value) == f"run: {note}"


def test_a_word_of_neither_prompt_is_refused_once():
    trace = sdx.run(stable_diffusion_xl(), "a cat", prompt_2="a dog", height=64, width=64, **SMALL)
    with pytest.raises(TokenError, match="'bird'"):
        sdx.word_map(trace, "bird")
