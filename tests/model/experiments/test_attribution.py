"""What each word has to do with a region, compared with torch's autograd and explicit attention by hand."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from more_transformers import hunyuandit, zimage
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux, sd3
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.trace.collections import Traces

PROMPT = "a cat and a dog"
POSITIONS = {"a": (1, 4), "cat": (2,), "and": (3,), "dog": (5,)}
BOX = (0, 0, 32, 32)  # of 96 × 64 pixels: the first 4 × 4 of 8 × 12 latents
INSIDE = (slice(None), slice(0, 4), slice(0, 4))
STEPS, STEP, GUIDANCE = 4, 2, 5.0


def euler():
    return stable_diffusion(EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1))


@pytest.fixture(scope="module")
def pipe():
    return euler()


@pytest.fixture(scope="module")
def trace(pipe):
    return sdx.run(pipe, PROMPT, num_inference_steps=STEPS, height=64, width=96, guidance_scale=GUIDANCE)


def encoded(pipe, text):
    with torch.no_grad():
        return pipe.encode_prompt(text, "cpu", 1, do_classifier_free_guidance=False)[0]


def sample_of(trace, step):
    """Euler's sample, scaled as its own scale_model_input does."""
    return torch.from_numpy(trace.latents[step].copy())[None] / float(np.hypot(1, trace.sigmas[step]))


def sizes(gradient, embeds):
    """‖g ⊙ e‖ over the columns of each word, and over all others."""
    each = (gradient * embeds)[0].double().square().sum(-1)
    rest = [i for i in range(len(each)) if not any(i in one for one in POSITIONS.values())]
    return [float(each[list(one)].sum().sqrt()) for one in (*POSITIONS.values(), rest)]


class Explicit:
    """Attention written out, in which some columns are read by nobody; in the place of diffusers' processor."""

    def __init__(self, columns=()):
        self.columns = columns

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        words = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for x in (attn.to_q(hidden_states), attn.to_k(words), attn.to_v(words))
        )
        probs = torch.softmax(q @ k.mT * attn.scale, dim=-1)
        if encoder_hidden_states is not None:
            probs[..., list(self.columns)] = 0
        return attn.to_out[0]((probs @ v).transpose(1, 2).flatten(2))


def test_the_gradient_is_autograds_through_the_unet(pipe, trace):
    found = sdx.attribution(pipe, trace, region=BOX)
    leaf = encoded(pipe, PROMPT).clone().requires_grad_()
    x, t = sample_of(trace, STEP), trace.timesteps[STEP]
    change = pipe.unet(x, t, leaf).sample[0] - pipe.unet(x, t, encoded(pipe, "")).sample[0]
    (gradient,) = torch.autograd.grad(change[INSIDE].square().sum(), leaf)
    expected = sizes(gradient, leaf.detach())
    assert (found.step, found.method, found.words) == (STEP, "gradient", tuple(POSITIONS))
    np.testing.assert_allclose([*found.scores, found.others], expected, rtol=2e-3)
    assert found.deviation < 1e-5
    assert found.area == pytest.approx(1 / 6)


def test_the_gradient_through_the_last_calls_is_autograds_through_guidance_and_sampler():
    pipe = euler()
    with torch.no_grad():  # words that matter, and whose effect depends on the latents
        for name, weight in pipe.unet.named_parameters():
            weight.mul_(30 if "attn2.to_out" in name or "attn2.to_q" in name else 1)
    trace = sdx.run(pipe, PROMPT, num_inference_steps=STEPS, height=64, width=96, guidance_scale=GUIDANCE)
    found = sdx.attribution(pipe, trace, region=BOX, step=3, last=3)
    leaf, uncond = encoded(pipe, PROMPT).clone().requires_grad_(), encoded(pipe, "")
    scheduler = copy.deepcopy(pipe.scheduler)
    scheduler.set_timesteps(STEPS)
    x = torch.from_numpy(trace.latents[1].copy())[None]
    for t in scheduler.timesteps[1:3]:
        scaled = scheduler.scale_model_input(x, t)
        u, c = pipe.unet(torch.cat([scaled, scaled]), t, torch.cat([uncond, leaf])).sample.chunk(2)
        x = scheduler.step(u + GUIDANCE * (c - u), t, x).prev_sample
    t = scheduler.timesteps[3]
    scaled = scheduler.scale_model_input(x, t)
    change = pipe.unet(scaled, t, leaf).sample[0] - pipe.unet(scaled, t, uncond).sample[0]
    (gradient,) = torch.autograd.grad(change[INSIDE].square().sum(), leaf)
    np.testing.assert_allclose([*found.scores, found.others], sizes(gradient, leaf.detach()), rtol=5e-3)
    one = sdx.attribution(pipe, trace, region=BOX, step=3)
    assert not np.allclose(one.scores, found.scores, rtol=0.03)  # what the word did to the latents counts too


