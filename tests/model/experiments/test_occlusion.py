"""What a word does to the noise prediction, compared with the UNet called by hand."""

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EDMEulerScheduler, EulerDiscreteScheduler
from tiny_families import image_embeds, ip_adapter, latent_consistency
from tiny_pipelines import ddpm, latent_diffusion_text, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.text.words import without

PROMPT = "a cat and a dog"
WITHOUT = {
    "a": "cat and a dog",
    "cat": "a and a dog",
    "and": "a cat a dog",
    "a (2)": "a cat and dog",
    "dog": "a cat and a",
}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion(EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1))


@pytest.fixture(scope="module")
def trace(pipe):
    return sdx.run(pipe, PROMPT, num_inference_steps=4, height=64, width=96)


@pytest.fixture(scope="module")
def found(pipe, trace):
    return sdx.occlusion(pipe, trace, steps=[0, -1])


def asked(pipe, trace, step, text):
    """ε(x_t, text) from the UNet itself; Euler's sample is scaled as its own scale_model_input does."""
    with torch.no_grad():
        embeds, _ = pipe.encode_prompt(text, "cpu", 1, do_classifier_free_guidance=False)
    sample = torch.from_numpy(trace.latents[step].copy())[None] / float(np.hypot(1, trace.sigmas[step]))
    with torch.no_grad():
        return pipe.unet(sample, trace.timesteps[step], encoder_hidden_states=embeds).sample[0].numpy()


def test_every_word_is_left_out_once_and_the_unet_asked(pipe, trace, found):
    assert found.words == tuple(WITHOUT)
    assert found.steps == (0, 3)
    for column, step in enumerate(found.steps):
        full = asked(pipe, trace, step, PROMPT)
        for row, text in enumerate(WITHOUT.values()):
            expected = np.sqrt(np.square(full - asked(pipe, trace, step, text)).mean(axis=0))
            np.testing.assert_allclose(found.changes[row, column], expected, atol=1e-5)
        whole = np.sqrt(np.square(full - asked(pipe, trace, step, "")).mean())
        assert found.of_prompt[column] == pytest.approx(whole, abs=1e-5)
    assert found.deviation.max() < 1e-5


def test_effects_are_shares_of_what_the_whole_prompt_does(found):
    size = np.sqrt(np.square(found.changes).mean(axis=(2, 3)))
    np.testing.assert_allclose(found.effects, size / found.of_prompt, rtol=1e-5)
    mean = found.effects.mean(axis=1)
    assert list(found.ranking) == sorted(range(len(mean)), key=lambda i: -mean[i])
    np.testing.assert_allclose(found.change("CAT"), found.changes[1].mean(axis=0))
    np.testing.assert_array_equal(found.change("cat", 3), found.changes[1, 1])
    assert repr(found).splitlines()[4].startswith(found.words[found.ranking[0]])


def test_a_named_word_is_left_out_everywhere_and_a_phrase_whole(pipe, trace):
    found = sdx.occlusion(pipe, trace, ["a", "cat and"], steps=[1])
    assert found.words == ("a", "cat and")
    for row, text in enumerate(("cat and dog", "a a dog")):
        expected = asked(pipe, trace, 1, PROMPT) - asked(pipe, trace, 1, text)
        np.testing.assert_allclose(found.changes[row, 0], np.sqrt(np.square(expected).mean(axis=0)), atol=1e-5)


def flow():
    schedule = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "steps_offset": 1}
    return stable_diffusion(DPMSolverMultistepScheduler(**schedule))


def edm():
    return stable_diffusion(EDMEulerScheduler())


@pytest.mark.parametrize("make", [stable_diffusion_xl, latent_diffusion_text, latent_consistency, flow, edm])
def test_other_families_are_asked_by_their_own_call(make):
    pipe = make()
    own = pipe.scheduler
    trace = sdx.run(pipe, PROMPT, num_inference_steps=2, height=64, width=64, guidance_scale=4.0)
    found = sdx.occlusion(pipe, trace, ["dog"])
    assert found.deviation.max() < 1e-5  # the prompt's own prediction came out again at every step asked
    assert found.changes.shape == (1, len(found.steps), 8, 8)
    assert found.changes.max() > 0
    assert pipe.scheduler is own


