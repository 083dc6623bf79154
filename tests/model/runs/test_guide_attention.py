"""What a guide sees of attention: the run's maps, with the gradient that autograd finds through explicit attention."""

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux, sd3
from torch.nn.functional import interpolate

import sdexplore as sdx

PROMPT = "a cat and a rocket"
EXACT = sdx.Record(dtype="float32", decode=0)
BARE = sdx.Record(cross_attention=False, decode=0)
SMALL = {"num_inference_steps": 2, "height": 64, "width": 64}
TRANSFORMER = {"num_inference_steps": 2, "height": 64, "width": 48, "max_sequence_length": 32}


def euler():
    return stable_diffusion(EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1))


@pytest.fixture(scope="module")
def pipe():
    return euler()


@pytest.mark.parametrize(
    ("make", "call"),
    [(euler, SMALL), (stable_diffusion_xl, SMALL), (sd3, TRANSFORMER), (flux, TRANSFORMER)],
    ids=["sd", "sdxl", "sd3", "flux"],
)
def test_a_guide_sees_the_word_maps_of_the_run(make, call):
    seen = {}

    def look(step):
        seen[step.step] = {
            "rocket": step.attention("rocket"),
            "side": step.attention("a", occurrence=1, layers=4 if call is SMALL else None),
        }

    trace = sdx.run(make(), PROMPT, guide=look, record=EXACT, **call)
    assert seen
    for step, maps in seen.items():
        assert maps["rocket"].requires_grad
        np.testing.assert_allclose(
            maps["rocket"].detach()[0].numpy(), sdx.word_map(trace, "rocket", steps=step), atol=1e-6
        )
        expected = sdx.word_map(trace, "a", steps=step, occurrence=1, layers=4 if call is SMALL else None)
        np.testing.assert_allclose(maps["side"].detach()[0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "call", "change"),
    [
        (euler, SMALL, sdx.Ablate("down_blocks.0.attentions.0")),
        (euler, SMALL, [sdx.Reweight("rocket", 40.0), sdx.Ablate("mid_block.attentions.0", to="mean", steps=1)]),
        (flux, TRANSFORMER, [sdx.Reweight("rocket", 5.0), sdx.Ablate("transformer_blocks.0.attn", heads=1)]),
    ],
    ids=["block", "word", "flux"],
)
def test_a_guide_of_a_changed_run_sees_the_changed_attention_and_is_not_counted(make, call, change):
    seen, pipe = {}, make()
    alone = sdx.run(pipe, PROMPT, change=change, record=BARE, **call)

    def look(step):
        seen[step.step] = step.attention("rocket").detach()[0].numpy()

    trace = sdx.run(pipe, PROMPT, guide=look, change=change, record=EXACT, **call)
    for step, maps in seen.items():
        np.testing.assert_allclose(maps, sdx.word_map(trace, "rocket", steps=step), atol=1e-6)
    plain, first = sdx.run(pipe, PROMPT, record=EXACT, **call), min(seen)
    assert np.abs(seen[first] - sdx.word_map(plain, "rocket", steps=first)).max() > 1e-5
    assert trace.provenance["changed"] == alone.provenance["changed"]


class Kept:
    """Attention written out, which keeps what the picture pays the words, by layer."""

    def __init__(self):
        self.maps = []

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        words = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for x in (attn.to_q(hidden_states), attn.to_k(words), attn.to_v(words))
        )
        probs = torch.softmax(q @ k.mT * attn.scale, dim=-1)
        if encoder_hidden_states is not None:
            side = int(probs.shape[2] ** 0.5)
            self.maps.append(probs.mean(1).unflatten(1, (side, side)))
        return attn.to_out[0]((probs @ v).transpose(1, 2).flatten(2))


