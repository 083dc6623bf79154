"""Skipped layers and mixed prompts, compared with diffusers' own argument, with plain runs and with the formula."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from tiny_pipelines import latent_diffusion_text, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.theory import slerp

PROMPT = "a photo of an astronaut"
BARE = sdx.Record(decode=0)


@torch.no_grad()
def own_embeds(pipe, clip_skip):
    """diffusers' own clip_skip; with the attribute that it looks for where transformers has dropped it."""
    encoder = pipe.text_encoder
    if not hasattr(encoder, "text_model"):
        with pytest.raises(AttributeError, match="text_model"):  # what clip_skip_embeds says of it
            pipe.encode_prompt(PROMPT, "cpu", 1, do_classifier_free_guidance=False, clip_skip=clip_skip)
        object.__setattr__(encoder, "text_model", encoder)
    try:
        return pipe.encode_prompt(PROMPT, "cpu", 1, do_classifier_free_guidance=False, clip_skip=clip_skip)[0]
    finally:
        vars(encoder).pop("text_model", None)


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_stable_diffusion_s_semantics_are_diffusers(tiny, clip_skip):
    found = sdx.clip_skip_embeds(tiny, PROMPT, clip_skip)
    assert list(found) == ["prompt_embeds"]
    assert torch.equal(found["prompt_embeds"], own_embeds(tiny, clip_skip))
    encoding = sdx.text_encoding(tiny, PROMPT)["text_encoder"]
    states = torch.from_numpy(encoding.hidden_states[-(clip_skip + 1)].copy())
    encoder = getattr(tiny.text_encoder, "text_model", tiny.text_encoder)  # flat since transformers 5.6
    norm = encoder.final_layer_norm.requires_grad_(requires_grad=False)
    formula = torch.nn.functional.layer_norm(states, (states.shape[-1],), norm.weight, norm.bias, norm.eps)
    torch.testing.assert_close(found["prompt_embeds"][0], formula, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("clip_skip", [0, 1])
def test_sdxl_s_semantics_are_its_own_argument(clip_skip):
    pipe = stable_diffusion_xl()
    with torch.no_grad():
        prompt_embeds, _, pooled, _ = pipe.encode_prompt(PROMPT, clip_skip=clip_skip)
    found = sdx.clip_skip_embeds(pipe, PROMPT, clip_skip)
    assert torch.equal(found["prompt_embeds"], prompt_embeds)
    assert torch.equal(found["pooled_prompt_embeds"], pooled)


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_the_ladder_begins_with_the_plain_run_and_parts_from_it(make):
    pipe = make()
    plain = sdx.run(pipe, PROMPT, seed=3, num_inference_steps=2)
    ladder = sdx.clip_skip_ladder(pipe, PROMPT, (0, 1), seed=3, record=BARE, num_inference_steps=2)
    assert ladder.over == {"clip_skip": (0, 1)}
    first, second = ladder
    np.testing.assert_array_equal(first.image, plain.image)
    np.testing.assert_array_equal(first.latents[0], second.latents[0])  # the same noise
    assert not np.array_equal(first.latents[-1], second.latents[-1])
    np.testing.assert_array_equal(first.noise_pred_uncond[0], second.noise_pred_uncond[0])  # only the prompt is skipped
    assert second.prompt == PROMPT
    assert second.call["conditioning"] == {"prompt": PROMPT, "clip_skip": 1}
    assert second.call["prompt"] is None  # as the pipeline was called
    np.testing.assert_allclose(sdx.word_map(first, "astronaut"), sdx.word_map(plain, "astronaut"), atol=1e-3)


def test_a_negative_prompt_goes_with_the_ladder(tiny):
    plain = sdx.run(tiny, PROMPT, negative_prompt="a dog", num_inference_steps=1)
    (found,) = sdx.clip_skip_ladder(tiny, PROMPT, (0,), record=BARE, negative_prompt="a dog", num_inference_steps=1)
    np.testing.assert_array_equal(found.image, plain.image)


@pytest.mark.parametrize("skip", [3, -1, True, 0.5])
def test_more_layers_than_there_are_cannot_be_skipped(tiny, skip):
    from unchecked import unchecked

    with pytest.raises(
        sdx.RunError, match=rf"clip_skip_embeds\(clip_skip={skip}\): text_encoder has 2 layers; 0 to 2 "
    ):
        unchecked("model.experiments.prompt_embeddings").clip_skip_embeds(tiny, PROMPT, skip)


def test_what_cannot_be_run_is_refused_with_the_reason(tiny):
    with pytest.raises(sdx.InspectionError, match="bert, a LDMBertModel, has no final_layer_norm"):
        sdx.clip_skip_embeds(latent_diffusion_text(), PROMPT)
    with pytest.raises(sdx.RunError, match=r"clip_skip_ladder\(clip_skip=\(\)\): .*at least one value"):
        sdx.clip_skip_ladder(tiny, PROMPT, ())
    with pytest.raises(sdx.RunError, match=r"clip_skip_ladder\(prompt_embeds=…\): .* leave it out"):
        sdx.clip_skip_ladder(tiny, PROMPT, (0,), prompt_embeds=torch.zeros(1, 77, 32))
    with pytest.raises(sdx.RunError, match=r"clip_skip_ladder: .* 2 images"):
        sdx.clip_skip_ladder(tiny, PROMPT, (0,), num_images_per_prompt=2, num_inference_steps=1)


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_an_interpolation_leads_from_prompt_to_prompt(make):
    pipe = make()
    ends = [sdx.run(pipe, text, num_inference_steps=1) for text in ("a cat", "a dog on the grass")]
    found = sdx.interpolation(pipe, "a cat", "a dog on the grass", (0, 0.5, 1), record=BARE, num_inference_steps=1)
    assert found.over == {"weight": (0.0, 0.5, 1.0)}
    first, middle, last = found
    np.testing.assert_array_equal(first.image, ends[0].image)
    np.testing.assert_array_equal(last.image, ends[1].image)
    assert not any(np.array_equal(middle.latents[-1], one.latents[-1]) for one in (first, last))
    ends = {"prompt": "a cat", "other": "a dog on the grass", "method": "slerp"}
    assert middle.call["conditioning"] == {**ends, "weight": 0.5}


def test_the_middle_of_an_interpolation_is_what_its_method_says(tiny):
    a, b = (sdx.clip_skip_embeds(tiny, text)["prompt_embeds"] for text in ("a cat", "a dog"))
    given = []
    tiny.unet.register_forward_pre_hook(
        lambda _, __, named: given.append(named["encoder_hidden_states"]), with_kwargs=True
    )
    short = {"record": BARE, "num_inference_steps": 1, "guidance_scale": 1.0}
    tiny.scheduler = DDIMScheduler.from_config(tiny.scheduler.config)  # one call of the UNet a step
    for method in ("lerp", "slerp"):
        sdx.interpolation(tiny, "a cat", "a dog", (0.25,), method=method, **short)
    torch.testing.assert_close(given[0], 0.75 * a + 0.25 * b)
    torch.testing.assert_close(given[1], torch.from_numpy(slerp(a.numpy(), b.numpy(), 0.25)))


def test_an_unknown_method_is_refused(tiny):
    from unchecked import unchecked

    with pytest.raises(sdx.RunError, match="'slerp' or 'lerp'"):
        unchecked("model.experiments.prompt_embeddings").interpolation(tiny, "a", "b", method="nlerp")
    with pytest.raises(sdx.RunError, match="'x' is no number"):
        unchecked("model.experiments.prompt_embeddings").interpolation(tiny, "a", "b", weights=("x",))
