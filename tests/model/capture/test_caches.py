"""Caches of diffusers leave layers out of some calls: what attended is recorded, and what did not is named by step."""

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import (
    FasterCacheConfig,
    FirstBlockCacheConfig,
    MagCacheConfig,
    PyramidAttentionBroadcastConfig,
    TaylorSeerCacheConfig,
    apply_pyramid_attention_broadcast,
)
from kernel_witness import witnessing
from tiny_transformers import flux
from transformer_matrix import PROMPT, SIZE, SUBJECTS, TEXT

import sdexplore as sdx

STEPS = 4
CALL = {**SIZE, "num_inference_steps": STEPS, "max_sequence_length": TEXT}
RECORD = sdx.Record(dtype="float32", columns="all", decode=0)
LAYERS = SUBJECTS["flux"].layers
FIRST = LAYERS[0]
CACHES = {
    "first block": FirstBlockCacheConfig(threshold=10.0),
    "magnitudes": MagCacheConfig(
        threshold=10.0, max_skip_steps=2, retention_ratio=0.25, num_inference_steps=STEPS, mag_ratios=[1.0] * STEPS
    ),
    "broadcast": PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 2000),
        spatial_attention_block_identifiers=("^transformer_blocks",),
        current_timestep_callback=lambda: 500,
    ),
    "Taylor": TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=2, taylor_factors_dtype=torch.float32),
}
# By hand, from each cache's rule: layer -> the steps at which it attends.
EVERY = tuple(range(STEPS))
ATTENDS = {
    "first block": {one: EVERY if one == FIRST else (0,) for one in LAYERS},
    "magnitudes": dict.fromkeys(LAYERS, (0, 3)),
    "broadcast": {one: (0, 2) if one.startswith("transformer_blocks") else EVERY for one in LAYERS},
    "Taylor": dict.fromkeys(LAYERS, (0, 1, 3)),
}


@pytest.mark.parametrize("name", CACHES)
def test_layers_that_a_cache_leaves_out_are_named_by_step_and_the_others_are_exact(name, monkeypatch):
    pipe = flux()
    pipe.transformer.enable_cache(CACHES[name])
    untraced = pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **CALL).images[0]
    told = sdx.doctor(pipe, RECORD)
    assert told.observable
    assert any("reuses results of earlier steps" in one for one in told.warnings)
    with witnessing(pipe, monkeypatch) as witness:
        trace = sdx.run(pipe, PROMPT, seed=5, record=RECORD, **CALL)
    assert np.array_equal(trace.image, (untraced * 255).round().astype(np.uint8))
    steps = {layer: found.steps for layer, found in trace.cross_attention["cond"].items()}
    assert steps == ATTENDS[name]
    assert [{layer for layer, there in steps.items() if step in there} for step in EVERY] == [
        set(call) for call in witness.calls
    ], "what the kernel of the model was given is what was recorded"
    for layer, found in trace.cross_attention["cond"].items():
        for made, step in zip(found.probs, found.steps, strict=True):
            own = witness.calls[step][layer].naive()[0, :, TEXT:, :TEXT].mean(0)
            assert np.abs(made[0, ..., :-1].reshape(own.shape) - own.numpy()).max() < 1e-6
    missing = {layer: sorted(set(EVERY) - set(there)) for layer, there in steps.items() if there != EVERY}
    assert trace.provenance["used"]["reused"] == {"cond": missing}


def test_what_is_drawn_of_such_a_trace_says_that_layers_are_missing(tmp_path):
    pipe = flux()
    pipe.transformer.enable_cache(CACHES["first block"])
    trace = sdx.run(pipe, PROMPT, seed=5, record=RECORD, **CALL)
    assert "3 of them not at every step" in sdx.views.attention(trace, ["cat"]).alt
    assert "not at every step" not in sdx.views.attention(trace, ["cat"], steps=0).alt
    assert np.isfinite(sdx.word_map(trace, "cat", steps=2)).all()
    trace.save(tmp_path / "trace.safetensors")
    again = sdx.Trace.load(tmp_path / "trace.safetensors")
    assert again.provenance["used"]["reused"] == trace.provenance["used"]["reused"]
    assert sdx.page(trace, tmp_path / "page.html").stat().st_size > 0


def test_a_layer_that_falls_silent_for_another_reason_is_an_error_beside_a_cache():
    pipe = flux()
    pipe.transformer.enable_cache(CACHES["first block"])
    pipe.transformer.transformer_blocks[0].attn.processor = lambda _, picture, words, *__, **___: (picture, words)
    with pytest.raises(sdx.RunError, match=r"transformer_blocks\.0\.attn"):
        sdx.run(pipe, PROMPT, **CALL)


def test_a_cache_that_leaves_out_rows_is_refused_by_name_before_the_run(monkeypatch):
    pipe = flux()
    pipe.transformer.enable_cache(FasterCacheConfig(current_timestep_callback=lambda: 500))
    monkeypatch.setattr(type(pipe), "prepare_latents", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.RunError, match=r"faster_cache\w* at .*reuses results of earlier steps.*leave those layers"):
        sdx.run(pipe, PROMPT, **CALL)
    assert not sdx.doctor(pipe).observable


def test_a_unet_under_pyramid_broadcast_is_recorded_too():
    pipe = tiny_pipelines.stable_diffusion()
    config = PyramidAttentionBroadcastConfig(
        cross_attention_block_skip_range=2,
        cross_attention_timestep_skip_range=(-1, 2000),
        cross_attention_block_identifiers=("transformer_blocks",),
        current_timestep_callback=lambda: 500,
    )
    call = {"num_inference_steps": 2, "output_type": "latent"}  # three calls of PNDM
    apply_pyramid_attention_broadcast(pipe.unet, config)
    plain = pipe("a cat", generator=torch.Generator().manual_seed(5), **call).images[0]
    with pytest.raises(sdx.RunError, match=r"pyramid_attention_broadcast gave a result of an earlier run"):
        sdx.run(pipe, "a cat", seed=5, record=sdx.Record(decode=0), **call)
    for module in pipe.unet.modules():  # a UNet's pipeline forgets nothing by itself
        if hasattr(module, "_diffusers_hook"):
            module._diffusers_hook.reset_stateful_hooks(recurse=False)
    trace = sdx.run(pipe, "a cat", seed=5, record=sdx.Record(decode=0), **call)
    assert np.array_equal(trace.latents[-1], plain.numpy())
    layers = trace.cross_attention["cond"]
    missing = trace.provenance["used"]["reused"]["cond"]
    assert missing.keys() == layers.keys()
    steps = range(len(trace.timesteps))
    assert all(sorted((*layers[layer].steps, *absent)) == list(steps) for layer, absent in missing.items())
