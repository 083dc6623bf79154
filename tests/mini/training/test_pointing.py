"""Where the words of the miniature look: compared with diffusers' own attention, and scored on known masks."""

import math

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor

from sdexplore.mini import PIPELINE
from sdexplore.mini.training.alignment import CrossAttention, alignment_loss, select_groups
from sdexplore.mini.training.dataset import GROUND_GROUP, HELD_OUT_SEED, Draw, draw_table
from sdexplore.mini.training.encoding import encode
from sdexplore.mini.training.networks import build, load
from sdexplore.mini.training.pointing import pointing, score_words
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.training.stages import Training


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return build(Training.smoke().architecture)


def called(networks):
    """A call of the UNet."""
    torch.manual_seed(1)
    return networks.unet(torch.randn(2, 4, 32, 32), torch.tensor([100, 600]), torch.randn(2, 77, 32))


@pytest.mark.parametrize("local", [False, True])
def test_probabilities_are_those_that_eager_attention_computes(networks, local, monkeypatch):
    unet, seen = networks.unet, {}
    processors = unet.attn_processors
    unet.set_attn_processor(AttnProcessor())  # diffusers' plain one, which computes the probabilities
    with CrossAttention(unet, local=local) as attention, torch.no_grad():
        for name, layer in attention.layers.items():

            def scored(*inputs, name=name, own=layer.get_attention_scores):
                seen[name] = own(*inputs)
                return seen[name]

            monkeypatch.setattr(layer, "get_attention_scores", scored)
        called(networks)
        probs = list(attention.probs())
        called(networks)
        (first, *_) = attention.probs(1)
    unet.set_attn_processor(processors)
    assert len(probs) == len(seen) == 15
    for (name, layer), read in zip(attention.layers.items(), probs, strict=True):
        assert not name.startswith("mid")
        assert torch.allclose(read, seen[name].unflatten(0, (2, layer.heads)).mean(1), atol=1e-6)
    assert torch.equal(first, probs[0][:1])
    assert not any(module._forward_hooks for module in unet.modules())


def test_local_gradients_stay_in_their_layer(networks):
    with CrossAttention(networks.unet, local=True) as attention:
        with torch.no_grad():
            called(networks)
        (first, *others) = attention.probs()
        first[:, :8, :5].sum().backward()
    name = next(iter(attention.layers))
    reached = {weight for weight, value in networks.unet.named_parameters() if value.grad is not None}
    assert reached == {f"{name}.to_q.weight", f"{name}.to_k.weight"}
    assert len(others) == 14
    networks.unet.zero_grad()


def quarters():
    """One row: the first token names group 0, which lies in the upper left quarter of the picture."""
    masks = torch.zeros(1, 5, 32, 32)
    masks[0, 0, :16, :16] = 1
    return select_groups(torch.tensor([[0, -1, GROUND_GROUP]])), masks, torch.tensor([[1.0, 0, 0, 0, 0]])


def test_the_loss_is_the_share_of_attention_that_falls_beside():
    selectors, masks, weights = quarters()
    uniform = [torch.full((1, side * side, 3), 0.2) for side in (32, 16, 8)]
    assert alignment_loss(uniform, selectors, masks, weights).item() == pytest.approx(-math.log(1 / 4))
    inside = [torch.stack((mask.flatten(), *torch.rand(2, 1024)), -1)[None] for mask in masks[:, 0]]
    assert alignment_loss(inside, selectors, masks, weights).item() == pytest.approx(0, abs=1e-6)
    fainter = [layer * 0.01 for layer in uniform]
    assert alignment_loss(fainter, selectors, masks, weights).item() == pytest.approx(-math.log(1 / 4))
    outside = [1 - layer for layer in inside]
    assert alignment_loss(outside, selectors, masks, weights).item() == pytest.approx(-math.log(1e-4))
    assert alignment_loss(outside, selectors, masks, weights * 0).item() == 0


def test_a_word_points_where_the_mean_of_its_tokens_peaks():
    maps, masks = torch.zeros(2, 4, 32, 32), torch.zeros(2, 5, 32, 32)
    masks[:, 0, :8, :8] = 1  # the first scene's word is told in two tokens
    masks[0, 1, 12:20, 12:20] = 1
    masks[1, 1, 0, :3] = 1  # hidden, but for three pixels
    maps[0, 0, :8, :8], maps[0, 1, 20, 20], maps[0, 2, 0, 0] = 3, 1, 1
    maps[1, 0, 30, 30] = 1
    groups = torch.tensor([[0, 0, 1, -1], [0, 1, -1, 4]])
    area = 64 / 1024
    assert score_words(maps, groups, masks) == [(1, 1, area, 0), (0, 0, area, 1), (0, 0, area, 0)]


@pytest.fixture(scope="module")
def shipped():
    """The shipped networks, and scenes that they were not trained on."""
    networks, table = load(PIPELINE), draw_table(Draw(HELD_OUT_SEED, 16, variants=2))
    return networks, encode(networks.vae, table, Renderer(table), scaling_factor=networks.scaling_factor)


def test_words_of_the_shipped_model_point_at_what_they_mean(shipped):
    networks, scenes = shipped
    (score,) = pointing(networks, scenes, [400])
    assert score.timestep == 400
    assert score.words > 20
    assert score.pointing > 0.8 > 4 * score.chance
    assert score.pointing > 2 * score.center
    assert score.iou > 0.25
    assert score.noise_error < 0.03


def test_pointing_fails_where_masks_are_those_of_other_scenes(shipped):
    networks, scenes = shipped
    own = scenes.pixel_masks.clone()
    scenes.pixel_masks.copy_(own.roll(1, 0))
    (score,) = pointing(networks, scenes, [400])
    scenes.pixel_masks.copy_(own)  # the other tests share the scenes
    assert score.pointing < 0.5


def test_without_a_word_there_is_no_score_but_an_error_of_the_noise(networks):
    table = draw_table(Draw(1, 1, variants=1))
    scenes = encode(networks.vae, table, Renderer(table), scaling_factor=1.0)
    scenes.token_groups.fill_(-1)
    (score,) = pointing(networks, scenes, [999])
    assert score.words == 0
    assert math.isnan(score.pointing)
    assert score.noise_error > 0