def test_a_sampler_with_a_memory_and_noise_of_its_own_comes_to_the_trace_s_latents():
    solver = DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++", steps_offset=1)
    pipe = stable_diffusion(solver)
    trace = sdx.run(pipe, PROMPT, seed=4, num_inference_steps=4, height=64, width=64)
    found = sdx.attribution(pipe, trace, ["cat"], step=3, last=2)
    assert found.scores[0] > 0
    assert pipe.scheduler is solver


def test_a_knock_out_is_explicit_attention_that_does_not_read_the_word(pipe, trace):
    found = sdx.attribution(pipe, trace, region=BOX, method="knock-out")
    own = dict(pipe.unet.attn_processors)
    x, t, embeds = sample_of(trace, STEP), trace.timesteps[STEP], encoded(pipe, PROMPT)

    def predicted(columns):
        pipe.unet.set_attn_processor(Explicit(columns))
        with torch.no_grad():
            return pipe.unet(x, t, embeds).sample[0].double()

    try:
        full = predicted(())
        rest = tuple(i for i in range(embeds.shape[1]) if not any(i in one for one in POSITIONS.values()))
        expected = [
            float((full - predicted(one))[INSIDE].square().mean().sqrt()) for one in (*POSITIONS.values(), rest)
        ]
    finally:
        pipe.unet.set_attn_processor(own)
    np.testing.assert_allclose([*found.scores, found.others], expected, rtol=2e-3)


def test_the_two_that_stood_before_are_what_they_were(pipe, trace):
    words, step = ["dog", "cat"], 1
    left_out = sdx.occlusion(pipe, trace, words, steps=step)
    found = sdx.attribution(pipe, trace, words, region=BOX, step=step, method="occlusion")
    inside = np.sqrt(np.square(left_out.changes[:, 0, :4, :4].astype(float)).mean(axis=(1, 2)))
    np.testing.assert_allclose(found.scores, inside, rtol=1e-5)
    assert np.isnan(found.others)
    looked = sdx.region_words(trace, BOX, words, steps=step)
    paid = sdx.attribution(pipe, trace, words, region=BOX, step=step, method="attention")
    np.testing.assert_allclose(
        paid.scores, [dict(zip(looked.words, looked.inside, strict=True))[word] for word in words], rtol=1e-4
    )
    assert paid.others == pytest.approx(1 - paid.scores.sum(), abs=1e-4)


def test_a_mask_is_the_box_that_it_shows_and_positions_are_the_words_that_stand_there(pipe, trace):
    mask = np.zeros((64, 96), bool)
    mask[:32, :32] = True
    by_box, by_mask = (sdx.attribution(pipe, trace, ["cat"], region=region) for region in (BOX, mask))
    np.testing.assert_allclose(by_box.scores, by_mask.scores, rtol=1e-5)
    by_place = sdx.attribution(pipe, trace, [2, (1, 4)], region=BOX)
    whole = sdx.attribution(pipe, trace, ["cat", "a"], region=BOX)
    np.testing.assert_allclose(by_place.scores, whole.scores, rtol=1e-4)
    np.testing.assert_allclose(whole.shares.sum(), 1, rtol=1e-5)
    assert whole.words[whole.ranking[0]] in repr(whole).splitlines()[3]
    assert whole.definition in repr(whole)


def test_other_families_are_asked_by_their_own_call():
    pipe = stable_diffusion_xl()
    trace = sdx.run(pipe, PROMPT, num_inference_steps=2, height=64, width=64)
    methods = [sdx.attribution(pipe, trace, ["cat", "dog"], method=one, step=1) for one in ("gradient", "knock-out")]
    for one in (*methods, sdx.attribution(pipe, trace, ["cat", "dog"], step=1, last=2)):
        assert (one.scores > 0).all()
        assert one.deviation < 1e-5


