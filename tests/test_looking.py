"""Pictures that the model did not draw: noised and read once, or inverted to the noise that draws them again."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_pipelines import stable_diffusion_xl

import sdexplore as sdx
from sdexplore import mini


@pytest.fixture(scope="module")
def pipe():
    found = sdx.load()
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def scene():
    rng = random.Random(5)
    found = mini.sample(rng)
    picture, masks = mini.render(found, rng)
    return picture, found.captions[0], masks


def test_a_look_is_one_call_on_the_noised_picture(pipe, scene):
    picture, caption, masks = scene
    own = pipe.scheduler
    trace = sdx.look(pipe, picture, caption, t=400, seed=3)
    assert pipe.scheduler is own
    assert trace.kind == "look"
    assert trace.num_steps == 1
    assert trace.timesteps.tolist() == [400]
    assert np.array_equal(trace.image, picture)
    assert set(trace.noise_preds) == {"cond"}

    with torch.no_grad():  # the same by hand
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        z = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
        noisy = own.add_noise(z, noise, torch.tensor([400]))
        embeds, _ = pipe.encode_prompt(caption, "cpu", 1, do_classifier_free_guidance=False)
        output = pipe.unet(noisy, 400, encoder_hidden_states=embeds).sample
    assert np.allclose(trace.latents[0], noisy[0], atol=1e-4)
    assert np.allclose(trace.noise_pred[0], output[0], atol=1e-3)
    assert np.allclose(trace.latents[1], trace.pred_original_sample[0], atol=1e-4)

    for word in (word for word in masks if word != mini.GROUND):
        pixels = sdx.word_map(trace, word)
        inside = masks[word].reshape(32, 8, 32, 8).mean(axis=(1, 3))
        assert inside[np.unravel_index(pixels.argmax(), pixels.shape)] > 0.3


def test_several_timesteps_and_guidance(pipe, scene):
    picture, caption, _ = scene
    traces = sdx.look(
        pipe, Image.fromarray(picture), caption, t=[100, 700], guidance_scale=5.0, negative_prompt="a cat"
    )
    assert [trace.timesteps[0] for trace in traces] == [100, 700]
    assert traces[0].sigmas[0] < traces[1].sigmas[0]
    assert set(traces[0].noise_preds) == {"cond", "uncond"}
    assert traces[0].tokens["uncond"]["tokenizer"].text == "a cat"
    assert traces[0].call["function"] == "look"
    assert traces[0].call["arguments"]["t"] == 100
    assert "latents" not in traces[0].call["arguments"]


def test_an_inversion_draws_the_picture_again(pipe, scene, tmp_path):
    picture, caption, _ = scene
    trace = sdx.invert(pipe, picture, caption, num_inference_steps=20, record=sdx.Record(decode=0))
    assert trace.kind == "invert"
    assert trace.num_steps == 20
    assert np.all(np.diff(trace.timesteps) > 0)
    assert np.all(np.diff(trace.sigmas) >= 0)
    quality = trace.provenance["reconstruction"]
    assert quality["psnr_db"] > 20
    assert quality["vae_psnr_db"] > quality["psnr_db"] - 1
    assert 0.7 < trace.latents[-1].std() < 1.4  # nearly noise
    again = sdx.Trace.load(trace.save(tmp_path / "inverted.safetensors")).verify()
    assert again.provenance["reconstruction"] == quality


def test_sdxl_is_looked_at_with_its_own_conditions():
    pipe = stable_diffusion_xl()
    picture = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    trace = sdx.look(pipe, picture, "a cat", t=300, height=64, width=96)
    assert trace.image.shape == (64, 96, 3)
    assert len(trace.cross_attention["cond"]) == 8
    assert sdx.invert(pipe, picture, "a cat", height=64, width=64, num_inference_steps=2).num_steps == 2


def test_what_cannot_be_looked_at_says_why(pipe, scene):
    picture, caption, _ = scene
    with pytest.raises(sdx.RunError, match=r"look\(t=1000\): t is a training timestep from 0 to 999"):
        sdx.look(pipe, picture, caption, t=1000)
    with pytest.raises(sdx.RunError, match="'latents' is set by look"):
        sdx.look(pipe, picture, caption, t=10, latents=torch.zeros(1))
    with pytest.raises(sdx.RunError, match="height=63"):
        sdx.look(pipe, picture, caption, t=10, height=63)
    with pytest.raises(sdx.RunError, match="this call makes 2 images"):
        sdx.look(pipe, picture, caption, t=10, num_images_per_prompt=2)
