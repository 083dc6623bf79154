"""Runs of joint attention in other ways than the usual: columns, skipped layers, other kernels, stops, compiled."""

import copy
import threading

import numpy as np
import pytest
import torch
from kernel_witness import witnessing
from tiny_transformers import flux, sd3
from torch.nn import functional
from transformer_matrix import GRID, PROMPT, SIZE, STEPS, SUBJECTS, TEXT

import sdexplore as sdx
from sdexplore.model.capture import probabilities

CALL = {**SIZE, "num_inference_steps": STEPS, "max_sequence_length": TEXT}


def nothing_is_left(pipe):
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.transformer.modules())
    assert not torch.overrides._get_current_function_mode_stack()


def maps(trace, role="cond"):
    return {name: layer.probs for name, layer in trace.cross_attention[role].items()}


@pytest.mark.parametrize("name", ["sd3", "flux"])
@pytest.mark.parametrize("columns", ["prompt", "all"])
def test_the_mean_over_heads_and_every_column(name, columns, monkeypatch):
    subject = SUBJECTS[name]
    pipe = subject.make()
    record = sdx.Record(dtype="float32", columns=columns, decode=0)
    with witnessing(pipe, monkeypatch) as witness:
        trace = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    row = -1  # the prompt's is the last of the batch
    for layer, found in trace.cross_attention["cond"].items():
        kept = [position for (position,) in found.columns[:-1]]
        assert (kept == list(range(subject.words.stop - subject.words.start))) is (columns == "all")
        for made, call in zip(found.probs, witness.calls, strict=True):
            own = call[layer].naive()[row, :, subject.picture, subject.words].mean(0)[..., kept]
            own = torch.cat([own, 1 - own.sum(-1, keepdim=True)], -1).unflatten(0, GRID)
            assert np.abs(made[0] - own.numpy()).max() < 1e-6
    mass = sdx.attention_mass(trace)
    assert mass.kinds == (*["start"] * (name == "sd3"), "words", "end", *["padding"] * (columns == "all"), "rest")
    rests = [found.probs[..., -1].mean() for found in trace.cross_attention["cond"].values()]
    assert mass.mean["rest"] == pytest.approx(np.mean(rests), abs=1e-5)


def test_prompt_columns_are_the_tokens_of_each_tokenizer_and_the_rest():
    trace = sdx.run(sd3(), PROMPT, record=sdx.Record(decode=0), **CALL)
    (found, *_) = trace.cross_attention["cond"].values()
    ends = {name: trace.tokens["cond"][name].first_end for name in trace.tokens["cond"]}
    clip, t5 = range(ends["tokenizer"] + 1), range(77, 77 + ends["tokenizer_3"] + 1)
    assert found.columns == (*((key,) for key in (*clip, *t5)), ())


def test_skip_layer_guidance_is_a_role_and_its_layers_are_said_to_be_absent():
    pipe = sd3()
    call = {**CALL, "num_inference_steps": 4, "skip_guidance_layers": [1], "skip_layer_guidance_stop": 0.6}
    untraced = pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **call).images[0]
    trace = sdx.run(pipe, PROMPT, seed=5, record=sdx.Record(roles=("cond", "skipped"), decode=0), **call)
    assert np.array_equal(trace.image, (untraced * 255).round().astype(np.uint8))
    assert trace.provenance["used"]["skipped"] == {"skipped": ["transformer_blocks.1.attn"]}
    assert set(trace.cross_attention["cond"]) - set(trace.cross_attention["skipped"]) == {"transformer_blocks.1.attn"}
    steps = trace.cross_attention["skipped"]["transformer_blocks.0.attn"].steps
    assert steps == (1, 2)
    assert [step for step in range(4) if np.isfinite(trace.noise_preds["skipped"][step]).all()] == [1, 2]
    told = sdx.guidance_steps(trace)
    assert told.residual.max() == 0
    assert list(told.skip_layer_scale > 0) == [False, True, True, False]
    assert "ε_l" in told.formula


