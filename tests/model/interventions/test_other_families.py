"""A family that says nothing of changes: whole modules are changed in it, and what needs more is refused by name."""

import numpy as np
import pytest
from tiny_transformers import flux
from transformer_matrix import TEXT

import sdexplore as sdx

PROMPT, OTHER = "a cat and a rocket", "a big dog"
CALL = {"num_inference_steps": 2, "max_sequence_length": TEXT, "height": 64, "width": 48, "seed": 3}
BLOCK = "transformer_blocks.0"


@pytest.fixture
def pipe():
    return flux()


@pytest.mark.parametrize("change", [sdx.Reweight("cat", 2), sdx.Keep(OTHER), sdx.Ablate(BLOCK, heads=0)], ids=repr)
def test_what_a_layer_attends_with_is_refused_by_name(pipe, change):
    with pytest.raises(sdx.RunError, match=r"transformer_blocks\.0.*whole modules are"):
        sdx.run(pipe, PROMPT, change=change, **CALL)


def test_whole_modules_are_changed(pipe):
    plain, other = (sdx.run(pipe, text, **CALL) for text in (PROMPT, OTHER))
    out = sdx.run(pipe, PROMPT, change=sdx.Ablate(f"{BLOCK}.ff"), **CALL)
    assert np.abs(out.latents[-1] - plain.latents[-1]).max() > 1e-5
    assert out.latents.shape == plain.latents.shape
    patched = sdx.run(pipe, PROMPT, change=sdx.Patch(other, "proj_out"), **CALL)
    np.testing.assert_allclose(patched.noise_pred, other.noise_pred, atol=1e-4)
    assert patched.provenance["changed"][0]["deviation"] < 1e-3
