"""The architecture of a pipeline, as it is drawn."""

import pytest
from artists import again, equal, panels, texts
from matplotlib.colors import to_hex
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

CROSS, SELF, RESNET = "#d55e00", "#0072b2", "#a9a9a9"


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
