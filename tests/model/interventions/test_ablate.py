"""`Ablate`: a head is taken out exactly, a module gives zero or its mean, each time that it is called or one time."""

import numpy as np
import pytest
import torch
from double_pipelines import PLAIN, PROMPT, STEPS, double, noise
from explicit_attention import apart, changed, explicit
from tiny_families import fused, sliced
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.changes.ablate import Ablate
from sdexplore.model.families import family_of
from sdexplore.model.interventions.edit import Now
from sdexplore.model.interventions.plan import changing_of

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2"
CALL = Now(step=0, total=1, roles=("uncond", "cond"), prompt_role="cond", images=1, shown=1)


@pytest.mark.parametrize("to", ["zero", "mean"])
def test_a_head_is_taken_out_before_the_last_projection(tiny, to):
    layer = tiny.unet.get_submodule(LAYER)
    x, words = torch.randn(2, 16, 64, generator=noise(1)[0]), torch.randn(2, 77, 32, generator=noise(2)[0])
    given, outputs = [], []
    layer.to_out[0].register_forward_pre_hook(lambda _, args: given.append(args[0]))
    changing = changing_of([Ablate(LAYER, heads=[1], to=to)], tiny, lambda *_: None)
    with torch.no_grad():
        outputs.append(layer(x, words))
        with changing.watching(lambda: True):
            changing.begin(CALL)
            outputs.append(layer(x, words))
            changing.end()
    width = layer.inner_dim // layer.heads
    head = given[0][..., width : 2 * width]
    left = 0 if to == "zero" else head.mean(1, keepdim=True)
    expected = outputs[0] - (head - left) @ layer.to_out[0].weight[:, width : 2 * width].mT
    assert (outputs[1][1] - expected[1]).abs().max() < 1e-6
    assert torch.equal(outputs[1][0], outputs[0][0])  # the row without the prompt
    assert (outputs[1][1] - outputs[0][1]).abs().max() > 1e-4


@pytest.mark.parametrize("prepare", [lambda _: None, fused, sliced])
def test_a_head_without_attention_gives_the_formula(prepare):
    pipe = stable_diffusion().to(torch.float64)

    def edit(_, probs, cross, __):
        probs = probs.clone()
        if cross:
            probs[1, 2] = 0
        return probs

    expected = explicit(pipe, edit, prompt=PROMPT, generator=noise(3), **PLAIN)
    prepare(pipe)
    layers = [name for name, layer in family_of(pipe).attention_layers(pipe.unet).items() if layer.to_words]
    _, found = changed(pipe, PROMPT, change=sdx.Ablate(layers, heads=2), **STEPS)
    assert apart(found, expected) < 1e-10


def test_a_whole_layer_leaves_its_residual_alone():
    pipe = double("sdxl")
    layers = [name for name, layer in family_of(pipe).attention_layers(pipe.unet).items() if layer.to_words]
    _, found = changed(pipe, PROMPT, change=sdx.Ablate(layers), **STEPS)
    zeroed = []
    for name in layers:  # A V W + b = 0
        module = pipe.unet.get_submodule(name)
        zeroed.append(module.register_forward_hook(lambda _, __, out: out * torch.tensor([1.0, 0.0]).view(2, 1, 1)))
    try:
        expected = explicit(pipe, lambda _, probs, *__: probs, prompt=PROMPT, generator=noise(3), **PLAIN)
    finally:
        for hook in zeroed:
            hook.remove()
    assert apart(found, expected) < 1e-10


def test_a_block_gives_nothing_with_its_skips(tiny):
    """All that a block returns is zero in the prompt's row, and as it was in the other."""
    seen = []
    tiny.unet.down_blocks[0].register_forward_hook(lambda _, __, out: seen.append(out))
    trace = sdx.run(tiny, PROMPT, change=sdx.Ablate("down_blocks.0", steps=[0]), **STEPS)
    plain = sdx.run(tiny, PROMPT, **STEPS)
    assert np.abs(trace.latents[1] - plain.latents[1]).max() > 1e-3
    np.testing.assert_array_equal(trace.noise_pred_uncond[0], plain.noise_pred_uncond[0])
    assert trace.provenance["changed"] == [
        {"change": "Ablate('down_blocks.0', steps=(0,))", "applied": len([seen[0][0], *seen[0][1]])}
    ]


def test_a_mean_over_pixels_is_taken_of_each_channel(tiny):
    after = []
    tiny.unet.up_blocks[0].register_forward_pre_hook(
        lambda _, __, kwargs: after.append(kwargs["hidden_states"]), with_kwargs=True
    )
    sdx.run(tiny, PROMPT, change=sdx.Ablate("mid_block", to="mean"), **STEPS)
    uncond, cond = after[0]
    assert torch.equal(cond, cond[:, :1, :1].expand_as(cond))
    assert uncond.var(dim=(1, 2)).min() > 0


def test_one_time_of_a_module_that_is_called_twice(tiny):
    """A resnet's one nonlinearity, which each call has three times: all of them, and the first or last alone."""
    name = "mid_block.resnets.0.nonlinearity"
    traces = [sdx.run(tiny, PROMPT, change=sdx.Ablate(one), **STEPS) for one in (name, f"{name}#0", f"{name}#2")]
    counts = [trace.provenance["changed"][0]["applied"] for trace in traces]
    assert counts[0] == 3 * counts[1] == 3 * counts[2]
    every, first, last = (trace.latents[-1] for trace in traces)
    np.testing.assert_array_equal(every, last)  # behind the last, nothing is left of those before
    assert np.abs(first - last).max() > 1e-4


@pytest.mark.parametrize("change", [sdx.Ablate("up_blocks.1.attentions"), sdx.Patch("a dog", "up_blocks.1.attentions")])
def test_a_list_of_modules_is_refused_before_the_run_by_the_name_of_what_was_called(tiny, change):
    called = []
    tiny.unet.register_forward_pre_hook(lambda *_: called.append(1))
    with pytest.raises(sdx.RunError, match=r"^compare: .*only holds modules.*'up_blocks\.1\.attentions\.0'"):
        sdx.compare(tiny, PROMPT, over={"change": [None, change]}, **STEPS)
    assert not called


def test_what_is_found_during_a_run_names_what_was_called_too(tiny):
    nowhere = sdx.Ablate("mid_block", roles="uncond")  # without guidance there is no such row
    with pytest.raises(sdx.RunError, match=r"^compare: "):
        sdx.compare(tiny, PROMPT, over={"change": [nowhere]}, num_inference_steps=1, guidance_scale=1.0)
    never = sdx.Ablate("time_embedding.cond_proj")
    tiny.unet.time_embedding.cond_proj = torch.nn.Linear(1, 1)
    with pytest.raises(sdx.RunError, match=r"^compare: .*Ablate\("):
        sdx.compare(tiny, PROMPT, over={"change": [never]}, num_inference_steps=1)
