"""Pipelines without a prompt, and latent diffusion's own: they run and are traced, and views say what is missing."""

import numpy as np
import pytest
import torch
from artists import texts
from tiny_pipelines import ddpm, latent_diffusion, latent_diffusion_text

import sdexplore as sdx

MAKERS = {"pixels": ddpm, "grey": lambda: ddpm(1), "latents": latent_diffusion}


@pytest.fixture(scope="module", params=MAKERS)
def run(request):
    pipe = MAKERS[request.param]()
    own = pipe(num_inference_steps=3, generator=torch.Generator().manual_seed(4)).images[0]
    return pipe, own, sdx.run(pipe, seed=4, num_inference_steps=3, record=sdx.Record(self_attention=(8,)))


def test_the_picture_is_the_pipeline_s_own_and_everything_was_seen(run):
    pipe, own, trace = run
    np.testing.assert_array_equal(trace.image, np.asarray(own.convert("RGB")))
    assert trace.unconditional
    assert set(trace.noise_preds) == {"uncond"}
    np.testing.assert_array_equal(trace.noise_pred_uncond, trace.noise_pred)
    assert (~np.isnan(trace.noise_pred)).all()
    assert not trace.cross_attention
    layers = trace.self_attention["uncond"]
    assert set(layers) == {
        name for name, _ in pipe.unet.named_modules() if name.endswith(("attentions.0", "attentions.1"))
    }
    for one in layers.values():
        np.testing.assert_allclose(one.probs.sum(-1, dtype=np.float32), 1, atol=2e-3)


def test_latents_become_pictures_the_way_the_pipeline_makes_them(run):
    pipe, _, trace = run
    last = torch.from_numpy(trace.latents[-1].copy())[None]
    if hasattr(pipe, "vqvae"):
        with torch.no_grad():
            last = pipe.vqvae.decode(last / pipe.vqvae.config.scaling_factor).sample
    assert trace.decoded.keys() == trace.decoded_x0.keys() == {0, 1, 2}
    from sdexplore.model.components.decoding import decode

    np.testing.assert_array_equal(decode(pipe, trace.latents[-1]), trace.image)
    drawn = ((last[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255).round().numpy()
    assert np.abs(drawn - trace.image).max() <= 1


def test_a_preview_of_pixels_is_the_pixels(run):
    pipe, _, trace = run
    if hasattr(pipe, "vqvae"):
        return
    from sdexplore.analysis.trajectory import preview

    np.testing.assert_array_equal(preview(trace, trace.latents[-1]), trace.image)


def test_the_views_say_that_there_is_no_prompt_and_no_guidance(run):
    _, _, trace = run
    for picture in (sdx.views.denoising(trace), sdx.views.latents(trace)):
        assert texts(picture).startswith("unconditional\n")
        assert "an unconditional model" in picture.alt
    assert sdx.views.self_attention(trace, 8, role="uncond").data["components"].shape == (6, 8, 8)
    with pytest.raises(sdx.TraceError, match="unconditional: there is no prompt, and so no guidance"):
        sdx.views.guidance(trace)
    with pytest.raises(sdx.TraceError, match="unconditional: it has no prompt"):
        sdx.views.attention(trace, ["cat"])


def test_a_prompt_is_refused_and_nothing_is_left_behind(run):
    pipe, _, _ = run
    with pytest.raises(sdx.RunError, match="is unconditional: it takes no prompt, here 'a cat'"):
        sdx.run(pipe, "a cat")
    assert len(sdx.run(pipe, batch_size=2, num_inference_steps=1)) == 2


def test_a_saved_trace_remembers(run, tmp_path):
    _, _, trace = run
    again = sdx.Trace.load(trace.save(tmp_path / "unconditional.safetensors")).verify()
    assert again.unconditional
    np.testing.assert_array_equal(again.noise_pred_uncond, trace.noise_pred_uncond)


def test_latent_diffusion_s_text_to_image_has_both_roles():
    pipe = latent_diffusion_text()
    arguments = {"num_inference_steps": 2, "height": 64, "width": 64, "guidance_scale": 4.0}
    own = pipe("a cat", **arguments, generator=torch.Generator().manual_seed(0)).images[0]
    trace = sdx.run(pipe, "a cat", **arguments)
    np.testing.assert_array_equal(trace.image, np.asarray(own))
    assert not trace.unconditional
    combined = trace.noise_pred_uncond + 4.0 * (trace.noise_pred_cond - trace.noise_pred_uncond)
    np.testing.assert_allclose(combined, trace.noise_pred, atol=1e-5)
    assert sdx.word_map(trace, "cat").shape == (8, 8)
