"""Pictures that the model did not draw: noised and read once, or inverted to the noise that draws them again."""

import random

import diffusers
import numpy as np
import pytest
import tiny_families as families
import torch
from PIL import Image
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion_xl
from unchecked import unchecked

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
    figure = sdx.views.denoising(traces[0])
    assert ", looked at t = 100, seed 0" in figure.figure.get_suptitle()
    assert "in a given picture noised to t = 100, for" in figure.alt
    assert "guidance_scale 5, seed 0" in repr(traces[0])
    assert traces[0].call["function"] == "look"
    assert traces[0].call["arguments"]["t"] == 100
    assert "latents" not in traces[0].call["arguments"]


@pytest.fixture(scope="module")
def inverted(pipe, scene):
    picture, caption, _ = scene
    return sdx.invert(pipe, picture, caption, num_inference_steps=8, record=sdx.Record(decode=0))


def test_an_inversion_draws_the_picture_again(inverted, tmp_path):
    trace = inverted
    assert trace.kind == "invert"
    assert "from a given picture to the noise that it comes from" in sdx.views.denoising(trace).alt
    assert trace.num_steps == 8
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
    with pytest.raises(sdx.RunError, match="'latents' is set by look itself"):
        sdx.look(pipe, picture, caption, t=10, latents=torch.zeros(1))
    with pytest.raises(sdx.RunError, match="height=63"):
        sdx.look(pipe, picture, caption, t=10, height=63)
    with pytest.raises(sdx.RunError, match="this call makes 2 images"):
        sdx.look(pipe, picture, caption, t=10, num_images_per_prompt=2)


def test_plain_bad_input_is_named_before_anything_is_computed(tiny):
    """As users meet it, without the type checker of the tests."""
    looking, picture = unchecked("model.experiments.look_and_invert"), np.zeros((64, 64, 3), np.uint8)
    size = {"height": 64, "width": 64}
    for t in (200.5, [200.7], True, "300", [], np.array([[1]]), -1, None):
        with pytest.raises(sdx.RunError, match=r"t is a training timestep from 0 to 999, a whole number, or several"):
            looking.look(tiny, picture, "a cat", t=t)
    traces = looking.look(tiny, picture, "a cat", t=np.array([200, 400]), **size)
    assert [one.call["arguments"]["t"] for one in traces] == [200, 400]
    assert looking.look(tiny, picture, "a cat", t=np.int64(200), **size).timesteps[0] == 200
    for function, more in ((looking.look, {"t": 5}), (looking.invert, {})):
        with pytest.raises(sdx.RunError, match="give a prompt"):
            function(tiny, picture, **more)
        with pytest.raises(sdx.RunError, match="takes no 'promt'"):
            function(tiny, picture, "a cat", promt="a dog", **more)
    for wrong, message in (
        ({"guidance_scale": 7.5}, r"invert\(guidance_scale=7.5\): it inverts without guidance"),
        ({"seed": 7}, r"invert\(seed=7\): it draws nothing by chance"),
        ({"num_inference_steps": 0}, r"invert\(num_inference_steps=0\): a whole number from 1 to 1000"),
        ({"num_inference_steps": 2.5}, r"invert\(num_inference_steps=2.5\)"),
    ):
        with pytest.raises(sdx.RunError, match=message):
            looking.invert(tiny, picture, "a cat", **wrong)


def test_what_is_no_picture_is_named(tiny):
    autoencoding = unchecked("model.experiments.autoencoder")
    for wrong in (np.zeros((64, 64, 3), np.float32), "cat.png", np.zeros((64, 64), np.uint8), None):
        with pytest.raises(sdx.RunError, match=r"look: a picture is a PIL image or a uint8 array \(Y, X, 3\)"):
            autoencoding.pixels_of(tiny, wrong, {}, "look")
    picture = np.zeros((64, 64, 3), np.uint8)
    for one in (picture, Image.fromarray(picture)):
        with pytest.raises(sdx.RunError, match=r"several pictures.*not one"):
            autoencoding.latent_statistics(tiny, one)


