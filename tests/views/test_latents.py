"""The latents, channel by channel."""

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown
from synthetic import CHANNELS, SIGMAS, STEPS, X, Y

from sdexplore import views


@pytest.mark.parametrize("space", ["variance preserving", "variance exploding"])
def test_latents_are_drawn_channel_by_channel_on_one_scale(space):
    trace = synthetic.trace(space=space)
    picture = views.latents(trace, steps=[0, 2, -1])
    axes = panels(picture)
    assert len(axes) == CHANNELS * 3
    assert [ax.get_ylabel() for ax in axes[::3]] == [f"channel {channel}" for channel in range(CHANNELS)]
    scale = np.sqrt(1 + SIGMAS**2) if space == "variance exploding" else np.ones(STEPS)
    values = np.stack([trace.latents[step] / scale[step] for step in (0, 2, 5)])
    reach = np.quantile(np.abs(values), 0.995)
    for number, ax in enumerate(axes):
        channel, column = divmod(number, 3)
        np.testing.assert_allclose(shown(ax)[0], values[column, channel], rtol=1e-5)
    same_scale([image for ax in axes for image in heat_maps(ax)], -reach, reach)
    (bar,) = bars(picture)
    assert bar.get_ylabel() == "latent value"
    np.testing.assert_allclose(bar.get_ylim(), (-reach, reach), rtol=1e-6)
    np.testing.assert_allclose(picture.data["latents"], values, rtol=1e-5)
    assert all(end in picture.alt for end in (f"−{reach:.2g} (blue)", f"{reach:.2g} (red)"))


def test_latents_are_spread_over_a_long_run():
    many = 30
    trace = synthetic.trace(
        timesteps=np.arange(many, dtype=float),
        sigmas=np.ones(many),
        latents=np.random.default_rng(0).normal(size=(many + 1, CHANNELS, Y, X)).astype(np.float32),
        noise_pred=None,
        pred_original_sample=None,
        noise_preds={},
        decoded={},
        decoded_x0={},
    )
    steps = views.latents(trace).data["steps"]
    assert (len(steps), steps[0], steps[-1]) == (8, 0, many - 1)
    assert np.diff(steps).max() - np.diff(steps).min() <= 1
