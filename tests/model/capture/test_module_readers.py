"""Outputs of modules and their statistics, against hooks by hand in an untraced run of the same call."""

import copy
import warnings

import numpy as np
import pytest
import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.base.errors import RunError, Stopped

PROMPT, CALL = "a cat and a dog", {"num_inference_steps": 3, "height": 64, "width": 96, "output_type": "latent"}
MID, UP, LAYER = "mid_block", "up_blocks.1", "up_blocks.1.attentions.0.transformer_blocks.0.attn2"
SILU = "mid_block.resnets.0.nonlinearity"
ROLES = ("uncond", "cond")  # in the order of the batch
STEPS = (0, 1, 2, 3)  # PNDM makes one more


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def plain(pipe, names=(), **more):
    """Module -> what it returned each time in an untraced run; and the run's latents."""
    seen = {name: [] for name in names}

    def hook_of(name):
        def hook(_, __, output):
            seen[name].append((output[0] if isinstance(output, tuple) else output).clone())

        return hook

    hooks = [pipe.unet.get_submodule(name).register_forward_hook(hook_of(name)) for name in names]
    try:
        latents = pipe(PROMPT, generator=torch.Generator().manual_seed(4), **(CALL | more)).images
    finally:
        for one in hooks:
            one.remove()
    return seen, latents.numpy()


def record(**more):
    return sdx.Record(**({"cross_attention": False, "decode": 0, "dtype": "float32", "roles": ROLES} | more))


@pytest.fixture(scope="module")
def seen(pipe):
    """A run with everything, and what hooks by hand saw."""
    names = (MID, UP, LAYER, "conv_in", f"{SILU}#0")
    trace = sdx.run(pipe, PROMPT, seed=4, record=record(features=names, statistics=True), **CALL)
    return trace, *plain(pipe, [name.removesuffix("#0") for name in names])


def test_features_are_the_modules_outputs_and_the_picture_is_the_same(pipe, seen):
    trace, by_hand, latents = seen
    assert trace.latents[-1].tobytes() == latents[0].tobytes()
    assert set(trace.features) == set(ROLES)
    for number, role in enumerate(ROLES):
        for name in (MID, UP, "conv_in"):
            found = trace.features[role][name]
            assert found.steps == STEPS
            for values, output in zip(found.values, by_hand[name], strict=True):
                assert np.array_equal(values, output[number].numpy()), (role, name)
        tokens = trace.features[role][LAYER]
        y, x = tokens.grid
        assert (y, x) == (8, 12)
        for values, output in zip(tokens.values, by_hand[LAYER], strict=True):
            assert np.array_equal(values, output[number].T.reshape(-1, y, x).numpy())
        first = trace.features[role][SILU].values  # of three times in a call
        assert np.array_equal(first, np.stack([one[number].numpy() for one in by_hand[SILU][::3]]))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.unet.modules())


def test_statistics_are_those_of_numpy_and_modules_stand_in_the_order_in_which_they_end(seen):
    trace, by_hand, _ = seen
    names = list(trace.provenance["modules"])
    assert len(set(names)) == len(names)
    assert [name for name in names if name.startswith(SILU)] == [SILU, f"{SILU}#1", f"{SILU}#2"]
    assert names.index("conv_in") < names.index(f"{MID}.resnets.0.conv1") < names.index(MID) < names.index("conv_out")
    for number, role in enumerate(ROLES):
        values = trace.statistics[role]
        assert values.shape == (len(STEPS), len(names), 5)
        for name in (MID, "conv_in", LAYER):
            for found, output in zip(values[:, names.index(name)], by_hand[name], strict=True):
                numbers = output[number].double().numpy()
                expected = [numbers.mean(), numbers.std(), numbers.min(), numbers.max(), 0]
                np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    assert sdx.activation_statistics(trace).first is None


def test_cost_knows_the_bytes(pipe):
    for more in ({}, {"steps": (0, 2), "roles": ("cond",), "dtype": "float16"}):
        kept = record(features=(MID, LAYER, f"{SILU}#0"), statistics=True, **more)
        trace = sdx.run(pipe, PROMPT, seed=4, record=kept, **CALL)
        told = sdx.cost(pipe, kept, prompt=PROMPT, **CALL).parts
        parts = trace.parts()
        for name in (MID, LAYER, SILU):
            roles = [part.nbytes for key, part in parts.items() if key in {f"features/{r}/{name}" for r in ROLES}]
            assert told[f"features/{name}"] == sum(roles) > 0
        assert told["statistics"] == sum(part.nbytes for key, part in parts.items() if key.startswith("statistics/"))


def test_steps_and_roles_of_the_record_are_those_that_are_read(pipe):
    kept = record(features=(MID,), statistics=True, steps=(0, 2), roles=("cond",))
    trace = sdx.run(pipe, PROMPT, seed=4, record=kept, **CALL)
    assert set(trace.features) == set(trace.statistics) == {"cond"}
    assert trace.features["cond"][MID].steps == (0, 2)
    assert np.isnan(trace.statistics["cond"]).all(axis=(1, 2)).tolist() == [False, True, False, True]
    assert sdx.activation_statistics(trace).step == 2


