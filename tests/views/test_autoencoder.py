"""The autoencoder: a picture there and back, and the scale of its latents."""

import numpy as np
import pytest
from artists import again, equal, panels, same_scale, shown, texts
from tiny_pipelines import stable_diffusion

import sdexplore as sdx


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def test_a_picture_there_and_back(pipe):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = sdx.reconstruction(pipe, image)
    picture = sdx.views.reconstruction(found)
    x, back, error, *channels, preview = panels(picture)
    np.testing.assert_array_equal(shown(x)[0], image)
    np.testing.assert_array_equal(shown(back)[0], found.reconstruction)
    np.testing.assert_array_equal(shown(error)[0], found.error)
    for ax, channel in zip(channels, found.latents, strict=True):
        np.testing.assert_array_equal(shown(ax)[0], channel)
    reach = float(np.quantile(np.abs(found.latents), 0.995))
    same_scale([ax.get_images()[0] for ax in channels], -reach, reach)
    np.testing.assert_array_equal(shown(preview)[0], found.preview)
    assert preview.get_xlabel() == f"R² {found.preview_r2:.2f}"
    assert f"PSNR {found.psnr:.1f} dB" in texts(picture)
    equal(picture, again(picture, pipe=pipe, image=image))


def test_statistics_of_latents(pipe):
    images = [np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8) for seed in (0, 1)]
    found = sdx.latent_statistics(pipe, images)
    picture = sdx.views.latent_statistics(found)
    bars, lines = panels(picture)
    np.testing.assert_allclose([patch.get_height() for patch in bars.patches], [*found.stds, *found.scaled_stds])
    for channel in range(4):
        np.testing.assert_array_equal(lines.get_lines()[channel].get_ydata(), found.density[channel])
    equal(picture, again(picture, pipe=pipe, images=images))
