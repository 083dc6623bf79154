"""The classifier on renderings that it never saw, and the numbers that are measured with it."""

import random

import numpy as np
import pytest
import torch

from sdexplore import mini
from sdexplore.base.errors import SdexploreError
from sdexplore.mini.evaluation.classifier import (
    THINGS,
    THRESHOLD,
    WEIGHTS,
    load_classifier,
    presence,
    thing_of,
    things_in,
)
from sdexplore.mini.evaluation.classifier_scenes import SmallScenes, crowded, labels
from sdexplore.mini.evaluation.faithfulness import Faithfulness, judge, measure_faithfulness, prompts_of, wilson
from sdexplore.mini.evaluation.train_classifier import accuracy, main, measure_classifier, train_classifier
from sdexplore.mini.training.dataset import Draw, draw_table


@pytest.fixture(scope="module")
def scenes():
    """Renderings of the world with a seed of their own: pictures, and the things that each shows."""
    rng = random.Random("test of the classifier")
    drawn = [mini.sample(rng, 0) for _ in range(60)]
    pictures = np.stack([mini.render(scene, rng)[0] for scene in drawn])
    return pictures, [{thing_of(sprite.thing.word) for sprite in scene.sprites} for scene in drawn]


def test_it_finds_what_is_there(scenes):
    pictures, there = scenes
    scores = presence(pictures)
    truth = np.array([[thing in things for thing in THINGS] for things in there])
    found = accuracy(scores, truth)
    assert found.average_precision > 0.9
    assert found.recall > 0.85
    assert found.precision > 0.9
    assert (scores >= THRESHOLD).sum() < 2 * truth.sum()


def test_it_says_what_it_found_surest_first(scenes):
    pictures, _ = scenes
    for picture in pictures[:5]:
        found = things_in(picture, threshold=0.1)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert set(found) <= set(THINGS)
        assert all(0.1 <= score <= 1 for score in found.values())
    assert things_in(np.full((256, 256, 3), 200, np.uint8)) == {}


def test_pictures_of_any_size_and_none(scenes):
    pictures, _ = scenes
    large = np.kron(pictures[:3], np.ones((1, 2, 2, 1), np.uint8))
    assert np.allclose(presence(large), presence(pictures[:3]), atol=0.05)
    assert presence(np.zeros((0, 256, 256, 3), np.uint8)).shape == (0, len(THINGS))


def test_its_weights_are_small_and_in_half_precision():
    assert WEIGHTS.stat().st_size < 800_000
    assert len(THINGS) == len(set(THINGS)) == 178
    assert load_classifier() is load_classifier()
    assert next(load_classifier().parameters()).dtype == torch.float32
    assert not load_classifier().training


def test_words_become_things():
    assert [thing_of(word) for word in ("kitten", "cat", "red circle", "palm", "soccer ball", "light bulb")] == [
        *("cat", "cat", "circle", "palm tree", "soccer ball", "lamp")
    ]
    with pytest.raises(SdexploreError, match="the emoji world has no 'astronuat'; did you mean 'astronaut'"):
        thing_of("astronuat")


def test_accuracy_is_what_one_works_out_by_hand():
    truth = np.array([[True, False, True], [False, True, False]])
    scores = np.array([[0.9, 0.6, 0.2], [0.1, 0.8, 0.0]], np.float32)
    found = accuracy(scores, truth)
    assert found.recall == pytest.approx(2 / 3)
    assert found.precision == pytest.approx(2 / 3)
    assert found.whole == 0.5
    assert found.recall_by_number == {1: 1.0, 2: 0.0}
    assert found.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert "average precision 0.917" in repr(found)


def test_drawn_scenes_show_what_their_labels_say():
    table = crowded(3, 40)
    images, shares = SmallScenes(table).batch(range(40))
    assert images.shape == (40, 3, 128, 128)
    assert shares.sum(1).numpy() == pytest.approx(1, abs=1e-5)
    seen = shares[:, :-1].amax((2, 3)).numpy() > 0.01
    assert not (seen & ~labels(table)).any()
    assert (seen | ~labels(table)).mean() > 0.999  # one may hide another
    assert 2 <= labels(table).sum(1).mean() <= 4
    again = SmallScenes(crowded(3, 40)).batch(range(40))[0]
    assert torch.equal(images, again)
    assert labels(draw_table(Draw(1, 20, captions=0))).any(1).all()


def test_training_starts_from_nothing_and_goes_on(tmp_path, capsys):
    first = train_classifier(60.0, scenes=64, max_steps=3)
    assert measure_classifier(first, scenes=8).things >= 8
    main(["--out", str(tmp_path / "w.safetensors"), "--max-steps", "1", "--scenes", "64"])
    assert "average precision" in capsys.readouterr().out
    further = train_classifier(60.0, scenes=64, max_steps=1, start=tmp_path / "w.safetensors")
    assert not further.training


def test_prompts_name_what_they_say():
    for number in (1, 2, 3):
        asked = list(prompts_of(number, 40, 5))
        assert asked == list(prompts_of(number, 40, 5))
        for prompt, things in asked:
            assert len(set(things)) == number
            assert all(thing in prompt for thing in things)
            assert prompt.count(" and ") == (number > 1)


def test_renderings_are_judged_as_they_are(scenes):
    pictures, there = scenes
    named = [(min(things),) for things in there]
    found = judge(pictures, named)
    assert found.whole == found.things > 0.9 * len(named)
    strangers = judge(pictures, [("zzz",)] * len(named))
    assert strangers.things == 0
    swapped = judge(pictures, [named[(place + 7) % len(named)] for place in range(len(named))])
    assert swapped.whole < 0.2 * len(named)


def test_intervals_of_shares():
    assert wilson(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-3))
    assert wilson(5, 10) == (pytest.approx(0.2366, abs=1e-3), pytest.approx(0.7634, abs=1e-3))


def test_faithfulness_is_measured_on_drawn_pictures():
    found = measure_faithfulness(prompts=1, numbers=(1,), steps=2)
    assert isinstance(found, Faithfulness)
    assert found.by_number[1].prompts == 1
    assert "2 steps, guidance 5" in repr(found)
    with pytest.raises(SdexploreError, match="cannot draw 0 prompts"):
        measure_faithfulness(prompts=0)
