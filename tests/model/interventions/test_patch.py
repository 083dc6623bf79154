"""`Patch`: a module gives what it gives in another run, and nothing else is changed."""

import numpy as np
import pytest
import torch
from double_pipelines import PLAIN, STEPS, double, noise
from explicit_attention import apart, changed, explicit

import sdexplore as sdx
from sdexplore.model.families import family_of

CAT, DOG = "a cat and a rocket", "a big dog, and a rocket"
COND, RIDER = 2, 3  # rows of the batch


def itself(_, probs, *__):
    return probs


def patched(pipe, names, rows, after=itself):
    """The latents where these modules' outputs have one row copied to another, by hooks of the test's own."""

    def hook(_, __, out):
        out = out.clone()
        for mine, theirs in rows:
            out[mine] = out[theirs]
        return out

    hooks = [pipe.unet.get_submodule(name).register_forward_hook(hook) for name in names]
    try:
        return explicit(pipe, after, prompt=[DOG, CAT], generator=noise(3, 3), **PLAIN)
    finally:
        for one in hooks:
            one.remove()


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_cross_attention_of_one_resolution(kind):
    pipe = double(kind)
    layers = [name for name in family_of(pipe).attention_layers(pipe.unet) if name.endswith("attn2")]
    layers = [name for name in layers if not name.startswith("mid")]
    trace, found = changed(pipe, DOG, change=sdx.Patch(CAT, layers), **STEPS)
    expected = patched(pipe, layers, [(COND, RIDER)])
    assert apart(found, expected) < 1e-10
    assert apart(expected, patched(pipe, [], [])) > 1e-5
    assert trace.provenance["changed"][0]["applied"] == len(layers) * trace.num_steps


def test_a_step_and_both_roles():
    pipe = double("sd")
    both = ("cond", "uncond")
    _, found = changed(pipe, DOG, change=sdx.Patch(CAT, "mid_block", steps=[1], roles=both), **STEPS)
    plain = patched(pipe, [], [])
    whole = patched(pipe, ["mid_block"], [(COND, RIDER), (0, 1)])
    assert apart(found[:1], plain[:1]) < 1e-10
    assert apart(found[1:2], plain[1:2]) > 1e-6
    assert apart(found[1:2], whole[1:2]) > 1e-6  # which was patched at step 0 too


def test_the_last_module_decides_everything():
    """So a patch of all that there is says nothing: the last convolution alone gives the source's prediction."""
    pipe = double("sd")
    _, found = changed(pipe, DOG, change=sdx.Patch(CAT, "conv_out", roles=("cond", "uncond")), **STEPS)
    for latents in found:
        assert torch.equal(latents[0], latents[1])


def test_a_block_with_skips_is_patched_whole(tiny):
    """Of another noise: the source is a trace, whose own seed its row has."""
    source = sdx.run(tiny, CAT, **{**STEPS, "seed": 11})
    seen = []
    hook = tiny.unet.down_blocks[0].register_forward_hook(lambda _, __, out: seen.append([out[0], *out[1]]))
    trace = sdx.run(tiny, DOG, change=sdx.Patch(source, "down_blocks.0"), **STEPS)
    hook.remove()
    (fact,) = trace.provenance["changed"]
    assert fact["deviation"] < 1e-3
    assert fact["applied"] == trace.num_steps * len(seen[0])
    assert trace.call["arguments"]["change"]["source"] == {"prompt": CAT, "seed": 11, "trace": source.fingerprint}
    plain = sdx.run(tiny, DOG, **STEPS)
    assert np.abs(trace.latents[-1] - plain.latents[-1]).max() > 1e-3
