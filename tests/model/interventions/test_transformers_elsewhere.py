"""Changed transformers in other ways than the usual: unread layers, other kernels, several images, ends of any kind."""

import numpy as np
import pytest
import torch
from diffusers.models.attention_dispatch import attention_backend
from explicit_kernel import predictions
from tiny_transformers import flux, sd3
from transformer_matrix import SIZE, TEXT

import sdexplore as sdx
from sdexplore.changes.several import changes_of

PROMPT, OTHER = "a cat and a rocket", "in space, a big cat"
PLAIN = sdx.Record(decode=0)
CALL = {**SIZE, "num_inference_steps": 2, "max_sequence_length": TEXT, "seed": 3}
CHANGE = [sdx.Reweight("cat", 3.0), sdx.Ablate("transformer_blocks.0", heads=[1])]


def apart(one, other):
    return np.abs(one.latents - other.latents).max()


@pytest.fixture(scope="module")
def pipe():
    return flux()


@pytest.fixture(scope="module")
def changed(pipe):
    return sdx.run(pipe, PROMPT, change=CHANGE, record=PLAIN, **CALL)


@pytest.mark.parametrize(
    "record",
    [
        sdx.Record(cross_attention=False, decode=0),
        sdx.Record(layers="transformer_blocks.1", decode=0),
        sdx.Record(cross_attention="heads", columns="all", self_attention=("",), decode=0),
    ],
    ids=["nothing", "one layer", "everything"],
)
def test_what_is_read_of_it_changes_nothing(pipe, changed, record):
    np.testing.assert_array_equal(sdx.run(pipe, PROMPT, change=CHANGE, record=record, **CALL).latents, changed.latents)


def test_a_kernel_that_is_not_torch_s_and_fused_projections(pipe, changed):
    with attention_backend("flex"):
        flex = sdx.run(pipe, PROMPT, change=CHANGE, record=PLAIN, **CALL)
    assert apart(flex, changed) < 1e-5
    assert flex.provenance["changed"] == changed.provenance["changed"]
    pipe.transformer.fuse_qkv_projections()
    fused = sdx.run(pipe, PROMPT, change=CHANGE, record=PLAIN, **CALL)
    pipe.transformer.unfuse_qkv_projections()
    assert apart(fused, changed) < 1e-5


def test_several_images_a_comparison_and_the_call_of_a_trace(pipe, changed):
    two = sdx.run(pipe, [OTHER, PROMPT], change=CHANGE, record=PLAIN, **{**CALL, "seed": 2})
    assert apart(two[1], changed) < 1e-5  # whose word stands elsewhere
    found = sdx.compare(pipe, PROMPT, over={"change": [None, CHANGE]}, record=PLAIN, **CALL)
    np.testing.assert_array_equal(found.traces[1].latents, changed.latents)
    assert apart(*found.traces) > 1e-3
    assert "attention to “cat” × 3" in sdx.views.comparison(found).alt
    again = sdx.run(
        pipe, PROMPT, change=list(changes_of(changed.call["arguments"]["change"], "run")), record=PLAIN, **CALL
    )
    assert again.fingerprint == changed.fingerprint


def test_blocks_that_a_call_leaves_out_are_not_missed():
    change = sdx.Reweight("cat", 3.0, roles=("cond", "skipped"))
    skip = {"skip_guidance_layers": [1], "skip_layer_guidance_stop": 0.6, "num_inference_steps": 4}
    trace = sdx.run(sd3(), PROMPT, change=change, record=PLAIN, **{**CALL, **skip})
    assert trace.provenance["changed"][0]["applied"] == 4 * 3 + 2 * 2  # of three blocks, two are left, at two steps


def emptied(pipe, module, rows, **call):
    """The transformer's predictions where a hook of the test's own empties a module's output in these rows."""

    def empty(_, __, output):
        several = output if isinstance(output, tuple) else (output,)
        made = tuple(one.index_fill(0, torch.tensor(rows, dtype=torch.long), 0) for one in several)
        return made if isinstance(output, tuple) else made[0]

    hook = pipe.transformer.get_submodule(module).register_forward_hook(empty)
    try:
        with predictions(pipe) as found:
            pipe(PROMPT, generator=torch.Generator().manual_seed(3), output_type="latent", **call)
    finally:
        hook.remove()
    return found


def test_a_whole_module_and_a_whole_layer_give_nothing_in_the_prompt_s_row(pipe):
    call = {name: value for name, value in CALL.items() if name != "seed"}
    joint = sd3()
    for one, module, rows in (
        (pipe, "transformer_blocks.0.ff", [0]),
        (joint, "transformer_blocks.1.ff", [1]),
        (joint, "transformer_blocks.1.attn", [1]),  # words and picture
    ):
        with predictions(one) as found:
            sdx.run(one, PROMPT, change=sdx.Ablate(module), record=PLAIN, **CALL)
        expected = emptied(one, module, rows, **call)
        assert len(found) == len(expected) == 2
        for mine, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)
        assert max(float((a - b).abs().max()) for a, b in zip(found, emptied(one, module, [], **call), strict=True)) > (
            1e-4
        )


def test_the_last_layer_from_another_trace_gives_that_trace_s_prediction(pipe):
    other = sdx.run(pipe, OTHER, record=PLAIN, **CALL)
    patched = sdx.run(pipe, PROMPT, change=sdx.Patch(other, "proj_out"), record=PLAIN, **CALL)
    np.testing.assert_allclose(patched.noise_pred, other.noise_pred, rtol=0, atol=1e-6)
    assert patched.provenance["changed"][0]["deviation"] < 1e-5
    assert patched.provenance["changed"][0]["applied"] == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_a_run_leaves_nothing_behind(pipe, changed, error, monkeypatch):
    def broken(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(pipe.transformer.transformer_blocks[1].attn.to_out[0], "forward", broken)
        with pytest.raises(error):
            sdx.run(pipe, PROMPT, change=CHANGE, **CALL)
    with pytest.raises(sdx.Stopped):
        sdx.run(pipe, PROMPT, change=CHANGE, on_step=lambda progress: progress.stop(), **CALL)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.transformer.modules())
    assert not torch.overrides._get_current_function_mode_stack()
    assert sdx.run(pipe, PROMPT, change=CHANGE, record=PLAIN, **CALL).fingerprint == changed.fingerprint