def test_the_gradient_is_autograds_through_explicit_attention(pipe):
    seen = []

    def look(step):
        highest = step.attention("rocket").amax(dim=(1, 2))
        (gradient,) = torch.autograd.grad(highest.sum(), step.latents, retain_graph=True)
        seen.append((step.latents.detach().clone(), gradient))

    trace = sdx.run(pipe, PROMPT, guide=look, record=BARE, **SMALL)
    own = dict(pipe.unet.attn_processors)
    try:
        for number, (latents, gradient) in enumerate(seen):
            kept = Kept()
            pipe.unet.set_attn_processor(kept)
            with torch.no_grad():
                embeds, _ = pipe.encode_prompt(PROMPT, "cpu", 1, do_classifier_free_guidance=False)
            x = latents.clone().requires_grad_()
            pipe.unet(x, trace.timesteps[number], embeds)
            (position,) = sdx.tokens(pipe, PROMPT)["tokenizer"].positions("rocket")
            maps = [interpolate(one[None, ..., position], size=(8, 8), mode="bilinear") for one in kept.maps]
            (expected,) = torch.autograd.grad(torch.stack(maps).mean(0).max(), x)
            torch.testing.assert_close(gradient, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-3)
    finally:
        pipe.unet.set_attn_processor(own)


def test_the_denoiser_is_called_once_more_only_where_a_guide_asks(pipe):
    calls = []
    hook = pipe.unet.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append(len(args[0] if args else kwargs["sample"])), with_kwargs=True
    )
    try:
        sdx.run(pipe, PROMPT, guide=lambda _: None, record=BARE, **SMALL)
        assert calls == [2, 2]
        calls.clear()

        def look(step):
            if step.step == 1:
                step.attention("cat")
                step.attention("rocket", layers="up_blocks")

        sdx.run(pipe, PROMPT, guide=look, record=BARE, **SMALL)
        assert calls == [2, 2, 1]  # for the prompt's row alone
    finally:
        hook.remove()


def test_latents_are_moved_towards_a_word_of_each_image(pipe):
    before, after = [], []

    def looking(into):
        def guide(step):
            maps = step.attention("cat")
            assert maps.shape == (2, 8, 8)
            into.append(maps.detach().mean(dim=(1, 2)).numpy())
            return maps.mean(dim=(1, 2)).log()

        return guide

    prompts = ["a cat and a rocket", "a dog and a cat"]
    call = {"record": BARE, "num_inference_steps": 4, "height": 64, "width": 64}
    sdx.run(pipe, prompts, guide=looking(before), guide_scale=0.0, **call)
    moved = sdx.run(pipe, prompts, guide=looking(after), guide_scale=20.0, **call)
    assert (after[-1] > before[-1]).all()
    np.testing.assert_allclose(after[0], before[0], rtol=1e-5)
    assert all(np.isfinite(one.noise_pred).all() for one in moved)


def test_what_cannot_be_asked_is_said_and_the_pipeline_is_as_before(pipe):
    wanted = [one.requires_grad for one in pipe.unet.parameters()]

    def stop(step):
        step.attention("cat")
        raise KeyboardInterrupt

    for guide, error, message in (
        (lambda step: step.attention("dog"), sdx.TokenError, "no word 'dog'"),
        (lambda step: step.attention("cat", layers="up_block"), sdx.RunError, "no layer to words is 'up_block'"),
        (lambda step: step.attention("cat", layers=3), sdx.RunError, "there are sides 4, 8"),
        (lambda step: step.attention("cat", layers=()), sdx.RunError, r"layers=\(\)"),
        (stop, KeyboardInterrupt, ""),
    ):
        with pytest.raises(error, match=message):
            sdx.run(pipe, PROMPT, guide=guide, record=BARE, **SMALL)
        assert [one.requires_grad for one in pipe.unet.parameters()] == wanted
        assert all(one.grad is None for one in pipe.unet.parameters())
        assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.unet.modules())
    plain = sdx.run(pipe, PROMPT, record=BARE, **SMALL)
    asked = sdx.run(pipe, PROMPT, record=BARE, guide=lambda step: (0 * step.attention("cat")).sum(), **SMALL)
    np.testing.assert_array_equal(plain.latents[-1], asked.latents[-1])
