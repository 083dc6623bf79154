"""`Reweight` against attention written out, c times A, in float64; and what it leaves as it is, to the bit."""

import numpy as np
import pytest
import torch
from double_pipelines import PLAIN, PROMPT, STEPS, double, noise
from explicit_attention import apart, changed, explicit
from tiny_families import fused, lora_weights, sliced
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

CAT, A, ROCKET = 2, (1, 4), 5  # positions of PROMPT


def times(scale, positions, *, layers="", heads=slice(None), steps=range(99), rows=slice(1, 2)):
    """Â = c A in the rows of the prompt."""

    def edit(name, probs, cross, step):
        if cross and name.startswith(layers) and step in steps:
            probs = probs.clone()
            for position in positions:
                probs[rows, heads, :, position] *= scale
        return probs

    return edit


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize(
    ("change", "reference"),
    [
        (sdx.Reweight("cat", 3.0), times(3.0, [CAT])),
        (sdx.Reweight("a", -1.5, occurrence=1, steps=[1, -1]), times(-1.5, A[1:], steps=(1, 2))),
        (
            sdx.Reweight([CAT, ROCKET], 0, layers="up_blocks", heads=1),
            times(0, [CAT, ROCKET], layers="up_blocks", heads=1),
        ),
    ],
    ids=["everywhere", "at steps", "one head"],
)
def test_it_is_the_published_formula(kind, change, reference):
    pipe = double(kind)
    trace, found = changed(pipe, PROMPT, change=change, **STEPS)
    expected = explicit(pipe, reference, prompt=PROMPT, generator=noise(3), **PLAIN)
    unchanged = explicit(pipe, times(1, []), prompt=PROMPT, generator=noise(3), **PLAIN)
    assert apart(found, expected) < 1e-10
    assert apart(expected, unchanged) > 1e-5
    assert trace.provenance["changed"][0]["applied"] > 0


def test_several_images_have_the_word_where_their_prompt_has_it():
    pipe, prompts = double("sd"), ["a cat in space", "in space, a big cat"]
    traces, found = changed(pipe, prompts, change=sdx.Reweight("cat", 2.0), **STEPS)

    def edit(_, probs, cross, __):
        probs = probs.clone()
        if cross:  # two rows without the prompt, then two with it
            probs[2, :, :, 2] *= 2
            probs[3, :, :, 6] *= 2
        return probs

    expected = explicit(pipe, edit, prompt=prompts, generator=noise(3, 4), **PLAIN)
    assert apart(found, expected) < 1e-10
    assert len(traces) == 2


def test_the_negative_prompt_is_its_own_text():
    pipe, both = double("sd"), {"negative_prompt": "a cat"}
    _, found = changed(pipe, PROMPT, change=sdx.Reweight("cat", 2.0, roles=("uncond", "cond")), **both, **STEPS)
    edit = times(2, [CAT], rows=slice(0, 2))
    assert apart(found, explicit(pipe, edit, prompt=PROMPT, generator=noise(3), **both, **PLAIN)) < 1e-10


@pytest.mark.parametrize("prepare", [fused, sliced, lambda pipe: pipe.load_lora_weights(lora_weights(pipe))])
def test_fused_sliced_and_adapted_layers_are_changed_alike(prepare):
    pipe = stable_diffusion().to(torch.float64)
    change = sdx.Reweight("cat", 3.0, heads=[0, 2])
    adapted = prepare not in (fused, sliced)
    if adapted:
        prepare(pipe)
        expected = explicit(pipe, times(3.0, [CAT], heads=[0, 2]), prompt=PROMPT, generator=noise(3), **PLAIN)
    else:
        _, expected = changed(pipe, PROMPT, change=change, **STEPS)
        prepare(pipe)
    trace, found = changed(pipe, PROMPT, change=change, **STEPS)
    assert apart(found, expected) < 1e-10
    layers = trace.attention("cond")
    assert trace.provenance["changed"][0]["applied"] == len(layers) * trace.num_steps


def test_what_changes_nothing_is_the_same_to_the_bit(tiny):
    """Times one; and all steps before the first that is changed."""
    plain = sdx.run(tiny, PROMPT, **STEPS)
    once = sdx.run(tiny, PROMPT, change=[sdx.Reweight("cat", 1.0), sdx.Reweight("rocket", 1, heads=[0])], **STEPS)
    late = sdx.run(tiny, PROMPT, change=sdx.Reweight("cat", 5.0, steps=slice(2, None)), **STEPS)
    np.testing.assert_array_equal(once.latents, plain.latents)
    np.testing.assert_array_equal(once.image, plain.image)
    np.testing.assert_array_equal(late.latents[:3], plain.latents[:3])
    assert np.abs(late.latents[3] - plain.latents[3]).max() > 0
    for role, layers in plain.cross_attention.items():
        for name, attention in layers.items():
            np.testing.assert_array_equal(once.cross_attention[role][name].probs, attention.probs)
            np.testing.assert_array_equal(late.cross_attention[role][name].probs[:2], attention.probs[:2])


def test_maps_are_what_the_softmax_gave_before_the_word_is_scaled(tiny):
    """The first layer of the first step has the same input with and without the change."""
    plain = sdx.run(tiny, PROMPT, record=sdx.Record(columns="all", dtype="float32"), **STEPS)
    out = sdx.run(
        tiny, PROMPT, record=sdx.Record(columns="all", dtype="float32"), change=sdx.Reweight("cat", 0), **STEPS
    )
    first = next(iter(plain.attention("cond")))
    np.testing.assert_array_equal(out.attention("cond")[first].probs[0], plain.attention("cond")[first].probs[0])
    for attention in out.attention("cond").values():
        np.testing.assert_allclose(attention.probs.sum(-1), 1, atol=1e-5)
