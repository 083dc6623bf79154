"""Comparisons: one argument changes, nothing else does."""

import numpy as np
import pytest

import sdexplore as sdx

PROMPT = "a photo of a cat"
FEW = sdx.Record(decode=0)


def test_guidance_on_and_off_begin_with_the_same_noise(tiny):
    found = sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 7.5]}, seed=3, record=FEW, num_inference_steps=3)
    off, on = found
    assert np.array_equal(off.latents[0], on.latents[0])
    assert not np.array_equal(off.image, on.image)
    assert "uncond" not in off.noise_preds
    assert found.at(guidance_scale=7.5) is on
    alone = sdx.run(tiny, PROMPT, seed=3, guidance_scale=7.5, num_inference_steps=3)
    assert np.array_equal(alone.image, on.image)


def test_schedulers_by_name_are_exchanged_and_the_own_comes_back(tiny):
    own = tiny.scheduler
    found = sdx.compare(tiny, PROMPT, over={"scheduler": ["DDIM", "Euler"]}, record=FEW, num_inference_steps=3)
    assert [t.provenance["scheduler"]["class"] for t in found] == ["DDIMScheduler", "EulerDiscreteScheduler"]
    assert tiny.scheduler is own
    with pytest.raises(sdx.SdexploreError, match="Eular"):
        sdx.compare(tiny, PROMPT, over={"scheduler": ["DDIM", "Eular"]}, record=FEW, num_inference_steps=1)
    assert tiny.scheduler is own


def test_a_grid_of_two_arguments(tiny, tmp_path):
    over = {"seed": [0, 1], "prompt": ["a cat", "a dog", "a fox"]}
    found = sdx.compare(tiny, over=over, record=FEW, num_inference_steps=1)
    assert [(t.call["seed"], t.prompt) for t in found] == [(s, p) for s in (0, 1) for p in over["prompt"]]
    again = sdx.Comparison.load(found.save(tmp_path / "grid"))
    assert [t.fingerprint for t in again] == [t.fingerprint for t in found]
    assert again.over == {"seed": (0, 1), "prompt": ("a cat", "a dog", "a fox")}
    with pytest.raises(sdx.TraceError, match="3 cells have"):
        found.at(seed=0)


def test_what_cannot_be_compared_says_why(tiny):
    with pytest.raises(sdx.RunError, match="name at least one argument"):
        sdx.compare(tiny, PROMPT, over={})
    with pytest.raises(sdx.RunError, match="'guidance_scale' is given as 3"):
        sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 2]}, guidance_scale=3)
    with pytest.raises(sdx.RunError, match="one image; this one made 2"):
        sdx.compare(tiny, PROMPT, over={"seed": [0]}, num_images_per_prompt=2, num_inference_steps=1)
    with pytest.raises(sdx.RunError, match="takes no 'guidance'"):
        sdx.compare(tiny, PROMPT, over={"guidance": [1]})