def test_what_has_no_say_in_the_prediction_is_left_out_and_what_has_is_told_again(pipe):
    record = sdx.Record(decode=0, cross_attention=False)
    guided = {
        "guide": lambda seen: (0 * seen.latents).sum(),
        "guide_scale": 2.0,
        "cross_attention_kwargs": {"scale": 1.0},
    }
    trace = sdx.run(pipe, PROMPT, num_inference_steps=1, record=record, **guided)
    assert sdx.occlusion(pipe, trace, ["cat"], steps=0).deviation.max() < 1e-5
    larger = stable_diffusion_xl()
    sizes = {"original_size": (32, 64), "crops_coords_top_left": (0, 8), "negative_original_size": (64, 64)}
    sized = sdx.run(
        larger,
        PROMPT,
        prompt_2=PROMPT,
        num_inference_steps=1,
        record=record,
        **sizes,
        target_size=(64, 64),
        negative_target_size=(64, 64),
    )
    assert sdx.occlusion(larger, sized, ["cat"], steps=-1).deviation.max() < 1e-5
    empty = sdx.run(larger, PROMPT, prompt_2="", num_inference_steps=1, record=record)  # the pipeline reads PROMPT
    assert sdx.occlusion(larger, empty, ["cat"], steps=-1).deviation.max() < 1e-5


def test_more_than_one_prompt_is_refused(pipe):
    record = sdx.Record(decode=0, cross_attention=False)
    one = {"num_inference_steps": 2, "record": record}
    with pytest.raises(sdx.RunError, match=r"changed its prompt on the way, prompt_at=\{'1': 'a dog'\}"):
        sdx.occlusion(pipe, sdx.run(pipe, PROMPT, prompt_at={1: "a dog"}, **one))
    (skipped,) = sdx.clip_skip_ladder(pipe, PROMPT, (1,), **one)
    with pytest.raises(sdx.RunError, match=r"embeddings were made as .*'clip_skip': 1"):
        sdx.occlusion(pipe, skipped)
    larger = stable_diffusion_xl()
    with pytest.raises(sdx.RunError, match="prompt_2='a bird'"):
        sdx.occlusion(larger, sdx.run(larger, PROMPT, prompt_2="a bird", **one), prompt_2="a bird")
    with pytest.raises(sdx.TraceError, match="'' has no word to leave out"):
        sdx.occlusion(pipe, sdx.run(pipe, "", **one))


def test_a_look_can_be_asked_too(pipe):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = sdx.occlusion(pipe, sdx.look(pipe, picture, PROMPT, t=300), ["cat"])
    assert found.timesteps.tolist() == [300]
    assert found.deviation.max() < 1e-5


def test_another_pipeline_is_found_out(trace, pipe):
    other = stable_diffusion()
    with torch.no_grad():
        other.unet.conv_out.weight.mul_(1.5)
    with pytest.raises(sdx.RunError, match="at step 0 this pipeline does not predict what the trace recorded"):
        sdx.occlusion(other, trace)
    assert sdx.occlusion(pipe, trace, ["cat"], steps=[0]).words == ("cat",)  # and nothing is left behind


def test_what_is_missing_is_said(pipe, trace, tmp_path):
    with pytest.raises(sdx.TokenError, match="no word 'bird'"):
        sdx.occlusion(pipe, trace, ["bird"])
    with pytest.raises(sdx.TraceError, match="there is no step 9"):
        sdx.occlusion(pipe, trace, steps=[9])
    with pytest.raises(sdx.TraceError, match=r"words=\(\)\): name at least one"):
        sdx.occlusion(pipe, trace, ())
    with pytest.raises(sdx.TraceError, match=r"steps=\(\)\): name at least one"):
        sdx.occlusion(pipe, trace, steps=())
    unconditional = sdx.run(ddpm(), num_inference_steps=1)
    with pytest.raises(sdx.TraceError, match="holds no prompt"):
        sdx.occlusion(ddpm(), unconditional)
    bare = sdx.run(pipe, PROMPT, num_inference_steps=1, record=sdx.Record(noise_pred=False))
    with pytest.raises(sdx.TraceError, match=r"Record\(noise_pred=True\)"):
        sdx.occlusion(pipe, bare)
    pictured = ip_adapter(tmp_path)
    embeds = {"ip_adapter_image_embeds": image_embeds(1), "guidance_scale": 1.0}
    run = sdx.run(pictured, PROMPT, num_inference_steps=1, **embeds)
    with pytest.raises(sdx.RunError, match="give it again: ip_adapter_image_embeds=…"):
        sdx.occlusion(pictured, run)


def test_a_word_that_was_not_asked_for_has_no_map(found):
    with pytest.raises(sdx.TraceError, match="'dogs' was not left out; did you mean 'dog'"):
        found.change("dogs")
    with pytest.raises(sdx.TraceError, match="step 2 is not among the steps"):
        found.change("dog", 2)


def test_leaving_out_several_places_leaves_one_space_between():
    assert without("a cat, a dog", (7, 8), (0, 1)) == "cat, dog"
