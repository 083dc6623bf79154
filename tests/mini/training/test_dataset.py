"""Scenes as arrays and as batches of pictures: what tokens name, what is drawn, and the noise that is added."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from tokenizers import Tokenizer

from sdexplore.mini import GROUND, PIPELINE, render, sample
from sdexplore.mini.training.batches import draw_batch
from sdexplore.mini.training.dataset import (
    END,
    GROUND_GROUP,
    START,
    TOKENIZER,
    Draw,
    SceneTable,
    draw_table,
    known_tokens,
    spread,
)
from sdexplore.mini.training.encoding import EncodedScenes
from sdexplore.mini.training.noise import draw_timesteps, noise_loss, noised
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.world.vocabulary import PLACE_WORDS, STYLES

TABLE = Draw(seed=44, scenes=60, variants=2)


@pytest.fixture(scope="module")
def table():
    return draw_table(TABLE)


@pytest.fixture(scope="module")
def scenes():
    """The scenes that the table was drawn from."""
    rng, found = random.Random(TABLE.seed), []
    for _ in range(TABLE.scenes):
        found.append(sample(rng, TABLE.captions))
        rng.randrange(TABLE.variants)
    return found


@pytest.fixture
def encoded(table):
    """Random latents, with each group in one quarter of the picture."""
    torch.manual_seed(0)
    masks = torch.zeros(len(table), 5, 32, 32, dtype=torch.uint8)
    masks[:, :, 16:, 16:] = 255
    return EncodedScenes(
        input_ids=torch.from_numpy(table.input_ids).long(),
        token_groups=torch.from_numpy(table.token_groups).long(),
        latents=torch.randn(len(table), 4, 32, 32),
        pixel_masks=masks,
        scaling_factor=0.5,
    )


def test_tokens_spell_what_they_are_said_to_name(table, scenes):
    tokenizer = Tokenizer.from_file(str(TOKENIZER))

    def spelled(ids):
        return tokenizer.decode(ids.tolist()).replace("</w>", " ").strip()

    grounds = 0
    for row, scene in enumerate(scenes):
        for number, caption in enumerate(scene.captions):
            ids, groups = table.input_ids[row, number], table.token_groups[row, number]
            assert spelled(ids).replace(" ", "") == caption.replace(" ", "")
            assert ids[0] == START
            assert (groups[ids == END] == -1).all()
            for group, word in enumerate(scene.spelled):
                assert spelled(ids[groups == group]) == scene.spelled[word]
            ground = spelled(ids[groups == GROUND_GROUP])
            plain = (scene.background, f"{scene.background} background")
            assert ground in ("", *PLACE_WORDS.get(scene.background, plain))
            grounds += bool(ground)
    assert grounds > 80


def test_words_beyond_the_world_are_mixed_in_and_name_nothing():
    known = known_tokens(6000)
    plain, mixed = (draw_table(Draw(seed=3, scenes=80, known=mixed_in)) for mixed_in in (None, known))
    foreign = ~np.isin(mixed.input_ids, sorted(known))
    assert np.isin(plain.input_ids, sorted(known)).all()
    assert (mixed.token_groups[foreign] == -1).all()
    assert 8 <= foreign.any(-1).sum() <= 32  # of 160 captions, one in ten


def test_scenes_drawn_by_several_processes_come_in_order():
    draws = [Draw(seed, 3, captions=1) for seed in (1, 2, 3)]
    alone, spread_out = SceneTable.joined(spread(draw_table, draws)), SceneTable.joined(spread(draw_table, draws, 2))
    assert len(alone) == 9
    for column in fields(SceneTable):
        assert np.array_equal(getattr(alone, column.name), getattr(spread_out, column.name))


def test_pictures_and_masks_by_the_batch_agree_with_the_reference(table, scenes):
    """Compares every style, and two sprites of one word, with `render`."""
    rows = [[scene.style for scene in scenes].index(style) for style in STYLES] + list(range(8))
    images, masks = Renderer(table).images_and_masks(torch.tensor(rows))
    images = ((images + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    for row, image, groups in zip(rows, images, masks.numpy(), strict=True):
        kind, variant = table.backgrounds[row].tolist()
        expected, true = render(scenes[row], random.Random(kind * 1000 + variant))
        assert np.abs(image - expected).mean() < 2.5
        for word, mask in true.items():
            group = GROUND_GROUP if word == GROUND else list(scenes[row].spelled).index(word)
            assert (
                np.abs(groups[group] - mask.reshape(32, 8, 32, 8).mean(axis=(1, 3))).mean() < 0.015
            )  # edges, by half a pixel
        assert not groups[len(true) - 1 : GROUND_GROUP].any()


def test_noise_is_that_of_stable_diffusion():
    scheduler = DDPMScheduler.from_pretrained(PIPELINE / "scheduler")
    torch.manual_seed(0)
    latents, noise, predicted = torch.randn(3, 5, 4, 8, 8)
    timesteps = torch.tensor([0, 10, 333, 700, 999])
    assert torch.allclose(noised(latents, noise, timesteps), scheduler.add_noise(latents, noise, timesteps), atol=1e-5)
    ratio = compute_snr(scheduler, timesteps)
    weights = torch.minimum(ratio, torch.full_like(ratio, 5.0)) / ratio
    expected = ((predicted - noise).square().mean((1, 2, 3)) * weights).mean()
    assert noise_loss(predicted, noise, timesteps).item() == pytest.approx(expected.item(), rel=1e-4)


def test_even_timesteps_lie_one_in_each_part():
    torch.manual_seed(0)
    for _ in range(20):
        timesteps = draw_timesteps(16, torch.device("cpu"), evenly=True)
        assert (timesteps * 16 // 1000).tolist() == pytest.approx(range(16), abs=1)  # parts of 62.5 timesteps
        assert timesteps.max() <= 999
    uneven = draw_timesteps(1000, torch.device("cpu"))
    assert uneven.min() < 50
    assert uneven.max() > 950
    assert not uneven.equal(uneven.sort().values)


def test_a_batch_leaves_captions_out_and_counts_what_can_be_aligned(encoded):
    batch = draw_batch(encoded, 600, aligned=400, ground=0.25)
    silent = (batch.input_ids[:, 1:] == END).all(-1)
    assert 30 < silent.sum() < 100  # of 600, one in ten
    assert (batch.input_ids[:, 0] == START).all()
    assert batch.weights.shape == (400, 5)
    assert not batch.weights[silent[:400]].any()
    assert not batch.weights[batch.timesteps[:400] >= 900].any()
    loud = ~silent[:400] & (batch.timesteps[:400] < 900)
    named = batch.selectors.sum(-1) > 0
    assert (batch.weights[loud][named[loud]] > 0).all()
    assert not batch.weights[~named].any()
    early = 1 - batch.timesteps[:400] / 900
    assert batch.weights[:, GROUND_GROUP].max() <= 0.25
    assert torch.allclose(batch.weights[loud, 0], early[loud] * named[loud, 0])


def test_a_batch_adds_its_noise_to_scaled_latents(encoded):
    columns = ("input_ids", "token_groups", "latents", "pixel_masks")
    single = replace(encoded, **{column: getattr(encoded, column)[:1] for column in columns})
    batch = draw_batch(single, 8)
    assert torch.allclose(batch.noisy, noised(0.5 * single.latents.expand(8, -1, -1, -1), batch.noise, batch.timesteps))
    assert batch.noise.std() == pytest.approx(1, abs=0.05)


def test_a_thing_that_hardly_shows_is_not_aligned(encoded):
    encoded.pixel_masks.zero_()
    encoded.pixel_masks[:, :, 0, :4] = 255
    assert not draw_batch(encoded, 50).weights.any()
    encoded.pixel_masks[:, :, 0, 4] = 255
    assert draw_batch(encoded, 50).weights.any()
