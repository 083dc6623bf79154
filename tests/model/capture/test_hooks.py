"""Attention of every pipeline that people use: captured exactly, with the image unchanged.

One test runs each pipeline of a matrix once. In that run, an independent witness sees the queries and keys that the
model's own attention operations get; the trace must hold their naive float32 softmax everywhere.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from family_matrix import EVERYTHING, MATRIX, POSITIONS, PROMPT, Family, arguments_of
from tiny_pipelines import stable_diffusion
from witness import Witness, hooks_of, state_of, untraced, witnessing

import sdexplore as sdx


@pytest.mark.parametrize("name", MATRIX)
def test_capture_is_exact_and_the_image_unchanged(name, tmp_path, monkeypatch, record_property):
    family = MATRIX[name]
    pipe = family.make(tmp_path)
    arguments = arguments_of(family, pipe)
    expected = untraced(pipe, family.images, **arguments)
    before = state_of(pipe)
    with witnessing(pipe.unet, monkeypatch) as witness:
        hooked = hooks_of(pipe.unet)
        found = sdx.run(pipe, seed=5, record=EVERYTHING, **arguments)
        assert hooks_of(pipe.unet) == hooked
    assert state_of(pipe) == before
    assert np.array_equal(untraced(pipe, family.images, **arguments), expected)
    traces = list(found) if isinstance(found, sdx.Traces) else [found]
    assert len(traces) == family.images == len(expected)
    error = 0.0
    for image, trace in enumerate(traces):
        assert np.array_equal(trace.image, (expected[image] * 255).round().astype(np.uint8))
        assert len(trace.decoded) == 2
        assert trace.provenance["device"] == "cpu"  # not "meta", where offloaded weights are between calls
        assert_roles(family, trace, witness)
        error = max(error, largest_error(family, pipe.unet, trace, image, witness))
    record_property("largest_error", error)
    assert error < 1e-6
    assert {layer: witness.others[layer] for layer in witness.naive} == {
        layer: witness.calls * family.adapters * layer.endswith("attn2") for layer in witness.naive
    }


def assert_roles(family: Family, trace: sdx.Trace, witness: Witness) -> None:
    """Every denoiser call is a step here, and each role's predictions are there exactly where it was computed."""
    assert trace.num_steps == witness.calls > 1
    assert set(trace.noise_preds) == set(family.roles)
    for role, predictions in trace.noise_preds.items():
        computed = [role in family.roles_of(call) for call in range(witness.calls)]
        assert (~np.isnan(predictions)).all(axis=(1, 2, 3)).tolist() == computed
        assert np.isnan(predictions).all(axis=(1, 2, 3)).tolist() == [not there for there in computed]


def largest_error(family: Family, unet: Any, trace: sdx.Trace, image: int, witness: Witness) -> float:
    """Of all recorded probabilities of one image, against the witness's; everything expected must be there."""
    layers = {name for name, module in unet.named_modules() if isinstance(module, Attention)}
    assert layers == set(witness.naive) == {name.removesuffix(".processor") for name in unet.attn_processors}
    found = {"cross_attention": set(), "self_attention": set()}
    error = 0.0
    for layer, naive in witness.naive.items():
        assert len(naive) == witness.calls
        kind = "cross_attention" if unet.get_submodule(layer).is_cross_attention else "self_attention"
        for role in family.roles:
            # Rows that a layer makes without attention (perturbed ones) are not there to be captured.
            rows = [
                (call, probs[row])
                for call, probs in enumerate(naive)
                if role in family.roles_of(call)
                and (row := family.roles_of(call).index(role) * family.images + image) < len(probs)
            ]
            if not rows:
                assert role == "perturbed"
                assert layer not in getattr(trace, kind).get(role, {})
                continue
            found[kind].add((role, layer))
            attention = getattr(trace, kind)[role][layer]
            assert attention.steps == tuple(call for call, _ in rows)
            probs = torch.stack([probs for _, probs in rows]).unflatten(2, grid(family, unet, layer))
            if kind == "cross_attention":
                cut = family.cut(role, image)
                assert attention.columns == columns(cut)
                apart, padding = probs[..., :cut], probs[..., cut:].sum(-1, keepdim=True)
                probs = torch.cat([apart, padding], -1) if cut < POSITIONS else apart
            assert attention.probs.shape == probs.shape
            error = max(error, float(np.abs(attention.probs - probs.numpy()).max()))
    for kind, expected in found.items():
        assert {(role, layer) for role, by in getattr(trace, kind).items() for layer in by} == expected
    return error


def columns(cut: int) -> tuple[tuple[int, ...], ...]:
    apart = tuple((position,) for position in range(cut))
    return apart if cut == POSITIONS else (*apart, tuple(range(cut, POSITIONS)))


def grid(family: Family, unet: Any, layer: str) -> tuple[int, int]:
    """(y, x) of a layer from its place in the UNet: every level halves, rounding up."""
    deepest = len(unet.config.block_out_channels) - 1
    block, _, rest = layer.partition(".")
    number = 0 if block == "mid_block" else int(rest.split(".")[0])
    level = {"down_blocks": number, "mid_block": deepest, "up_blocks": deepest - number}[block]
    y, x = (side // 8 for side in family.size)
    return -(-y // 2**level), -(-x // 2**level)


def test_rows_of_the_wrong_role_would_be_noticed(monkeypatch, tmp_path):
    """The matrix can fail: with the roles exchanged, the same capture is far from the witness."""
    texts = {"cond": [PROMPT], "uncond": ["the picture of no dog or no tree"]}  # as many words
    family = Family(lambda _: stable_diffusion(), {"negative_prompt": texts["uncond"][0]}, texts=texts)
    pipe = family.make(tmp_path)
    with witnessing(pipe.unet, monkeypatch) as witness:
        trace = sdx.run(pipe, record=EVERYTHING, **arguments_of(family, pipe))
    assert largest_error(family, pipe.unet, trace, 0, witness) < 1e-6
    assert largest_error(replace(family, roles=("cond", "uncond")), pipe.unet, trace, 0, witness) > 1e-3
