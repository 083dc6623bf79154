"""Where a word changes the noise prediction, compared with where the model looked at the word."""

import random

import numpy as np
import pytest
from scipy.stats import spearmanr
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from unchecked import unchecked

import sdexplore as sdx
from sdexplore import mini
from sdexplore.analysis.ranks import rank_correlation

PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
SIZE = {"height": 64, "width": 64}


def looked(pipe, prompt, **arguments):
    record = sdx.Record(dtype="float32", decode=0)
    return sdx.look(pipe, PICTURE, prompt, t=300, seed=4, record=record, **SIZE, **arguments)


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_figures_are_those_of_their_definitions(make):
    pipe = make()
    found = sdx.word_effect(pipe, PICTURE, "a cat and a dog", "cat", t=300, seed=4, **SIZE)
    full, lacking = looked(pipe, "a cat and a dog"), looked(pipe, "a and a dog")
    assert (found.without, found.timestep) == ("a and a dog", 300)
    difference = np.sqrt(((full.noise_pred - lacking.noise_pred)[0] ** 2).mean(axis=0))
    np.testing.assert_allclose(found.change, difference, rtol=1e-4)
    np.testing.assert_array_equal(found.attention, sdx.word_map(full, "cat"))

    def share(pixels):
        highest = np.argsort(-pixels.ravel(), kind="stable")[:6]  # a tenth of 8 × 8
        return found.change.ravel()[highest].sum() / found.change.sum()

    assert found.share == pytest.approx(share(sdx.word_map(full, "cat")), rel=1e-4)
    others = [share(sdx.word_map(full, word)) for word in ("a", "and", "dog")]
    assert found.other == pytest.approx(np.mean(others), rel=1e-4)
    assert found.correlation == pytest.approx(spearmanr(found.change.ravel(), found.attention.ravel())[0], abs=1e-4)


def test_on_the_embedded_model_a_word_changes_what_it_names():
    pipe = sdx.load()
    pipe.set_progress_bar_config(disable=True)
    rng = random.Random(5)
    scene = mini.sample(rng)
    picture, masks = mini.render(scene, rng)
    caption = scene.captions[0]
    word = next(word for word in masks if word != mini.GROUND)
    found = sdx.word_effect(pipe, picture, caption, word, t=400)
    inside = masks[word].reshape(32, 8, 32, 8).mean(axis=(1, 3)) > 0.3
    assert found.change[inside].mean() > 2 * found.change[~inside].mean()
    assert found.share > 0.2
    assert found.share > found.other
    assert f"Effect of {word!r} at t = 400" in repr(found)
    assert f"{found.share:.2f}" in found._repr_html_()
    views = sdx.views.maps(sdx.look(pipe, picture, caption, t=400), {"change": found.change, word: found.attention})
    np.testing.assert_array_equal(views.data["change"], found.change)


def test_several_occurrences_go_together_or_singly(tiny):
    both = sdx.word_effect(tiny, PICTURE, "a cat and a Cat", "cat", t=10, **SIZE)
    second = sdx.word_effect(tiny, PICTURE, "a cat and a Cat", "cat", t=10, occurrence=1, **SIZE)
    assert (both.without, second.without) == ("a and a", "a cat and a")
    alone = sdx.word_effect(tiny, PICTURE, "cat", "cat", t=10, **SIZE)
    assert alone.without == ""
    assert np.isnan(alone.other)
    assert "–" in repr(alone)


def test_what_cannot_be_left_out_says_why(tiny):
    with pytest.raises(sdx.TokenError, match="no word 'dgo' in the prompt; did you mean 'dog'"):
        sdx.word_effect(tiny, PICTURE, "a dog", "dgo", t=10, **SIZE)
    with pytest.raises(sdx.RunError, match=r"word_effect\(t=2000\)"):
        sdx.word_effect(tiny, PICTURE, "a dog", "dog", t=2000, **SIZE)
    with pytest.raises(sdx.RunError, match="this call makes 2 images"):
        sdx.word_effect(tiny, PICTURE, "a dog", "dog", t=10, num_images_per_prompt=2, **SIZE)


def test_the_correlation_of_ranks_is_spearman_s_with_ties():
    rng = np.random.default_rng(2)
    for levels in (2, 3, 5, 1000):
        one, other = rng.integers(0, levels, (2, 6, 5)).astype(np.float32)
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel())[0], abs=1e-9)
    assert np.isnan(rank_correlation(np.ones((6, 5)), other))


def test_what_is_no_timestep_is_named(tiny):
    effects, measuring = unchecked("calibration.word_effect"), unchecked("calibration.measuring")
    for t in ([300], 300.0, True):
        with pytest.raises(sdx.RunError, match=r"word_effect\(t=.*\): t is one training timestep, a whole number"):
            effects.word_effect(tiny, PICTURE, "a dog", "dog", t=t)
    for timesteps in (400, "400", [200.5], [True]):
        with pytest.raises(sdx.RunError, match=r"calibrate\(timesteps=.*\): "):
            measuring.calibrate(tiny, timesteps=timesteps)
