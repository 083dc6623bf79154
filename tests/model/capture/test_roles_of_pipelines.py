"""Every row of a denoiser call has a role, tokens and a generator of its own, in pipelines of all kinds."""

import numpy as np
import pytest
import tiny_kinds
from tiny_families import picture

import sdexplore as sdx

ALL = ("cond", "uncond", "perturbed", "extra_0", "edit_0", "edit_1")
FEW = sdx.Record(decode=0, roles=ALL)
PROMPT = "a photo of a cat"


def rebuilt(trace, scale):
    """The largest difference of the halves put together from what the scheduler got."""
    uncond, cond = trace.noise_pred_uncond, trace.noise_pred_cond
    return float(np.abs(uncond + scale * (cond - uncond) - trace.noise_pred).max())


def test_attend_and_excites_extra_call_is_none_of_the_halves_and_has_the_prompts_tokens():
    pipe = tiny_kinds.attend_and_excite()
    given = {"token_indices": [2, 5], "max_iter_to_alter": 1, "thresholds": {}, "attn_res": (32, 32)}
    trace = sdx.run(pipe, "a cat and a rocket", num_inference_steps=2, record=FEW, **given)
    assert set(trace.noise_preds) == {"uncond", "cond", "extra_0"}
    assert rebuilt(trace, 7.5) < 1e-5
    assert not np.isnan(trace.noise_pred_cond).any()
    assert not sdx.guidance_steps(trace).unexplained
    assert trace.tokens["extra_0"]["tokenizer"].text == "a cat and a rocket"
    assert sdx.word_map(trace, "rocket", role="extra_0").shape == (32, 32)


def test_attend_and_excite_of_several_images_is_refused_before_the_run():
    with pytest.raises(sdx.RunError, match="one picture after the other"):
        sdx.run(tiny_kinds.attend_and_excite(), PROMPT, token_indices=[2], num_images_per_prompt=2)


def test_semantic_guidances_edits_have_names_and_tokens_of_their_own():
    edits = ["a rocket and a dog", "a red ball"]
    given = {"editing_prompt": edits, "edit_warmup_steps": [1, 1], "edit_guidance_scale": [5.0, 5.0]}
    given |= {"reverse_editing_direction": [False, True], "num_inference_steps": 3}
    trace = sdx.run(tiny_kinds.semantic(), PROMPT, record=FEW, **given)
    assert set(trace.noise_preds) == {"uncond", "cond", "edit_0", "edit_1"}
    assert [trace.tokens[f"edit_{n}"]["tokenizer"].text for n in (0, 1)] == edits
    assert trace.tokens["cond"]["tokenizer"].text == PROMPT
    assert sdx.word_map(trace, "rocket", role="edit_0").shape == (8, 8)
    with pytest.raises(sdx.TokenError):
        sdx.word_map(trace, "cat", role="edit_0")
    assert "edits" in sdx.guidance_steps(trace).unexplained


def test_safe_latent_diffusions_third_row_is_not_the_prompts():
    trace = sdx.run(tiny_kinds.safe(), PROMPT, record=FEW, num_inference_steps=2, sld_guidance_scale=2000)
    assert set(trace.noise_preds) == {"uncond", "cond", "extra_0"}
    assert "extra_0" not in trace.tokens
    assert not np.array_equal(trace.noise_preds["extra_0"], trace.noise_pred_cond)


@pytest.mark.parametrize("make", [tiny_kinds.unclip_of_pictures, tiny_kinds.image_variation])
def test_two_pictures_without_a_prompt_are_two_traces_each_with_its_own_generator_and_halves(make):
    pipe, pictures = make(), [picture(seed=seed) for seed in (1, 2)]
    both = sdx.run(pipe, image=pictures, num_inference_steps=2, seed=5, record=FEW)
    assert isinstance(both, sdx.Traces)
    assert len(both) == 2
    alone = sdx.run(pipe, image=pictures[1], num_inference_steps=2, seed=6, record=FEW)
    assert np.array_equal(both[1].latents[0], alone.latents[0])
    assert both[1].call["image"] == 1
    assert list(both[1].provenance["used"]["seeds"]) == [5, 6]
    for role in ("uncond", "cond"):
        np.testing.assert_allclose(both[1].noise_preds[role], alone.noise_preds[role], atol=1e-4)
    assert not sdx.guidance_steps(both[1]).unexplained


def test_controlnet_xs_keeps_its_control_branch_out_of_a_words_map():
    trace = sdx.run(tiny_kinds.controlnet_xs(), PROMPT, image=picture(), num_inference_steps=2, record=FEW)
    layers = list(trace.cross_attention["cond"])
    assert layers
    assert not [name for name in layers if "ctrl" in name]


@pytest.mark.parametrize("make", [tiny_kinds.upscaler, tiny_kinds.paint_by_example])
def test_guidance_is_rebuilt_where_the_pipeline_tells_its_scale_by_its_default_alone(make):
    pipe = make()
    if make is tiny_kinds.upscaler:
        trace = sdx.run(pipe, PROMPT, image=picture(16, 16), num_inference_steps=2, record=FEW)
        scale = 9.0
    else:
        given = {"example_image": picture(), "image": picture(), "mask_image": picture().convert("L")}
        trace = sdx.run(pipe, num_inference_steps=2, record=FEW, **given)
        scale = 5.0
    found = sdx.guidance_steps(trace)
    assert set(found.guidance_scale) == {scale}
    assert found.formula.startswith("ε_u + s (ε_c − ε_u)")
    assert not found.unexplained
    assert trace.provenance["used"]["guidance_scale"] == scale


def test_lcm_says_that_it_takes_the_scale_as_an_input():
    from tiny_families import latent_consistency

    trace = sdx.run(latent_consistency(), PROMPT, num_inference_steps=2, record=FEW)
    with pytest.raises(sdx.TraceError, match="takes the guidance scale as an input"):
        sdx.guidance_steps(trace)


def test_self_attention_guidance_says_what_its_halves_do_not_hold():
    trace = sdx.run(tiny_kinds.self_attention_guided(), PROMPT, num_inference_steps=2, record=FEW)
    assert "self-attention guidance" in sdx.guidance_steps(trace).unexplained
