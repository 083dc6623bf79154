"""Seeds that draw the same noise: told for a run, refused in a comparison."""

import numpy as np
import pytest

import sdexplore as sdx

SHORT = {"num_inference_steps": 1, "height": 64, "width": 64}


@pytest.mark.parametrize("seed", [2**32, 2**32 + 5, -5, 2**64 - 1])
def test_a_seed_that_draws_the_picture_of_a_smaller_one_is_told(tiny, seed):
    with pytest.warns(UserWarning, match=rf"run\(seed={seed}\).*seed={seed % 2**32} draws the same picture"):
        far = sdx.run(tiny, "a cat", seed=seed, record=sdx.Record(decode=0), **SHORT)
    near = sdx.run(tiny, "a cat", seed=seed % 2**32, record=sdx.Record(decode=0), **SHORT)
    np.testing.assert_array_equal(far.image, near.image)


@pytest.mark.parametrize("seeds", [(0, 2**32), (-5, 2**32 - 5), (1, 2, 2**33 + 1)])
def test_a_comparison_over_seeds_of_one_picture_is_refused(tiny, seeds):
    with pytest.raises(sdx.RunError, match=rf"compare: the seeds {seeds[0]} and {seeds[-1]} draw the same picture"):
        sdx.compare(tiny, "a cat", over={"seed": seeds}, **SHORT)


def test_a_comparison_of_too_many_runs_is_refused_at_once(tiny):
    axes = {
        "seed": range(1000),
        "guidance_scale": range(1000),
        "eta": range(1000),
        "num_inference_steps": range(1, 1001),
    }
    with pytest.raises(sdx.RunError, match="1,000,000,000,000 runs"):  # listing them would take days
        sdx.compare(tiny, "a cat", over=axes)
