"""The last row of latents is what the picture was decoded from, whatever the pipeline did after its last step."""

import numpy as np
import pytest
import torch
from tiny_families import inpaint, mask, picture
from tiny_pipelines import latent_diffusion, stable_diffusion

import sdexplore as sdx
from sdexplore.model.components import decoding

PROMPT = "a photo of a cat"
FEW = sdx.Record(cross_attention=False, decode=0)


def own_latents(pipe, **arguments):
    """The latents that the pipeline itself ends with."""
    return pipe(PROMPT, generator=torch.Generator().manual_seed(3), output_type="latent", **arguments).images[0].numpy()


def test_inpainting_ends_with_the_kept_half_of_the_picture():
    pipe = inpaint()
    given = {"image": picture(), "mask_image": mask(), "strength": 1.0, "num_inference_steps": 3}
    trace = sdx.run(pipe, PROMPT, seed=3, record=FEW, **given)
    np.testing.assert_allclose(trace.latents[-1], own_latents(pipe, **given), rtol=0, atol=2e-6)
    assert np.array_equal(decoding.decode(pipe, trace.latents[-1]), trace.image)
    as_latents = sdx.run(pipe, PROMPT, seed=3, record=FEW, output_type="latent", **given)
    assert np.array_equal(as_latents.latents[-1], own_latents(pipe, **given))


@pytest.mark.parametrize("images", [1, 2])
def test_a_callback_that_changes_latents_is_in_the_last_row_too(tiny, images):
    def soften(_pipe, _step, _timestep, values):
        return {**values, "latents": values["latents"] * 0.9}

    given = {"num_inference_steps": 3, "callback_on_step_end": soften}
    found = sdx.run(tiny, PROMPT, seed=3, record=FEW, num_images_per_prompt=images, **given)
    traces = [found] if images == 1 else list(found)
    np.testing.assert_allclose(traces[0].latents[-1], own_latents(tiny, **given), rtol=0, atol=2e-5)
    for trace in traces:
        assert np.abs(decoding.decode(tiny, trace.latents[-1]).astype(int) - trace.image).max() <= 1


def test_without_any_change_the_last_row_is_what_the_step_returned_to_the_bit(tiny):
    trace = sdx.run(tiny, PROMPT, seed=3, record=FEW, num_inference_steps=3)
    assert np.array_equal(trace.latents[-1], own_latents(tiny, num_inference_steps=3))


def test_what_a_callback_decodes_for_itself_is_not_taken_for_the_picture(tiny):
    def decodes(pipe, _step, _timestep, values):
        pipe.vae.decode(values["latents"] * 3)
        return values

    trace = sdx.run(tiny, PROMPT, seed=3, record=FEW, num_inference_steps=2, callback_on_step_end=decodes)
    assert np.array_equal(trace.latents[-1], own_latents(tiny, num_inference_steps=2))


def test_half_precision_keeps_the_rows_of_the_scheduler():
    pipe = stable_diffusion().to(torch.bfloat16)
    trace = sdx.run(pipe, PROMPT, seed=3, record=FEW, num_inference_steps=2)
    expected = pipe(
        PROMPT, generator=torch.Generator().manual_seed(3), output_type="latent", num_inference_steps=2
    ).images[0]
    assert np.array_equal(trace.latents[-1], expected.float().numpy())


def test_a_vq_vae_too():
    trace = sdx.run(latent_diffusion(), seed=3, record=sdx.Record(), num_inference_steps=2)
    assert trace.latents.shape[0] == 3
    assert trace.image is not None