def test_a_transformer_has_gradients_and_a_knock_out_is_the_run_that_reads_nothing_of_the_word():
    pipe = sd3()
    call = {"height": 64, "width": 48, "num_inference_steps": 2, "max_sequence_length": 32}
    trace = sdx.run(pipe, PROMPT, **call)
    found = sdx.attribution(pipe, trace, ["cat"], step=1, max_sequence_length=32)
    with torch.no_grad():
        (embeds, _, pooled, _), (empty, _, without, _) = (
            pipe.encode_prompt(text, None, None, do_classifier_free_guidance=False, max_sequence_length=32)
            for text in (PROMPT, "")
        )
    leaf, t = embeds.clone().requires_grad_(), torch.tensor([trace.timesteps[1]], dtype=torch.float32)
    x = torch.from_numpy(trace.latents[1].copy())[None]
    change = pipe.transformer(x, leaf, pooled, t).sample - pipe.transformer(x, empty, without, t).sample
    (gradient,) = torch.autograd.grad(change.square().sum(), leaf)
    columns = sdx.tokens(pipe, PROMPT)
    places = [*columns["tokenizer"].positions("cat"), *(77 + p for p in columns["tokenizer_3"].positions("cat"))]
    expected = float((gradient * leaf.detach())[0, places].double().norm())
    assert found.scores[0] == pytest.approx(expected, rel=2e-3)
    found = sdx.attribution(pipe, trace, ["cat"], step=1, method="knock-out", max_sequence_length=32)
    gone = sdx.run(pipe, PROMPT, change=sdx.Reweight("cat", 0, steps=1), **call)
    away = gone.noise_preds["cond"][1].astype(float) - trace.noise_preds["cond"][1]
    assert found.scores[0] == pytest.approx(np.sqrt(np.square(away).mean()), rel=1e-3)


def test_the_last_calls_of_a_pipeline_that_calls_once_for_each_half_of_guidance():
    pipe, calls = flux(), []
    call = {"height": 64, "width": 48, "num_inference_steps": 2, "max_sequence_length": 32}
    halves = {"negative_prompt": "a dog", "true_cfg_scale": 4.0}
    trace = sdx.run(pipe, PROMPT, seed=7, **halves, **call)
    found = sdx.attribution(pipe, trace, ["cat"], step=1, last=2)
    hook = pipe.transformer.register_forward_pre_hook(lambda _, __, given: calls.append(given), with_kwargs=True)
    for given in ({"prompt": PROMPT, **halves}, {"prompt": ""}):
        pipe(generator=torch.Generator().manual_seed(7), output_type="latent", **given, **call)
    hook.remove()
    first, other, second, _, _, empty = ({**one, "return_dict": True} for one in calls)
    leaf = first["encoder_hidden_states"].clone().requires_grad_()
    prompted, negative = (pipe.transformer(**one).sample for one in ({**first, "encoder_hidden_states": leaf}, other))
    times = [float(one["timestep"][0]) for one in (first, second)]
    x = first["hidden_states"] + (times[1] - times[0]) * (negative + 4.0 * (prompted - negative))
    torch.testing.assert_close(x.detach(), second["hidden_states"], rtol=1e-4, atol=1e-5)
    given = {"hidden_states": x}
    change = (
        pipe.transformer(**{**second, **given, "encoder_hidden_states": leaf}).sample
        - pipe.transformer(**{**empty, **given}).sample
    )
    (gradient,) = torch.autograd.grad(change.square().sum(), leaf)
    places = list(sdx.tokens(pipe, PROMPT)["tokenizer_2"].positions("cat"))
    assert found.scores[0] == pytest.approx(float((gradient * leaf.detach())[0, places].double().norm()), rel=5e-3)


def test_words_in_several_tensors_have_no_one_gradient():
    pipe = hunyuandit()
    size = {"height": 64, "width": 48, "num_inference_steps": 1, "use_resolution_binning": False}
    trace = sdx.run(pipe, PROMPT, **size)
    with pytest.raises(sdx.RunError, match=r"given its words as several tensors.*'knock-out'"):
        sdx.attribution(pipe, trace, ["cat"], step=0)


def test_a_denoiser_whose_rows_cannot_be_told_apart_is_refused_by_name():
    pipe = zimage()
    trace = sdx.run(pipe, PROMPT, num_inference_steps=2, height=64, width=48, guidance_scale=0.0)
    with pytest.raises(sdx.RunError, match="ZImagePipeline calls its Z-Image transformer 1 times with 2 rows"):
        sdx.attribution(pipe, trace, ["cat"], step=1)


