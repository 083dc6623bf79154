"""attention-map-diffusers' aggregate of each family, written anew here on what the model's own kernel was given."""

import numpy as np
import pytest
import torch
from kernel_witness import witnessing
from transformer_matrix import LENGTH, PROMPT, STEPS, SUBJECTS

import sdexplore as sdx

# Family -> (beginning of the layers that it reads, rows of a step: (call, row)). It takes the second half of a batch.
FORMULA = {
    "sd3": ("transformer_blocks.", [(0, 1)]),
    "flux": ("transformer_blocks.", [(0, 0)]),
    "sana": ("transformer_blocks.", [(0, 1)]),
    "flux2": ("", [(0, 0), (1, 0)]),
    "zimage": ("layers.", [(0, 1)]),
}


@pytest.fixture(scope="module", params=FORMULA)
def seen(request):
    subject = SUBJECTS[request.param]
    pipe = subject.make()
    call = {name: value for name, value in subject.call.items() if request.param != "flux" or name in LENGTH}
    with pytest.MonkeyPatch.context() as patch, witnessing(pipe, patch) as witness:
        record = sdx.Record(dtype="float32", columns="all", roles=("cond", "uncond"), decode=0)
        trace = sdx.run(pipe, PROMPT, seed=5, record=record, num_inference_steps=STEPS, **subject.size, **call)
    return request.param, subject, trace, witness.calls


def by_formula(seen, keys, rows=None):
    """Mean over heads, layers and steps of the rows that it takes for the prompt's; then summed over tokens."""
    name, subject, trace, calls = seen
    begin, own_rows = FORMULA[name]
    each = len(calls) // STEPS
    records = [
        calls[step * each + call][layer].naive()[row, :, subject.picture, subject.words].mean(0)
        for step in range(STEPS)
        for call, row in (rows or own_rows)
        for layer in trace.cross_attention["cond"]
        if layer.startswith(begin)
    ]
    return torch.stack(records).mean(0)[:, keys].sum(-1).unflatten(0, subject.grid).numpy()


def keys_of(trace, word):
    found = next(iter(trace.cross_attention["cond"].values()))
    return sorted({first + one for name, first in found.read_by for one in trace.tokens["cond"][name].positions(word)})


@pytest.mark.parametrize("word", ["cat", "rocket"])
def test_amd(seen, word):
    _, _, trace, _ = seen
    found = sdx.word_map(trace, word, method="amd")
    assert found.shape == seen[1].grid
    assert np.abs(found - by_formula(seen, keys_of(trace, word))).max() < 1e-6


def test_where_it_averages_other_rows_than_the_prompts_it_is_not_the_prompts_mean(seen):
    name, subject, trace, _ = seen
    row = {"sd3": 1, "sana": 1}.get(name, 0)  # the prompt's, of a step's first call
    assert subject.calls[0][row] == "cond" or name == "flux"
    prompts = by_formula(seen, keys_of(trace, "cat"), rows=[(0, row)])
    others_too = np.abs(sdx.word_map(trace, "cat", method="amd") - prompts).max() > 1e-4
    assert others_too is np.True_ or name not in ("flux2", "zimage")
    if name not in ("flux2", "zimage"):
        assert not others_too
        return
    only = trace.altered(cross_attention={"cond": trace.cross_attention["cond"]})
    with pytest.raises(sdx.TraceError, match=r"'uncond' was not recorded.*roles=\('cond', 'uncond'\)"):
        sdx.word_map(only, "cat", method="amd")


def test_flux_single_blocks_alone_are_none_of_its_layers(seen):
    name, _, trace, _ = seen
    if name == "flux":
        with pytest.raises(sdx.TraceError, match=r"leaves out single_transformer_blocks"):
            sdx.word_map(trace, "cat", method="amd", layers="single_transformer_blocks")