def test_a_silent_layer_is_an_error_by_name_and_nothing_stays():
    pipe = flux()
    pipe.transformer.transformer_blocks[1].attn.processor = lambda _, picture, words, *__, **___: (picture, words)
    with pytest.raises(sdx.RunError, match=r"transformer_blocks\.1\.attn.*scaled_dot_product_attention"):
        sdx.run(pipe, PROMPT, **CALL)
    nothing_is_left(pipe)


def test_a_stopped_run_leaves_nothing_behind():
    pipe = flux()
    with pytest.raises(sdx.Stopped) as stopped:
        sdx.run(pipe, PROMPT, **CALL, on_step=lambda progress: progress.stop())
    assert stopped.value.trace.latents.shape == (2, 4, 8, 6)
    nothing_is_left(pipe)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_a_run_inside_a_layer_leaves_nothing_behind(error, monkeypatch):
    pipe = sd3()
    before = sdx.run(pipe, PROMPT, seed=5, record=sdx.Record(decode=0), **CALL)

    def broken(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(pipe.transformer.transformer_blocks[1].attn.to_out[0], "forward", broken)
        with pytest.raises(error):
            sdx.run(pipe, PROMPT, **CALL)
    nothing_is_left(pipe)
    after = sdx.run(pipe, PROMPT, seed=5, record=sdx.Record(decode=0), **CALL)
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize("backend", ["_native_math", "flex"])
def test_another_kernel_gives_the_same_maps_and_the_trace_says_how_they_were_made(backend):
    pipe = flux()
    record = sdx.Record(dtype="float32", decode=0)
    native = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    assert native.provenance["used"]["normaliser"] == "kernel"
    from diffusers.models import attention_dispatch

    with attention_dispatch.attention_backend(backend):
        untraced = pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **CALL).images[0]
        other = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    assert np.array_equal(other.image, (untraced * 255).round().astype(np.uint8))
    assert other.provenance["used"]["normaliser"] == "softmax"
    for layer, probs in maps(other).items():
        assert np.abs(probs - maps(native)[layer]).max() < 1e-5
    nothing_is_left(pipe)