def test_afterwards_the_pipeline_is_as_before_whatever_ends_it(pipe, trace):
    modules = list(pipe.unet.modules())
    pipe.unet.conv_in.weight.requires_grad = False  # somebody's own choice
    wanted = [one.requires_grad for one in pipe.unet.parameters()]
    calls = []

    def stop(*_):
        calls.append(1)
        if len(calls) == stop.at:
            raise KeyboardInterrupt

    hook = pipe.unet.conv_out.register_forward_hook(stop)
    try:
        for method, last, at in (("gradient", 1, 3), ("gradient", 2, 6), ("knock-out", 1, 2), ("gradient", 1, 99)):
            calls.clear()
            stop.at = at
            try:
                sdx.attribution(pipe, trace, ["cat"], method=method, last=last)
            except KeyboardInterrupt:
                assert at < 99
            else:
                assert at == 99
            assert [one.requires_grad for one in pipe.unet.parameters()] == wanted
            assert all(one.grad is None for one in pipe.unet.parameters())
            assert sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in modules) == 1  # the test's own
            assert "forward" not in vars(pipe.unet)
            assert "step" not in vars(pipe.scheduler)
            assert torch.is_grad_enabled()
    finally:
        hook.remove()
        pipe.unet.conv_in.weight.requires_grad = True


def test_what_is_wrong_is_said_before_anything_is_computed(pipe, trace):
    called, asked = [], unchecked("model.experiments.attribution").attribution
    hook = pipe.unet.register_forward_pre_hook(lambda *_: called.append(1))
    wrong = [
        ({"method": "gradients"}, sdx.RunError, "did you mean 'gradient'"),
        ({"last": 0}, sdx.RunError, r"last=0\): .*from 1"),
        ({"last": 2, "method": "attention"}, sdx.RunError, "only a gradient goes through several calls"),
        ({"last": 4, "step": 2}, sdx.RunError, "up to step 2 the run has 3 calls"),
        ({"words": ["bird"]}, sdx.TokenError, "no word 'bird'"),
        ({"region": (0, 0, 0, 0)}, sdx.TraceError, "inside a picture"),
        ({"step": 9}, sdx.TraceError, "there is no step 9"),
        ({"words": [2], "method": "occlusion"}, sdx.RunError, "name words, no positions"),
        ({"method": None}, sdx.RunError, r"method=None\): there is 'gradient'"),
        ({"region": np.zeros((64, 96), bool)}, sdx.TraceError, "attribution: this region is empty"),
        ({"method": "attention", "foo": 1}, sdx.RunError, "takes no 'foo'"),
    ]
    try:
        for arguments, error, message in wrong:
            with pytest.raises(error, match=message):
                asked(pipe, trace, **arguments)
        two = Traces([trace, trace])
        with pytest.raises(sdx.TraceError, match=r"attribution: these are 2 traces; take one"):
            asked(pipe, two)
        with pytest.raises(sdx.TraceError, match=r"attribution\(trace=None\)"):
            asked(pipe, None)
        several = dataclasses.replace(trace, call={**trace.call, "prompt": [PROMPT, "a dog"]})
        with pytest.raises(sdx.RunError, match=r"last=…\): the run made several images"):
            sdx.attribution(pipe, several, last=2)
        with torch.inference_mode(), pytest.raises(sdx.RunError, match="inference_mode"):
            asked(pipe, trace)
        assert not called
    finally:
        hook.remove()


def test_runs_that_cannot_be_asked_again_are_refused_by_name(pipe, trace):
    few = {"num_inference_steps": 2, "record": sdx.Record(decode=0)}
    changed = sdx.run(pipe, PROMPT, change=sdx.Reweight("cat", 2.0), **few)
    with pytest.raises(sdx.RunError, match="attribution: the run was changed"):
        sdx.attribution(pipe, changed)
    guided = sdx.run(pipe, PROMPT, guide=lambda _: None, **few)
    assert sdx.attribution(pipe, guided, ["cat"]).deviation < 1e-5
    with pytest.raises(sdx.RunError, match="the run was guided"):
        sdx.attribution(pipe, guided, ["cat"], last=2)
    other = stable_diffusion()
    with torch.no_grad():
        other.unet.conv_out.weight.mul_(1.5)
    with pytest.raises(sdx.RunError, match="attribution: at step 2 this pipeline does not predict what the trace"):
        sdx.attribution(other, trace, ["cat"])


def test_the_scheduler_keeps_nothing_of_the_run_that_is_differentiated():
    """PNDM holds the last predictions: with their gradients, all that the run computed would stay in memory."""
    pipe = stable_diffusion()
    trace = sdx.run(pipe, PROMPT, num_inference_steps=STEPS, height=64, width=64)
    scheduler, before = pipe.scheduler, copy.deepcopy(pipe.scheduler.ets)
    sdx.attribution(pipe, trace, ["cat"], step=STEP, last=2)
    assert pipe.scheduler is scheduler
    assert len(scheduler.ets) == len(before) > 0
    assert all(torch.equal(one, other) for one, other in zip(scheduler.ets, before, strict=True))
