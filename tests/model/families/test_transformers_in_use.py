"""Transformers as people have them: with a LoRA, in half precision, with compiled blocks."""

import re

import numpy as np
import pytest
import torch
from kernel_witness import witnessing
from peft import LoraConfig
from transformer_matrix import GRID, PROMPT, SIZE, SUBJECTS, TEXT

import sdexplore as sdx

CALL = {**SIZE, "num_inference_steps": 2, "max_sequence_length": TEXT}
RECORD = sdx.Record(dtype="float32", columns="all", decode=0)


def drawn(pipe):
    image = pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **CALL).images[0]
    return (image * 255).round().astype(np.uint8)


def observed(pipe, subject, monkeypatch, within):
    """The trace; the picture is the pipeline's own, and every layer and call is as its kernel had it."""
    expected = drawn(pipe)
    with witnessing(pipe, monkeypatch) as witness:
        trace = sdx.run(pipe, PROMPT, seed=5, record=RECORD, **CALL)
    assert np.array_equal(trace.image, expected)
    assert np.array_equal(drawn(pipe), expected)
    layers = trace.cross_attention["cond"]
    assert tuple(layers) == subject.layers
    for name, found in layers.items():
        assert found.steps == (0, 1)
        for made, call in zip(found.probs, witness.calls, strict=True):
            own = call[name].naive()[-1, :, subject.picture, subject.words].mean(0).unflatten(0, GRID)
            assert np.abs(made[0, ..., :-1] - own.numpy()).max() < within
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.transformer.modules())
    assert not torch.overrides._get_current_function_mode_stack()
    return trace


def with_lora(pipe):
    torch.manual_seed(3)
    config = LoraConfig(r=2, target_modules=["to_q", "to_k", "add_k_proj"], init_lora_weights=False)
    pipe.transformer.add_adapter(config, adapter_name="style")


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_a_lora_is_in_the_maps_and_in_provenance(name, monkeypatch):
    subject = SUBJECTS[name]
    pipe = subject.make()
    plain = drawn(pipe)
    with_lora(pipe)
    trace = observed(pipe, subject, monkeypatch, 1e-6)
    assert not np.array_equal(trace.image, plain)
    (adapter,) = trace.provenance["adapters"]
    assert adapter["name"] == "style"
    assert not adapter["in_weights"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_half_precision_keeps_the_picture_and_maps_within_the_kernels_rounding(name, dtype, monkeypatch):
    pipe = SUBJECTS[name].make().to(dtype)
    trace = observed(pipe, SUBJECTS[name], monkeypatch, 1e-4)
    assert trace.provenance["used"]["normaliser"] == "kernel"


def test_compiled_blocks_are_refused_and_the_way_out_that_is_told_works(monkeypatch):
    subject = SUBJECTS["flux"]
    pipe = subject.make()
    pipe.transformer.compile_repeated_blocks(backend="eager")
    with monkeypatch.context() as patch:
        patch.setattr(type(pipe), "prepare_latents", lambda *_, **__: pytest.fail("the pipeline was called"))
        with pytest.raises(sdx.RunError, match=r"compiled by torch\.compile") as caught:
            sdx.run(pipe, PROMPT, **CALL)
    way_out = re.search(r"Undo it: (.*)$", str(caught.value)).group(1)
    exec(way_out, {"pipe": pipe})  # noqa: S102  (what the user is told to type)
    observed(pipe, subject, monkeypatch, 1e-6)
