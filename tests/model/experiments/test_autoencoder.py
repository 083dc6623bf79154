"""Pictures encoded and decoded again, compared with the VAE called by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion, vae

import sdexplore as sdx
from sdexplore.theory import linear_preview


def picture(seed=0, side=64):
    rng = np.random.default_rng(seed)
    return np.asarray(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side)))


def scaled(**config):
    """A pipeline whose VAE has another scale in its config."""
    pipe = stable_diffusion()
    pipe.vae = vae(**config)
    return pipe


SCALES = {
    "SD": {},
    "shift": {"shift_factor": 0.3, "scaling_factor": 0.5},
    "statistics": {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.5, 2.0, 0.5, 1.0], "scaling_factor": 0.8},
}


@pytest.mark.parametrize("name", SCALES)
def test_x_z_and_x_again_are_the_vae_s_own(name):
    config = SCALES[name]
    pipe = scaled(**config)
    x = torch.from_numpy(picture().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        posterior = pipe.vae.encode(x).latent_dist
        back = pipe.vae.decode(posterior.mode()).sample
    mean = torch.tensor(config.get("latents_mean", [config.get("shift_factor", 0.0)])).view(1, -1, 1, 1)
    std = torch.tensor(config.get("latents_std", [1.0])).view(1, -1, 1, 1)
    factor = config.get("scaling_factor", 0.18215)

    found = sdx.reconstruction(pipe, picture())
    np.testing.assert_array_equal(found.image, picture())
    np.testing.assert_allclose(found.latents, ((posterior.mode() - mean) / std * factor)[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.spread, (posterior.std / std * factor)[0].numpy(), rtol=1e-4, atol=1e-6)
    expected = ((back[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255).numpy()
    assert np.abs(found.reconstruction - expected).max() <= 1
    error = np.square(found.reconstruction.astype(float) - found.image).mean()
    assert found.psnr == pytest.approx(20 * np.log10(255) - 10 * np.log10(error))
    np.testing.assert_allclose(
        found.error, np.abs(found.reconstruction.astype(float) - found.image).mean(-1), rtol=1e-5
    )
    assert found.compression == 48
    assert f"· {factor:g}" in repr(found)


def test_statistics_are_of_all_pictures_together():
    pipe = scaled(**SCALES["statistics"])
    pictures = [picture(seed) for seed in range(3)]
    found = sdx.latent_statistics(pipe, pictures)
    single = [sdx.reconstruction(pipe, one) for one in pictures]
    z = np.stack([one.latents for one in single], axis=1).reshape(4, -1)
    np.testing.assert_allclose(found.scaled_means, z.mean(1), atol=1e-6)
    np.testing.assert_allclose(found.scaled_stds, z.std(1), rtol=1e-5)
    config = SCALES["statistics"]
    raw = z / 0.8 * np.array(config["latents_std"])[:, None] + np.array(config["latents_mean"])[:, None]
    np.testing.assert_allclose(found.stds, raw.std(1), rtol=1e-4)
    assert found.fitted_scaling_factor == pytest.approx(1 / raw.std(), rel=1e-4)
    np.testing.assert_allclose(found.psnr, [one.psnr for one in single], rtol=1e-5)
    widths = np.diff(found.edges)
    np.testing.assert_allclose((found.density * widths).sum(1).mean(), found.inside, rtol=1e-5)


def test_the_preview_is_scored_on_pictures_that_it_was_not_fitted_on():
    pipe = stable_diffusion()
    found = sdx.reconstruction(pipe, picture())
    matrix = sdx.run(pipe, "a cat", num_inference_steps=1, record=sdx.Record(decode=0)).latent_rgb
    rgb = picture().reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)) / 255
    guess = np.moveaxis(found.latents, 0, -1) @ matrix[:-1] + matrix[-1]
    expected = 1 - np.square(guess - rgb).sum() / np.square(rgb - rgb.mean(axis=(0, 1))).sum()
    assert found.preview_r2 == pytest.approx(expected, abs=1e-3)
    np.testing.assert_array_equal(found.preview, linear_preview(found.latents, matrix))


def test_the_embedded_vae_is_good_and_its_preview_useful():
    pipe = sdx.load()
    found = sdx.reconstruction(pipe, picture(side=128), height=128, width=128)
    assert found.image.shape == (128, 128, 3)
    assert found.latents.shape == (4, 16, 16)
    assert found.psnr > 20
    assert found.preview_r2 > 0.5


def test_a_vq_vae_has_no_posterior_and_pixels_no_autoencoder():
    found = sdx.reconstruction(latent_diffusion(), picture(), height=32, width=32)
    assert found.spread is None
    assert found.latents.shape == (3, 16, 16)
    assert "—" in repr(found)
    with pytest.raises(sdx.InspectionError, match="has no autoencoder: its denoiser works on pixels"):
        sdx.reconstruction(ddpm(), picture())


def test_sizes_and_empty_lists_are_refused(tiny):
    with pytest.raises(sdx.RunError, match="multiples of 8"):
        sdx.reconstruction(tiny, picture(), height=60)
    with pytest.raises(sdx.RunError, match="at least one picture"):
        sdx.latent_statistics(tiny, [])
