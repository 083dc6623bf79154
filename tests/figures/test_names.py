"""What figures call selections, steps, changes and roles, in both languages."""

import numpy as np
import pytest
import synthetic

import sdexplore as sdx
from sdexplore.analysis.selection import Selection
from sdexplore.analysis.trajectory import StepPicture
from sdexplore.figures.alt_texts import in_words, peak, peak_place, said, way_of
from sdexplore.figures.names import not_decoded, parting_named, quoted, selection_named
from sdexplore.figures.titles import run_title, selection_title, step_title
from sdexplore.text.shared_keys import SharedKeys

MID = "mid_block.attentions.0.transformer_blocks.0.attn2"


@pytest.fixture(scope="module")
def per_head():
    return synthetic.trace(heads=True, columns="all", dtype=np.float32)


def test_a_selection_says_what_it_is(trace, per_head):
    assert selection_named(Selection().of(trace)) == "cond, mean over 6 steps, 5 layers, all heads"
    alone = Selection(steps=-1, layers="mid_block").of(trace)
    assert selection_named(alone) == f"cond, step 5, mean over {MID}, all heads"
    assert selection_named(alone, ("layers", "heads")) == "cond, step 5"
    assert selection_named(Selection(heads=(0, 1)).of(per_head)).endswith("mean over 6 steps, 5 layers, heads 0, 1")


def test_a_selection_in_japanese_says_the_same(trace):
    with sdx.set_options(lang="ja"):
        said = selection_named(Selection(steps=-1, layers="mid_block").of(trace))
    assert "ステップ 5" in said
    assert MID in said
    assert not {"cond", "mean", "heads"} & set(said.replace("、", " ").split())


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_the_user_typed_and_names_of_the_program_stand_in_every_language(trace, lang):
    with sdx.set_options(lang=lang):
        said = [run_title(trace), in_words(trace), step_title(trace, 2), selection_title(trace, Selection().of(trace))]
        way = way_of(trace)
    assert trace.prompt in said[0]
    assert trace.prompt in said[1]
    assert f"t {trace.timesteps[2]:.0f}" in said[2]
    assert all(said)
    assert way


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_text_with_braces_and_quotes_stands_as_it_is(lang):
    with sdx.set_options(lang=lang):
        assert "a {cat} 'of' {0}" in quoted("a {cat} 'of' {0}")


def test_a_peak_is_named_by_its_place_and_its_height():
    pixels = np.zeros((9, 9), np.float32)
    pixels[0, 8] = 0.25
    assert peak("cat", pixels) == "cat peaks at 0.25, top right"
    pixels[5, 5] = np.nan
    with sdx.set_options(lang="ja"):
        assert peak_place(pixels).startswith("右上の 0.25")
        assert said(np.nan) == "数値なし"
    assert peak_place(np.full((2, 2), np.nan)) == said(np.nan) == "no number"


def test_pictures_of_other_decoders_are_named_with_their_steps():
    pixels = np.zeros((2, 2, 3), np.uint8)
    some = {1: [StepPicture(pixels, "VAE")], 2: [StepPicture(pixels, "linear", "no memory")]}
    assert not_decoded(some) == "step 2 by the linear preview (no memory)"
    assert not_decoded({2: some[2]}).startswith("all steps by")
    assert not not_decoded({1: some[1]})


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_where_tokenizers_part_is_named(lang):
    read = {name: synthetic.tokenization(text, tokenizer=name) for name, text in (("one", "a cat"), ("two", "a dog"))}
    with sdx.set_options(lang=lang):
        said = parting_named(SharedKeys.of(read, [(name, 0) for name in read]))
        alike = parting_named(SharedKeys.of({"one": read["one"]}, [("one", 0)]))
    assert all(name in said for name in ("one", "two", "cat", "dog", "2"))
    assert not alike


@pytest.mark.parametrize(
    "change",
    [
        sdx.Reweight("cat", 2, layers="up_blocks", heads=1, steps=slice(2, None), roles=("cond", "uncond")),
        sdx.Ablate(["mid_block", "up_blocks.1"], to="mean", heads=3),
        sdx.Keep("a dog", blend="dog"),
        sdx.Patch("a dog", "mid_block", steps=[0, 1]),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_change_names_what_it_names_in_both_languages(change):
    english = change.in_words()
    with sdx.set_options(lang="ja"):
        japanese = change.in_words()
    names = [name for name in ("cat", "dog", "up_blocks", "mid_block", "2:", "uncond", "0.8") if name in english]
    assert names
    assert all(name in japanese for name in names)
    assert not {"attention", "heads", "steps", "left", "taken"} & set(japanese.split())