def test_schedules_that_cannot_be_looked_with_say_why(tiny):
    picture, size = np.zeros((64, 64, 3), np.uint8), {"height": 64, "width": 64}
    usual = tiny.scheduler.config
    zero = diffusers.DDIMScheduler.from_config(usual, rescale_betas_zero_snr=True)
    tiny.scheduler = zero
    with pytest.raises(sdx.RunError, match=r"look\(t=\[5, 999\]\): at 999 .*noise alone"):
        sdx.look(tiny, picture, "a cat", t=[5, 999], **size)
    tiny.scheduler = diffusers.DDIMScheduler.from_config(zero.config, prediction_type="v_prediction")
    assert np.isfinite(sdx.look(tiny, picture, "a cat", t=999, **size).latents).all()
    for flow in (
        diffusers.FlowMatchEulerDiscreteScheduler(),
        diffusers.UniPCMultistepScheduler.from_config(usual, use_flow_sigmas=True, prediction_type="flow_prediction"),
    ):
        tiny.scheduler = flow
        for function, more in ((sdx.look, {"t": 5}), (sdx.invert, {})):
            with pytest.raises(sdx.RunError, match="is of flow matching"):
                function(tiny, picture, "a cat", **more)
    for unconditional in (ddpm(), latent_diffusion()):
        with pytest.raises(sdx.RunError, match=r"needs a pipeline of text to image, and .* is unconditional"):
            sdx.look(unconditional, picture, t=5)


def test_an_inversion_is_drawn_again_and_traced(pipe, scene, inverted):
    _, caption, masks = scene
    quality = inverted.provenance["reconstruction"]
    assert f"Reconstruction from its noise: {quality['psnr_db']:g} dB PSNR" in repr(inverted)
    own = pipe.scheduler
    drawn = sdx.redraw(pipe, inverted, record=sdx.Record(decode=0))
    assert pipe.scheduler is own
    assert (drawn.kind, drawn.prompt, drawn.num_steps) == ("run", caption, 8)
    assert drawn.call["function"] == "redraw"
    assert drawn.call["arguments"]["inversion"] == inverted.fingerprint
    np.testing.assert_allclose(drawn.timesteps, inverted.timesteps[::-1])
    error = np.square(drawn.image.astype(float) - inverted.image).mean()
    assert 10 * np.log10(255**2 / error) == pytest.approx(quality["psnr_db"], abs=0.02)
    for word in (word for word in masks if word != mini.GROUND):  # what the model looks at in a picture not its own
        pixels = sdx.word_map(drawn, word, steps=slice(4, None))
        inside = masks[word].reshape(32, 8, 32, 8).mean(axis=(1, 3))
        assert inside[np.unravel_index(pixels.argmax(), pixels.shape)] > 0.3


def test_pipelines_that_cannot_be_looked_with_say_why():
    picture = np.zeros((64, 64, 3), np.uint8)
    for pipe, out in (
        (families.img2img(), "diffusers.StableDiffusionPipeline.from_pipe"),
        (families.controlnet(), "diffusers.StableDiffusionPipeline.from_pipe"),
        (families.inpaint(9), "its UNet of 9 channels cannot do without"),
    ):
        for function, arguments in ((sdx.look, {"t": 5}), (sdx.invert, {})):
            with pytest.raises(sdx.RunError, match=rf"makes latents of its own, and {type(pipe).__name__} .*{out}"):
                function(pipe, picture, "a cat", **arguments)
    usual = diffusers.StableDiffusionPipeline.from_pipe(families.controlnet(), requires_safety_checker=False)
    assert sdx.look(usual, picture, "a cat", t=5, height=64, width=64).num_steps == 1
    consistency = families.latent_consistency()
    assert sdx.look(consistency, picture, "a cat", t=300, height=64, width=64).num_steps == 1
    with pytest.raises(sdx.RunError, match="draws by leaps that no DDIM step undoes"):
        sdx.invert(consistency, picture, "a cat")
    with pytest.raises(sdx.RunError, match=r"redraw takes what invert returned, and .* of kind 'look'"):
        sdx.redraw(usual, sdx.look(usual, picture, "a cat", t=5, height=64, width=64))


@pytest.mark.parametrize("offload", [lambda pipe: pipe.enable_model_cpu_offload(device="cpu"), families.sequential])
def test_offloaded_pipelines_are_looked_with_and_asked_alike(offload, tiny):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    record = sdx.Record(queries=True, decode=0)
    expected = sdx.look(tiny, picture, "a cat", t=400, height=64, width=64, record=record)
    asked = sdx.open_word_map(tiny, expected, "a dog")
    offload(tiny)
    found = sdx.look(tiny, picture, "a cat", t=400, height=64, width=64, record=record)
    np.testing.assert_allclose(found.noise_pred, expected.noise_pred, atol=1e-6)
    np.testing.assert_allclose(sdx.open_word_map(tiny, found, "a dog"), asked, atol=1e-6)
    sdx.invert(tiny, picture, "a cat", height=64, width=64, num_inference_steps=1)
