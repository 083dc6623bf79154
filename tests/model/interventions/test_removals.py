"""Rows of one batch without something else: a head's output taken away by hand, and each removal alone."""

import pytest
import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.families import family_of
from sdexplore.model.interventions.removals import Removal, removed

KEYS = (2, 5)


@pytest.fixture(scope="module")
def world():
    pipe = stable_diffusion()
    pipe.unet.double()
    layers = [one for one in family_of(pipe).attention_layers(pipe.unet).values() if one.to_words]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 8, 8, generator=generator, dtype=torch.float64).expand(5, -1, -1, -1)
    embeds = torch.randn(1, 77, pipe.unet.config.cross_attention_dim, generator=generator, dtype=torch.float64)
    return pipe.unet, layers, x, embeds.expand(5, -1, -1)


@torch.no_grad()
def predicted(unet, x, embeds):
    return unet(x, 300, embeds).sample


def test_a_head_out_is_the_output_less_its_own_share(world):
    unet, layers, x, embeds = world
    layer, seen = layers[0], {}
    hooks = [
        layer.module.to_out[0].register_forward_pre_hook(lambda _, given: seen.update(z=given[0])),
        layer.module.register_forward_hook(lambda _, __, out: seen.update(out=out)),
    ]
    try:
        predicted(unet, x, embeds)
        z, out = seen["z"][0], seen["out"][0]
        with removed([layer], [None, *(Removal(None, layer.name, head) for head in range(4))], "test"):
            predicted(unet, x, embeds)
    finally:
        for hook in hooks:
            hook.remove()
    weight, width = layer.module.to_out[0].weight, z.shape[-1] // layer.heads
    assert torch.equal(seen["out"][0], out)
    for head in range(4):
        own = slice(head * width, (head + 1) * width)
        expected = out - z[:, own] @ weight[:, own].T
        assert (seen["out"][1 + head] - expected).abs().max() < 1e-6
        assert (expected - out).abs().max() > 1e-3


def test_a_batch_of_removals_is_each_of_them_alone(world):
    unet, layers, x, embeds = world
    names = [one.name for one in layers]
    removals = [None, Removal(KEYS), Removal(KEYS, names[1], 2), Removal(None, names[-1]), Removal(KEYS, names[0])]
    with removed(layers, removals, "test"):
        together = predicted(unet, x, embeds)
    whole = predicted(unet, x, embeds)
    for row, one in enumerate(removals):
        with removed(layers, [one], "test"):
            alone = predicted(unet, x[:1], embeds[:1])
        assert (together[row] - alone[0]).abs().max() < 1e-12
        effect = float((together[row] - whole[row]).abs().max())
        assert effect < 1e-12 if one is None else effect > 1e-5


def test_fused_projections_are_reached_too(world):
    _, _, x, embeds = (one.float() if isinstance(one, torch.Tensor) else one for one in world)
    plain, pipe = stable_diffusion(), stable_diffusion()
    pipe.fuse_qkv_projections(vae=False)
    made = []
    for one in (plain, pipe):
        layers = [layer for layer in family_of(one).attention_layers(one.unet).values() if layer.to_words]
        with removed(layers, [Removal(KEYS), None, None, None, None], "test"):
            made.append(predicted(one.unet, x, embeds))
    torch.testing.assert_close(*made, atol=1e-5, rtol=0)
    assert (made[0][0] - made[0][1]).abs().max() > 1e-5


def test_a_layer_that_is_not_reached_and_rows_that_are_no_such_rows_are_errors(world):
    unet, layers, x, embeds = world
    with pytest.raises(sdx.RunError, match=f"{layers[0].name!r} made no values"), removed(layers, [Removal(KEYS)], "f"):
        pass
    with pytest.raises(sdx.RunError, match="has 5 rows, and 1 were asked for"):  # noqa: SIM117
        with removed(layers, [Removal(KEYS)], "f"):
            predicted(unet, x, embeds)
    assert not any(one._forward_hooks for one in unet.modules())
