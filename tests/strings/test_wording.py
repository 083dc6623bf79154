"""A string filled in: in Japanese a space stands between Latin and Japanese letters, and nowhere else."""

import copy

import numpy as np
import pytest

import sdexplore as sdx
from sdexplore.analysis.trajectory import StepPicture
from sdexplore.figures.names import not_decoded
from sdexplore.strings.wording import Told, told, why_of, worded, wording


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ("gradient", "gradient では cat"),  # Latin and Japanese letters
        ("2 回の呼び出し", "2 回の呼び出しでは cat"),
        ("", " では cat"),
    ],
)
def test_a_space_beside_a_field_falls_away_between_japanese_letters(thing, said):
    with sdx.set_options(lang="ja"):
        assert wording("attribution.order", method=thing, words="cat") == said


def test_names_of_steps_and_decoders_stand_apart_from_japanese_letters():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pictures = {1: [StepPicture(pixels, "VAE")], 2: [StepPicture(pixels, "taesd")], 3: [StepPicture(pixels, "linear")]}
    with sdx.set_options(lang="ja"):
        assert not_decoded(pictures) == "ステップ 2 は taesd；ステップ 3 は線形プレビュー"


def test_a_record_s_sentence_is_english_and_a_figure_says_it_in_its_language():
    inner = told("decoding.failed", error="{no}")
    said = told("components.fact.refused", why=inner)
    assert said == "the decoder failed: {no}"
    for one in (said, copy.copy(said), copy.deepcopy(said)):
        with sdx.set_options(lang="ja"):
            assert worded(one) == "調べられない（デコードに失敗した: {no}）"
        assert worded(one) == said
    assert worded("as it is") == "as it is"
    assert why_of(ValueError(said)) is said
    assert why_of(ValueError(3)) == "3"
    assert why_of(KeyError()) == ""


def test_a_figure_may_say_less_than_the_error():
    error = Told("the VAE is gone: keep the pipeline", "decoding.gone")
    assert worded(error) == "the pipeline is not there any more"
    assert f"{error}" == "the VAE is gone: keep the pipeline"


def test_english_is_filled_in_as_it_stands():
    assert wording("quote", text="猫 {cat} は") == "'猫 {cat} は'"


def test_spaces_within_a_field_stay():
    with sdx.set_options(lang="ja"):
        assert wording("quote", text="猫 と 犬") == "「猫 と 犬」"
