"""Pictures of the same prompts without and with a guide: what is counted, and that the guide lifts attention."""

import numpy as np
import pytest
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.mini.evaluation.neglected_things import Neglect, by_lot, lift, measure_neglect


def test_pictures_are_counted_with_an_interval_over_prompts():
    before = np.array([[True, False], [True, True], [False, False], [True, False]])
    after = np.array([[True, True], [True, False], [False, True], [True, True]])
    found = Neglect(before, after, before, steps=8, guidance_scale=5.0, scale=0.25)
    for other in (before, found.by_lot):
        middle, low, high = found.difference(other)
        assert middle == pytest.approx(0.25)
        assert -0.5 <= low <= middle <= high <= 0.5
    guided = next(line.split() for line in repr(found).splitlines() if line.startswith("with the guide"))
    assert guided[3:] == ["0.75", "0.50", "3", "1"]
    assert "of 8 things 4 were neglected" in repr(found)


def test_the_guide_lifts_a_word_up_to_its_last_step_by_a_change_of_one_size():
    pipe, call = stable_diffusion(), {"num_inference_steps": 4, "height": 64, "width": 64}
    prompt, scale = "a cat and a rocket", 0.25
    plain = sdx.run(pipe, prompt, **call)
    until = plain.num_steps - 1
    guided = sdx.run(pipe, prompt, guide=lift(["rocket"], until), guide_scale=scale, **call)
    looked = [float(sdx.word_map(trace, "rocket", steps=-1).mean()) for trace in (plain, guided)]
    assert looked[1] > looked[0]
    for made in (guided, sdx.run(pipe, prompt, guide=by_lot(0, until), guide_scale=scale, **call)):
        shift = np.sqrt(np.square(made.noise_pred - made.noise_pred_before_guide).mean(axis=(1, 2, 3)))
        noise = made.sigmas / np.hypot(1, made.sigmas)
        np.testing.assert_allclose(shift[:-1], scale * noise[:-1], rtol=1e-4)
        assert shift[-1] == 0


def test_nothing_to_draw_is_said():
    with pytest.raises(sdx.SdexploreError, match="cannot draw 0 prompts"):
        measure_neglect(prompts=0)
