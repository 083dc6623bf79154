"""Pictures of the architecture, the autoencoder, the equations and the time: what is in the axes is in the record."""

import numpy as np
import pytest
from artists import again, equal, panels, same_scale, shown, texts
from matplotlib.colors import to_hex
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


CROSS, SELF, RESNET = "#d55e00", "#0072b2", "#a9a9a9"


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl, ddpm, latent_diffusion])
def test_the_architecture_draws_every_layer_with_its_shape(make):
    pipe = make()
    plan = sdx.pipeline_architecture(pipe)
    picture = sdx.views.architecture(plan)
    (ax,) = panels(picture)
    colours = [to_hex(patch.get_facecolor()) for patch in ax.patches]
    assert colours.count(RESNET) == sum(stage.resnets for stage in plan.stages)
    assert colours.count(CROSS) == sum(len(stage.transformers) for stage in plan.stages)
    units = sum(len(stage.transformers) or stage.self_attention for stage in plan.stages)
    assert colours.count(SELF) == units
    written = texts(picture)
    for stage in plan.stages:
        assert f"{stage.grid[0]}×{stage.grid[1]}" in written
    for shape in (plan.image, plan.latents):
        assert "×".join(map(str, shape)) in written
    assert ("conditioning" in written) == bool(plan.readers)
    assert ("latent space" in written) == (plan.autoencoder is not None)
    assert ("unconditional" in picture.alt) == (not plan.readers)
    for reader in plan.readers:
        assert f"{reader.positions} × {reader.width}" in written
    equal(picture, again(picture, pipe=pipe))


def test_two_unets_stand_side_by_side(pipe):
    found = sdx.pipeline_architecture(pipe).beside_2015
    picture = sdx.views.unet_comparison(found)
    left, right = panels(picture)
    assert len(left.patches) == 9
    assert len(right.patches) == 5
    wide = [patch.get_width() for patch in left.patches]
    channels = [64, 64, 128, 128, 256, 256, 512, 512, 1024]
    np.testing.assert_allclose(np.square(wide) / wide[-1] ** 2, np.array(channels) / 1024)
    written = texts(picture)
    assert "64 ch\n572² → 568²" in written
    assert "32 ch, 8×8\n1 res + 1 self + 1 cross" in written
    equal(picture, again(picture, pipe=pipe))


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


def test_equations_are_curves_of_their_differences(pipe):
    found = sdx.equation_checks(pipe, num_inference_steps=20)
    picture = sdx.views.equation_checks(found)
    for ax, (name, one) in zip(panels(picture), found.items(), strict=True):
        size, single, double = (line.get_ydata() for line in ax.get_lines())
        np.testing.assert_array_equal(single, np.maximum(one.float32, 1e-17))
        np.testing.assert_array_equal(double, np.maximum(one.float64, 1e-17))
        np.testing.assert_array_equal(size, np.maximum(one.size, 1e-17))
        assert ax.get_title().startswith(f"{name}\n")
    equal(picture, again(picture, pipe=pipe))


def test_time_is_drawn_as_it_is_told(pipe):
    found = sdx.time_embedding(pipe)
    picture = sdx.views.time_embedding(found)
    sinusoids, before, after = panels(picture)
    np.testing.assert_array_equal(shown(sinusoids)[0], found.sinusoids)
    np.testing.assert_array_equal(shown(before)[0], found.similarity())
    np.testing.assert_array_equal(shown(after)[0], found.similarity(learned=True))
    same_scale([ax.get_images()[0] for ax in (sinusoids, before, after)], -1, 1)
    equal(picture, again(picture, pipe=pipe))
    few = sdx.views.time_embedding(sdx.time_embedding(pipe, [900, 500, 1]))
    assert [label.get_text() for label in panels(few)[1].get_yticklabels()] == ["900", "500", "1"]
