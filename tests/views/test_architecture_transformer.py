"""The architecture of a pipeline with a diffusion transformer, as a record and as it is drawn."""

import pytest
from artists import again, equal, panels, texts
from matplotlib.colors import to_hex
from transformer_matrix import SUBJECTS

import sdexplore as sdx
from sdexplore.base.errors import InspectionError

JOINT, SELF, CROSS, FEED = "#009e73", "#0072b2", "#d55e00", "#a9a9a9"
GROUPS = {  # family -> (name, blocks, what the first returns)
    "sd3": [("transformer_blocks", 3, ("words", "picture"))],
    "flux": [
        ("transformer_blocks", 2, ("words", "picture")),
        ("single_transformer_blocks", 2, ("words", "picture")),
    ],
    "flux2": [
        ("transformer_blocks", 2, ("words", "picture")),
        ("single_transformer_blocks", 2, ("words and picture",)),
    ],
    "pixart": [("transformer_blocks", 2, ("picture",))],
    "lumina2": [
        ("context_refiner", 1, ("words",)),
        ("noise_refiner", 1, ("picture",)),
        ("layers", 2, ("words and picture",)),
    ],
}


@pytest.fixture(scope="module", params=sorted(SUBJECTS))
def known(request):
    """Family, its pipeline, and its architecture."""
    pipe = SUBJECTS[request.param].make()
    return request.param, pipe, sdx.pipeline_architecture(pipe, height=128, width=192)


def test_the_record_has_groups_of_blocks_and_tokens(known):
    family, pipe, plan = known
    found = [(group.name, group.blocks, group.streams) for group in plan.groups]
    assert found == GROUPS.get(family, found)
    assert sum(group.blocks for group in plan.groups) >= 2
    assert plan.parameters == sum(one.numel() for one in pipe.transformer.parameters())
    assert plan.image == (3, 128, 192)
    assert plan.grid == (plan.latents[1] // plan.patch, plan.latents[2] // plan.patch)
    text = repr(plan)
    for group in plan.groups:
        assert group.name in text
        lists = getattr(pipe.transformer, group.name)
        assert group.parameters == sum(one.numel() for one in lists.parameters())
        assert group.streams
    kinds = {kind for group in plan.groups for kind in group.attention}
    assert ("joint" in kinds) == SUBJECTS[family].joint


def test_the_drawing_has_every_group_and_shape(known):
    _, pipe, plan = known
    picture = sdx.views.architecture(plan)
    (ax,) = panels(picture)
    colours = [to_hex(patch.get_facecolor()) for patch in ax.patches]
    for kind, colour in (("joint", JOINT), ("cross", CROSS)):
        assert colours.count(colour) == sum(kind in group.attention for group in plan.groups)
    assert colours.count(FEED) == sum(1 if group.shared else len(group.streams) for group in plan.groups)
    written = texts(picture)
    for group in plan.groups:
        assert f"×{group.blocks}" in written
        assert f"{group.heads} heads\nwidth {group.width}" in written
        assert group.name in picture.alt
    for shape in (plan.image, plan.latents):
        assert "×".join(map(str, shape)) in written
    equal(picture, again(picture, pipe=pipe))


def test_a_text_encoder_without_tokens_says_so():
    flux, sd3 = (sdx.pipeline_architecture(SUBJECTS[name].make()) for name in ("flux", "sd3"))
    assert flux.token_readers == ("text_encoder_2",)
    assert len(sd3.token_readers) == 3
    assert "pooled vector alone" in texts(sdx.views.architecture(flux))
    assert "pooled vector alone" not in texts(sdx.views.architecture(sd3))


def test_a_transformer_is_not_set_beside_the_unet_of_2015():
    plan = sdx.pipeline_architecture(SUBJECTS["sd3"].make())
    with pytest.raises(InspectionError, match="SD3Transformer2DModel has no levels"):
        _ = plan.beside_2015