def test_two_pipelines_in_two_threads_are_told_apart():
    pipes, alone, together = [flux(), sd3()], {}, {}
    for name in ("tokenizer", "tokenizer_3"):  # tokenizers are no threads' friends; these tests' pipelines share them
        setattr(pipes[1], name, copy.deepcopy(getattr(pipes[1], name)))
    record = sdx.Record(dtype="float32", decode=0)
    for number, pipe in enumerate(pipes):
        alone[number] = maps(sdx.run(pipe, PROMPT, record=record, **CALL))

    def traced(number):
        together[number] = maps(sdx.run(pipes[number], PROMPT, record=record, **CALL))

    threads = [threading.Thread(target=traced, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, layers in alone.items():
        assert layers.keys() == together[number].keys()
        assert all(np.array_equal(probs, together[number][layer]) for layer, probs in layers.items())


def test_a_softmax_is_never_there_as_a_whole(monkeypatch):
    """With room for a few queries' scores alone, the maps are the same; no larger scores were ever asked for."""
    pipe, record = flux(), sdx.Record(dtype="float32", decode=0, self_attention=(GRID,))
    with_kernel = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    monkeypatch.setattr(probabilities, "SCORES", 4 * 2 * 44 * 5)  # bytes, heads, keys: five queries
    sizes = []
    softmax = torch.softmax
    monkeypatch.setattr(torch, "softmax", lambda scores, **how: sizes.append(scores.shape) or softmax(scores, **how))
    from diffusers.models import attention_dispatch

    with attention_dispatch.attention_backend("_native_math"):
        pieces = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    mine = [shape for shape in sizes if shape[-1] == 44 and shape[-2] <= 5]
    assert len(mine) == 2 * 4 * STEPS * 3  # words and picture, four layers, twelve queries in threes of five
    for layer, probs in maps(pieces).items():
        assert np.abs(probs - maps(with_kernel)[layer]).max() < 1e-5
    for layer, one in pieces.self_attention["cond"].items():
        assert np.abs(one.probs - with_kernel.self_attention["cond"][layer].probs).max() < 1e-5


def test_a_compiled_run_gives_the_same(capsys):
    pipe, record = flux(), sdx.Record(decode=0, self_attention=(GRID,))
    eager = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    sdx.compile_denoiser(pipe, "graph")
    graph = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    sdx.compile_denoiser(pipe, None)
    assert "with the maps of 4 layers" in capsys.readouterr().out
    assert graph.provenance["compiled"] == {"graph": ""}
    assert graph.arrays().keys() == eager.arrays().keys()
    for layer, probs in maps(eager).items():
        assert np.allclose(maps(graph)[layer], probs, atol=1e-3)
    for layer, one in eager.self_attention["cond"].items():
        assert np.allclose(graph.self_attention["cond"][layer].probs, one.probs, atol=1e-3)


@pytest.mark.parametrize("given", ["plain", "scale", "bool mask", "half", "narrow"])
def test_the_kernel_that_hands_out_its_normaliser_returns_the_same_bits(given):
    """Whatever torch is given: what it returns is the function's, and exp(scores − normaliser) is its softmax."""
    from sdexplore.model.families.ways_in import listen_to_kernel

    class Layer(torch.nn.Module):
        def forward(self, *args, **kwargs):
            return functional.scaled_dot_product_attention(*args, **kwargs)

    torch.manual_seed(0)
    width = 8 if given == "narrow" else 32
    query, key, value = (torch.randn(2, 4, 70, width) for _ in range(3))
    more = {}
    if given == "half":
        query, key, value = (x.to(torch.bfloat16) for x in (query, key, value))
    if given == "scale":
        more["scale"] = 0.3
    if given == "bool mask":
        more["attn_mask"] = torch.rand(2, 1, 70, 70) > 0.4
        more["attn_mask"][0, 0, 3] = False
    layer, heard = Layer(), []
    expected = layer(query, key, value, **more)
    hooks = listen_to_kernel(layer, heard.append)
    made = layer(query, key, value, **more)
    for hook in hooks:
        hook.remove()
    assert torch.equal(made, expected)
    (attended,) = heard
    assert attended.normaliser is not None
    assert attended.normaliser.shape == (2, 4, 70)


def test_flux_says_that_guidance_is_an_input_of_the_model():
    pipe = flux()
    own = {name: value for name, value in pipe.transformer.config.items() if not name.startswith("_")}
    pipe.transformer = type(pipe.transformer).from_config(own | {"guidance_embeds": True})
    trace = sdx.run(pipe, PROMPT, guidance_scale=3.5, record=sdx.Record(cross_attention=False, decode=0), **CALL)
    with pytest.raises(sdx.TraceError, match=r"guidance scale as an input \(FLUX's `guidance`"):
        sdx.guidance_steps(trace)


@pytest.mark.parametrize("name", ["auraflow", "sd3"])
def test_a_scale_that_a_callback_changes_is_recorded_where_the_pipeline_heeds_it(name):
    pipe = SUBJECTS[name].make()

    def changed(pipe, _, __, values):
        pipe._guidance_scale = 2.0
        return values

    call = {**CALL, "guidance_scale": 4.0, "output_type": "latent", "callback_on_step_end": changed}
    told = sdx.guidance_steps(sdx.run(pipe, PROMPT, seed=5, record=sdx.Record(cross_attention=False), **call))
    assert list(told.guidance_scale) == ([4.0] + [2.0] * (STEPS - 1) if name == "sd3" else [4.0] * STEPS)
    assert told.residual.max() == 0


@pytest.mark.parametrize("name", sorted(SUBJECTS.keys() - {"sd3"}))
def test_prompts_that_change_on_the_way_are_refused_by_name_where_a_callback_cannot_change_all_of_them(name):
    pipe = SUBJECTS[name].make()
    with pytest.raises(sdx.RunError, match=rf"prompt_at=…\): {type(pipe).__name__} (lets a callback change|does not)"):
        sdx.run(pipe, PROMPT, prompt_at={1: "a dog"}, **SIZE, num_inference_steps=STEPS)