def test_a_run_to_a_file_and_of_several_images_keeps_the_same(pipe, seen, tmp_path):
    trace = seen[0]
    kept = record(features=(MID, LAYER), statistics=True)
    found = sdx.run(pipe, PROMPT, seed=4, record=kept, to=tmp_path / "a.safetensors", **CALL).verify()
    for role in ROLES:
        for name in (MID, LAYER):
            assert np.array_equal(found.features[role][name].values, trace.features[role][name].values)
        assert np.array_equal(found.statistics[role], trace.statistics[role])
    two = sdx.run(pipe, PROMPT, seed=3, record=kept, num_images_per_prompt=2, **CALL)
    assert np.abs(two[1].features["cond"][MID].values - trace.features["cond"][MID].values).max() < 1e-4
    assert np.abs(two[0].features["cond"][MID].values - trace.features["cond"][MID].values).max() > 1e-2


def test_a_stopped_run_keeps_what_it_read_and_the_pipeline_is_as_before(pipe):
    kept = record(features=(MID,), statistics=True)
    with pytest.raises(Stopped) as stopped:
        sdx.run(pipe, PROMPT, record=kept, on_step=lambda progress: progress.stop(), **CALL)
    assert stopped.value.trace.features["cond"][MID].steps == (0,)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.unet.modules())


def test_what_the_changed_model_gave_is_what_is_kept(pipe):
    kept = record(features=(MID, UP))
    trace = sdx.run(pipe, PROMPT, seed=4, record=kept, change=sdx.Ablate(MID), **CALL)
    assert (trace.features["cond"][MID].values == 0).all()
    assert (trace.features["cond"][UP].values != 0).any()


def test_a_copy_of_the_model_made_during_a_run_is_not_read(pipe):
    copies = []

    def look(_):
        if not copies:
            copies.append(copy.deepcopy(pipe.unet))
            with torch.no_grad():
                copies[0](torch.zeros(2, 4, 8, 8), 1, encoder_hidden_states=torch.zeros(2, 77, 32))

    trace = sdx.run(pipe, PROMPT, seed=4, record=record(features=(MID,), statistics=True), on_step=look, **CALL)
    assert trace.features["cond"][MID].steps == STEPS
    assert trace.features["cond"][MID].grid == (4, 6)


def test_a_compiled_denoiser_runs_without_its_graph_and_says_why():
    pipe = stable_diffusion()
    sdx.compile_denoiser(pipe)
    trace = sdx.run(pipe, PROMPT, seed=4, record=record(features=(MID,)), **CALL)
    assert "Record(features=" in trace.provenance["compiled"]["eager"]
    assert trace.features["cond"][MID].steps == STEPS


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("mid_blok",), "no module 'mid_blok'; did you mean 'mid_block'"),
        (("up_blocks",), "'up_blocks' only holds modules .* as in 'up_blocks.0'"),
        (("mid_block#x",), "which time the module runs in a call, from 0, as in mid_block#1"),
        (("",), "no module ''"),
        (("time_embedding",), "'time_embedding' cannot be laid out as a picture"),
        ((f"{LAYER}.to_k",), "to_k' cannot be laid out"),
        ((SILU,), "nonlinearity#1' cannot be laid out .*nonlinearity#0 is its first time alone"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_runs(pipe, names, why, monkeypatch):
    monkeypatch.setattr(pipe.unet, "forward", None)
    with pytest.raises(RunError, match=why):
        sdx.run(pipe, PROMPT, record=record(features=names), **CALL)


def test_what_does_not_fit_float16_is_left_out_and_the_rest_stays():
    pipe = stable_diffusion()
    with torch.no_grad():
        pipe.unet.conv_in.weight.mul_(1e6)
    with pytest.warns(UserWarning, match=r"features/uncond/conv_in: it reaches beyond 65504.*dtype='float32'"):
        trace = sdx.run(pipe, PROMPT, record=record(features=("conv_in", "conv_norm_out"), dtype="float16"), **CALL)
    assert set(trace.features["cond"]) == {"conv_norm_out"}
    assert set(trace.provenance["missing"]) == {f"features/{role}/conv_in" for role in ROLES}
    whole = sdx.run(pipe, PROMPT, record=record(features=("conv_in",)), **CALL)
    assert np.abs(whole.features["cond"]["conv_in"].values).max() > 65504


def test_the_module_in_which_numbers_cease_to_be_finite_is_named_and_its_time():
    pipe = stable_diffusion()
    values = pipe.unet.get_submodule(f"{LAYER}.to_v").weight
    with torch.no_grad():
        values[3, 5] = torch.nan
    with pytest.warns(UserWarning, match=rf"the first module that is not finite is '{LAYER}.to_v' at step 0"):
        trace = sdx.run(pipe, PROMPT, record=record(statistics=True), **CALL)
    found = sdx.activation_statistics(trace)
    assert (found.first.module, found.first.step) == (f"{LAYER}.to_v", 0)
    own = found.of(f"{LAYER}.to_v")
    assert own["share not finite"] == pytest.approx(1 / values.shape[0])
    assert np.isfinite([own["mean"], own["standard deviation"], own["least"], own["greatest"]]).all()
    assert f"{LAYER}.to_v" in repr(trace)
    assert f"{LAYER}.to_v" in repr(found)
    with pytest.warns(UserWarning, match=r"last latents are NaN or infinite.*Record\(statistics=True\) names"):
        sdx.run(pipe, PROMPT, record=record(), **CALL)


def test_an_overflow_is_not_blamed_on_a_module_that_ran_before():
    pipe = stable_diffusion().to(dtype=torch.bfloat16)
    with torch.no_grad():
        pipe.unet.up_blocks[1].resnets[1].conv1.weight.mul_(torch.finfo(torch.bfloat16).max)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        trace = sdx.run(pipe, PROMPT, record=record(statistics=True), **CALL)
    assert sdx.activation_statistics(trace).first.module == "up_blocks.1.resnets.1.conv1"
