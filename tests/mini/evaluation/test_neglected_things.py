"""Pictures of the same prompts without and with a guide: what is counted, and that the guide lifts attention."""

import numpy as np
import pytest
import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.mini.evaluation.neglected_things import Neglect, excite, measure_neglect


def test_pairs_are_counted_with_an_interval_over_prompts():
    before = np.array([[True, False], [True, True], [False, False], [True, False]])
    after = np.array([[True, True], [True, False], [False, True], [True, True]])
    found = Neglect(before, after, steps=8, guidance_scale=5.0, scale=50.0)
    middle, low, high = found.difference
    assert middle == pytest.approx(0.25)
    assert -0.5 <= low <= middle <= high <= 0.5
    shown = repr(found)
    assert "of 4 neglected things 3 were found with the guide; of 4 found ones 1 were not" in shown


def test_the_guide_lifts_the_word_that_is_looked_at_least_up_to_its_last_step():
    pipe, seen = stable_diffusion(), {}
    words = ("cat", "rocket")

    def watched(guide, into):
        def both(step):
            with torch.no_grad():
                into.append(min(float(step.attention(word, layers=8).max()) for word in words))
            return guide(step)

        return both

    for scale in (0.0, 50.0):
        guide = watched(excite(words, until=3, side=8), seen.setdefault(scale, []))
        made = sdx.run(
            pipe, "a cat and a rocket", guide=guide, guide_scale=scale, num_inference_steps=4, height=64, width=64
        )
    assert seen[50.0][3] > seen[0.0][3]
    np.testing.assert_array_equal(made.noise_pred[-1], made.noise_pred_before_guide[-1])


def test_nothing_to_draw_is_said():
    with pytest.raises(sdx.SdexploreError, match="cannot draw 0 prompts"):
        measure_neglect(prompts=0)
