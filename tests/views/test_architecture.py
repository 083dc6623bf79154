"""The architecture of a pipeline, as it is drawn."""

import numpy as np
import pytest
from artists import again, equal, panels, texts
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Annotation
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

CROSS, SELF, RESNET = "#d55e00", "#0072b2", "#a9a9a9"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


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


def arrows(ax):
    """(start, stop, colour) of every arrow with a filled head, in units of the drawing."""
    return [
        (text.xyann, text.xy, to_hex(text.arrow_patch.get_edgecolor()))
        for text in ax.texts
        if isinstance(text, Annotation) and text.arrow_patch.get_arrowstyle().__class__.__name__ == "CurveFilledB"
    ]


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl, ddpm])
def test_an_arrow_of_keys_and_values_touches_every_block_that_is_given_them(make):
    plan = sdx.pipeline_architecture(make())
    (ax,) = panels(sdx.views.architecture(plan))
    tips = [stop for _, stop, colour in arrows(ax) if colour == CROSS]
    stripes = [patch for patch in ax.patches if to_hex(patch.get_facecolor()) == CROSS]
    assert len(tips) == sum(bool(stage.cross_attention) for stage in plan.stages)
    lower = {round(patch.get_y(), 6) for patch in stripes}
    assert {round(y, 6) for _, y in tips} == lower


def test_arrows_end_at_boxes(pipe):
    """At an edge of a box or of a block, neither before it nor within it."""
    plan = sdx.pipeline_architecture(pipe)
    (ax,) = panels(sdx.views.architecture(plan))
    solid = [patch for patch in ax.patches if isinstance(patch, Rectangle | Polygon)]
    for start, stop, _ in arrows(ax):
        (dx, dy), length = np.subtract(stop, start), np.hypot(*np.subtract(stop, start))
        beyond = np.add(stop, (0.02 * dx / length, 0.02 * dy / length))
        before = np.subtract(stop, (0.02 * dx / length, 0.02 * dy / length))
        hit = any(
            inner(patch, np.add(beyond, (beside, 0))) for patch in solid for beside in (-0.03, 0, 0.03)
        )  # stripes part
        assert hit, (start, stop)
        assert not any(inner(patch, before) for patch in solid), (start, stop)


def inner(patch, point):
    return patch.get_path().contains_point(point, transform=patch.get_patch_transform())


def test_what_is_at_the_bottom_stands_beneath_both_sides(pipe):
    plan = sdx.pipeline_architecture(pipe)
    (ax,) = panels(sdx.views.architecture(plan))
    blocks = [patch for patch in ax.patches if to_hex(patch.get_facecolor()) in (CROSS, SELF, RESNET)]
    rows = sorted({patch.get_y() for patch in blocks})
    lowest, above = ([patch.get_x() for patch in blocks if patch.get_y() == row] for row in rows[:2])
    assert len(lowest) == 4
    assert min(above) < min(lowest) < max(lowest) < max(above)
