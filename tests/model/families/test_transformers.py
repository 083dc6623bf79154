"""Families × properties: the picture is the pipeline's, every layer and call is heard, every number is the kernel's."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kernel_witness import witnessing
from transformer_matrix import GRID, PROMPT, STEPS, SUBJECTS

import sdexplore as sdx
from sdexplore.model.families import family_of
from sdexplore.theory import pred_original_sample

NEAR = 1e-6
RECORD = sdx.Record(dtype="float32", cross_attention="heads", roles=("cond", "uncond"), self_attention=(GRID, (8, 4)))


@pytest.fixture(scope="module", params=SUBJECTS)
def seen(request):
    """One run of each family, its witness, and the same picture before and after."""
    subject = SUBJECTS[request.param]
    pipe = subject.make()
    untraced = subject.drawn(pipe, output_type="np").images[0]
    stepped = []
    with pytest.MonkeyPatch.context() as patch, witnessing(pipe, patch) as witness:
        step = pipe.scheduler.step

        @functools.wraps(step)  # pipelines read its arguments
        def noted(model_output, timestep, sample, **given):
            sigma = float(pipe.scheduler.sigmas[pipe.scheduler.step_index or 0]) if flow(pipe) else 0.0
            result = step(model_output, timestep, sample, **given)
            stepped.append((sample, model_output, result[0], sigma))
            return result

        patch.setattr(pipe.scheduler, "step", noted)
        record = replace(RECORD, word_attention=subject.joint)
        trace = sdx.run(pipe, PROMPT, seed=5, record=record, num_inference_steps=STEPS, **subject.size, **subject.call)
    again = subject.drawn(pipe, output_type="np").images[0]
    assert np.array_equal(untraced, again)
    return SimpleNamespace(subject=subject, pipe=pipe, trace=trace, witness=witness, stepped=stepped, untraced=untraced)


def flow(pipe):
    return "Flow" in type(pipe.scheduler).__name__


def given_to(seen, role, layer):
    """What the layer's kernel was given in each call that has the role, and the role's row in it."""
    calls = seen.subject.calls
    for number, call in enumerate(seen.witness.calls):
        roles = calls[number % len(calls)]
        if role in roles:
            yield call[layer], roles.index(role)


def test_the_picture_is_the_pipelines_and_every_layer_and_call_was_heard(seen):
    subject, trace = seen.subject, seen.trace
    assert np.array_equal(trace.image, (seen.untraced * 255).round().astype(np.uint8))
    assert len(seen.witness.calls) == STEPS * len(subject.calls)
    for role in {role for call in subject.calls for role in call}:
        assert tuple(trace.cross_attention[role]) == subject.layers
        assert all(one.steps == tuple(range(STEPS)) for one in trace.cross_attention[role].values())
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in seen.pipe.transformer.modules())
    assert not torch.overrides._get_current_function_mode_stack()


def test_every_entry_is_the_kernels_own(seen):
    subject, wrong = seen.subject, 0.0
    for role, layers in seen.trace.cross_attention.items():
        for name, found in layers.items():
            apart = [column[0] for column in found.columns if len(column) == 1]
            assert not subject.joint or found.columns[-1] == ()  # the rest is no position of the text
            for made, (given, row) in zip(found.probs, given_to(seen, role, name), strict=True):
                exact, kernels = (
                    probs[row, :, subject.picture, subject.words][..., apart].unflatten(1, subject.grid).numpy()
                    for probs in (given.naive(), given.kernels_own())
                )
                rounding = np.abs(kernels - exact).max()  # the kernel's own, which depends on the processor
                assert np.abs(made[..., : len(apart)] - exact).max() < NEAR + rounding
                assert np.abs(made[..., : len(apart)] - kernels).max() < NEAR + rounding < 5 * NEAR
                rest = 1 - given.naive()[row, :, subject.picture, subject.words][..., apart].sum(-1)
                if len(apart) < len(found.columns):
                    assert np.abs(made[..., -1] - rest.unflatten(1, subject.grid).numpy()).max() < NEAR
                off = given.naive(times=1.01)[row, :, subject.picture, subject.words][..., apart]
                off = off.unflatten(1, subject.grid).numpy()
                wrong = max(wrong, np.abs(made[..., : len(apart)] - off).max())
                assert (given.naive() @ given.value.double() - given.made).abs().max() < 1e-5
    assert wrong > 10 * NEAR  # the comparison sees a scale that is wrong by 1 %


def test_the_picture_attends_to_itself_by_the_same_softmax(seen):
    subject, picture = seen.subject, seen.subject.picture
    for role, layers in seen.trace.self_attention.items():
        assert set(layers) == {*(subject.layers if subject.joint else ()), *subject.alone}
        for name, found in layers.items():
            for made, (given, row) in zip(found.probs, given_to(seen, role, name), strict=True):
                places = slice(None) if name in subject.alone else picture
                own = given.naive()[row, :, places, places].unflatten(1, subject.grid)
                assert np.abs(made - own.numpy()).max() < NEAR


def test_the_words_attend_to_the_picture_by_the_same_softmax(seen):
    subject, trace, wrong = seen.subject, seen.trace, 0.0
    assert set(trace.word_attention) == (set(trace.cross_attention) if subject.joint else set())
    for role, layers in trace.word_attention.items():
        assert set(layers) == set(subject.layers)
        for name, found in layers.items():
            asking = [position for (position,) in found.columns]
            assert found.columns == tuple(one for one in trace.cross_attention[role][name].columns if len(one) == 1)
            for made, (given, row) in zip(found.probs, given_to(seen, role, name), strict=True):
                own, off = (
                    given.naive(times)[row, :, subject.words, subject.picture][:, asking].mT.unflatten(1, subject.grid)
                    for times in (1.0, 1.01)
                )
                assert np.abs(made - own.numpy()).max() < NEAR
                wrong = max(wrong, np.abs(made - off.numpy()).max())
    assert wrong > 10 * NEAR or not subject.joint


def test_each_column_is_the_token_that_was_fed(seen):
    trace, pipe = seen.trace, seen.pipe
    for name, (encoder, first) in seen.subject.encoders.items():
        tokenizer = getattr(pipe, name)
        read = trace.tokens["cond"][name]
        ids = [token.id for token in read.tokens if token.position is not None]
        # Some pipelines drop padding, or the beginning of their template, behind the encoder.
        assert any(set(ids) <= set(fed[0].tolist()) for fed in seen.witness.ids[encoder])
        for word in ("cat", "rocket", "space"):
            there = read.positions(word)
            assert tokenizer.decode([ids[position] for position in there]).strip() == word
            for found in trace.cross_attention["cond"].values():
                assert {(first + position,) for position in there} <= set(found.columns)
                assert (name, first) in found.read_by


def test_a_word_has_the_columns_of_every_tokenizer(seen):
    trace = seen.trace
    found = next(iter(trace.cross_attention["cond"].values()))
    each = {
        name: [first + one for one in trace.tokens["cond"][name].positions("rocket")] for name, first in found.read_by
    }
    columns = [found.columns.index((key,)) for key in sorted({key for keys in each.values() for key in keys})]
    means = [layer.probs[..., columns].sum(-1).mean() for layer in trace.cross_attention["cond"].values()]
    assert sdx.word_map(trace, "rocket").mean() == pytest.approx(np.mean(means), rel=0.05)  # resized between
    for name, keys in each.items():
        alone = sdx.word_map(trace, "rocket", tokenizer=name).mean()
        own = [found.columns.index((key,)) for key in keys]
        means = [layer.probs[..., own].sum(-1).mean() for layer in trace.cross_attention["cond"].values()]
        assert alone == pytest.approx(np.mean(means), rel=0.05)


def test_latents_are_unpacked_and_x0_follows(seen):
    trace, family = seen.trace, family_of(seen.pipe)
    for number, (*given, _, sigma) in enumerate(seen.stepped):
        sample, noise_pred = (family.unpacked(one, seen.subject.latents)[0].numpy() for one in given)
        noise_pred = noise_pred[: len(sample)]  # without a variance behind it
        assert np.array_equal(trace.latents[number], sample)
        assert np.array_equal(trace.noise_pred[number], noise_pred)
        if not flow(seen.pipe):
            continue
        assert trace.sigmas[number] == pytest.approx(sigma / (1 - sigma) if sigma < 1 else np.inf)
        assert np.abs(trace.pred_original_sample[number] - (sample - sigma * noise_pred)).max() < 1e-5
    if not flow(seen.pipe):
        return
    assert np.abs(trace.pred_original_sample[-1] - trace.latents[-1]).max() < 1e-6  # the last step goes to x0
    again = pred_original_sample(
        trace.latents[1], trace.noise_pred[1], trace.sigmas[1], "flow_prediction", "flow matching"
    )
    assert np.allclose(again, trace.pred_original_sample[1], atol=1e-5)


def test_packing_is_undone(seen):
    family, size = family_of(seen.pipe), seen.subject.latents
    latents = torch.randn(2, seen.trace.latents.shape[1], *size)
    assert torch.equal(family.unpacked(family.packed(latents, size), size), latents)


def test_the_guided_prediction_is_made_of_its_halves(seen):
    trace, scale = seen.trace, float(seen.subject.call[seen.subject.scale])
    for step in range(STEPS):
        uncond, cond = (trace.noise_preds[role][step] for role in ("uncond", "cond"))
        assert np.array_equal(seen.subject.guided(uncond, cond, scale), trace.noise_pred[step])
    told = sdx.guidance_steps(trace)
    exact = "norm" not in told.formula  # numpy's norm is rounded otherwise than torch's
    assert told.residual.max() <= (0 if exact else 1e-5)
    assert not told.unexplained
    assert set(told.guidance_scale) == {scale}


def test_what_is_told_before_the_run_is_what_the_run_does(seen):
    subject, pipe, trace = seen.subject, seen.pipe, seen.trace
    told = sdx.doctor(pipe, RECORD)
    assert told.observable
    assert set(told.roles) >= set(trace.noise_preds)
    recorded = {layer.name for layer in told.layers if layer.recorded}
    assert recorded >= {*subject.layers}
    record = replace(RECORD, word_attention=subject.joint)
    cost = sdx.cost(pipe, record, prompt=PROMPT, num_inference_steps=STEPS, **subject.size, **subject.call)
    kinds = ("cross_attention", "self_attention", "word_attention", "noise_preds", "latents")
    for kind in kinds:
        made = sum(array.nbytes for name, array in trace.arrays().items() if name.split("/")[0] == kind)
        assert sum(size for name, size in cost.parts.items() if name.split("/")[0] == kind) == made


def test_a_saved_folder_is_loaded_and_draws_the_same(seen, tmp_path):
    seen.pipe.save_pretrained(tmp_path / "saved")
    pipe = sdx.load(tmp_path / "saved")
    assert type(pipe) is type(seen.pipe)
    again = seen.subject.drawn(pipe, output_type="np").images[0]
    assert np.allclose(again, seen.untraced, atol=1e-5)  # weights that lie elsewhere in memory are summed otherwise
