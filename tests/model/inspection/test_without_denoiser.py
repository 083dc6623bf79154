"""What needs no UNet asks for none: pipelines without a denoiser, and of families that are not observed."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from tiny_pipelines import stable_diffusion
from tiny_transformers import flux, unknown

import sdexplore as sdx
from sdexplore import views

PICTURE = np.full((64, 64, 3), 90, np.uint8)


def without_unet():
    pipe = stable_diffusion()
    pipe.unet = None
    return pipe


@pytest.fixture(scope="module", params=[without_unet, unknown], ids=["no UNet", "unknown transformer"])
def pipe(request):
    return request.param()


def test_a_picture_is_encoded_and_decoded(pipe):
    found = sdx.reconstruction(pipe, PICTURE, height=64, width=64)
    with torch.no_grad():
        x = torch.full((1, 3, 64, 64), 90 / 127.5 - 1)
        mode = pipe.vae.encode(x).latent_dist.mode()
    shift = getattr(pipe.vae.config, "shift_factor", None) or 0.0
    np.testing.assert_allclose(
        found.latents, ((mode - shift) * pipe.vae.config.scaling_factor)[0].numpy(), rtol=1e-3, atol=2e-4
    )
    assert sdx.reconstruction(without_unet(), PICTURE).image.shape == (64, 64, 3)  # the VAE's own size


def test_a_text_is_encoded(pipe):
    found = sdx.text_encoding(pipe, "a cat")
    assert [one.encoder for one in found.values()] == [n for n in pipe.components if n.startswith("text_encoder")]
    if len(found) == 2:  # FLUX takes CLIP's pooled vector and T5's last state
        assert "pooled vector alone" in found["text_encoder"].to_unet
        assert "after the final layer norm" in found["text_encoder_2"].to_unet


def test_the_doctor_says_why_no_run_starts(pipe):
    found = sdx.doctor(pipe)
    assert not found.observable
    assert "reconstruction" in found.obstacles[0]
    assert found.facts["scheduler"].endswith("σ and x0 recorded")
    with pytest.raises(sdx.InspectionError, match="a diffusers pipeline is needed"):
        sdx.doctor(3)


def test_layers_are_left_out_of_clip_s_encoders_alone():
    assert sdx.clip_skip_embeds(without_unet(), "a cat", 1)["prompt_embeds"].shape == (1, 77, 32)
    with pytest.raises(sdx.InspectionError, match=r"^clip_skip_embeds: text_encoder_2, a T5EncoderModel, has no"):
        sdx.clip_skip_embeds(unknown(), "a cat", 1)


def test_a_tree_of_what_is_there():
    assert sdx.tree(without_unet(), "vae").root.children
    with pytest.raises(
        sdx.InspectionError, match=r"has no denoiser; name another network of it: 'vae', 'text_encoder'"
    ):
        sdx.tree(without_unet())
    tree = sdx.tree(unknown())
    assert tree.component == "transformer"
    assert "without output shapes: a CogView3PlusTransformer2DModel needs 'original_size'" in tree.note


def test_a_null_vae_is_told():
    pipe = stable_diffusion()
    pipe.vae = None
    with pytest.raises(sdx.InspectionError, match="its vae is null"):
        sdx.reconstruction(pipe, PICTURE)


class TestFlowMatching:
    """τ is the scheduler's own before each step, and σ = τ/(1 − τ)."""

    @pytest.mark.parametrize("options", [{"shift": 3.0}, {"use_dynamic_shifting": True}, {"invert_sigmas": False}])
    def test_the_schedule_is_that_of_the_pipeline_s_own_call(self, options):
        pipe = flux()
        pipe.scheduler = FlowMatchEulerDiscreteScheduler(**options)
        side = pipe.default_sample_size * pipe.vae_scale_factor
        found = sdx.schedule(pipe, num_inference_steps=4)
        seen = []

        def enough(*_):
            """Ends the call once the schedule is there."""
            seen.append(pipe.scheduler.sigmas.double().numpy()[:-1])
            raise InterruptedError

        pipe.transformer.register_forward_pre_hook(enough)
        with pytest.raises(InterruptedError):
            pipe("a cat", num_inference_steps=4, height=side, width=side)
        tau = seen[0]
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(found.sigmas, tau / (1 - tau), rtol=1e-6)
        assert found.space == "flow matching"

    def test_the_view_shows_noise_alone_as_such(self):
        pipe = flux()
        found = sdx.schedule(pipe, num_inference_steps=4)
        assert np.isinf(found.sigmas[0])
        picture = views.schedule(found)
        assert "nan" not in picture.alt.lower()
        assert "nan" not in repr(found).lower()

    def test_x0_follows_from_x_and_v(self):
        scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
        scheduler.set_timesteps(4)
        x0, eps = torch.randn(2, 1, 4, 8, 8)
        x = eps.clone()  # τ = 1 at the first step: noise alone
        for t in scheduler.timesteps:
            x = scheduler.step(eps - x0, t, x, return_dict=False)[0]
        torch.testing.assert_close(x, x0, atol=1e-5, rtol=0)

    def test_a_shift_that_the_pipeline_does_not_tell_is_refused(self):
        pipe = stable_diffusion()
        dynamic = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
        with pytest.raises(sdx.RunError, match=r"shifts its noise levels by the size of the picture"):
            sdx.schedule(pipe, num_inference_steps=4, scheduler=dynamic)

    def test_its_training_timesteps_are_shares_of_noise_and_it_has_no_betas(self):
        found = sdx.schedule(flux(), num_inference_steps=4)
        assert found.train_betas is None
        np.testing.assert_allclose(found.train_sigmas, np.arange(1000) / (1000 - np.arange(1000)))
        np.testing.assert_allclose(found.sigmas[1:], found.timesteps[1:] / (1000 - found.timesteps[1:]), rtol=1e-5)
        beta, *others, _ = views.schedule(found).figure.axes
        assert not beta.lines
        assert "β" in beta.texts[0].get_text()
        assert [len(ax.lines) for ax in others] == [2, 2, 2]
        assert not any(ax.texts for ax in others)
