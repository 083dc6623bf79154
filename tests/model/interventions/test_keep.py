"""`Keep` against prompt-to-prompt written out: A of the source, moved or mixed column by column, in float64."""

import numpy as np
import pytest
import torch
from double_pipelines import PLAIN, STEPS, double, noise
from explicit_attention import apart, changed, explicit
from tiny_families import fused, sliced
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

CAT, DOG = "a cat and a rocket", "a dog and a rocket"
EDIT, SOURCE = 2, 3  # rows of the batch: two without the prompt, then edit and source with it
SAME = {position: [(position, 1.0)] for position in range(77)}


def taken(columns, cross_steps, self_steps=range(0), *, scale=None):
    """Â of the edit's row: each column from these columns of the source's row; its own where there are none."""

    def edit(_, probs, cross, step):
        made, source = probs.clone(), probs[SOURCE]
        if not cross and step in self_steps and probs.shape[-1] <= 1024:
            made[EDIT] = source
        if cross and step in cross_steps:
            for position, of in columns.items():
                made[EDIT, ..., position] = sum(share * source[..., one] for one, share in of)
        for position, factor in (scale or {}).items() if cross else ():
            made[EDIT, ..., position] *= factor
        return made

    return edit


# As one reads off the tokens: start, a, labra, doodle, and, a, rocket, end, padding.
INTO_TWO = {0: [(0, 1.0)], 1: [(1, 1.0)], 2: [(2, 0.5)], 3: [(2, 0.5)], 4: [(3, 1.0)], 5: [(4, 1.0)], 6: [(5, 1.0)]}
INTO_TWO |= {7: [(6, 1.0)], **{position: [(position, 1.0)] for position in range(8, 77)}}
# start, a, big, cat, and, a, rocket, end, padding: “big” is new.
REFINED = {0: [(0, 1.0)], 1: [(1, 1.0)], 3: [(2, 1.0)], 4: [(3, 1.0)], 5: [(4, 1.0)], 6: [(5, 1.0)], 7: [(6, 1.0)]}
REFINED |= {position: [(position, 1.0)] for position in range(8, 77)}


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize(
    ("prompt", "more", "reference"),
    [
        (DOG, {"cross_attention": 1}, taken(SAME, range(3), range(1))),
        (DOG, {"cross_attention": 0.5, "self_attention": 0.7}, taken(SAME, range(2), range(2))),
        ("a labradoodle and a rocket", {"self_attention": 0}, taken(INTO_TWO, range(3))),
        ("a big cat and a rocket", {"cross_attention": 0.5}, taken(REFINED, range(2), range(1))),
    ],
    ids=["replace", "a share of the steps", "one token into two", "refine"],
)
def test_it_is_the_published_formula(kind, prompt, more, reference):
    pipe = double(kind)
    trace, found = changed(pipe, prompt, change=sdx.Keep(CAT, **more), **STEPS)
    expected = explicit(pipe, reference, prompt=[prompt, CAT], generator=noise(3, 3), **PLAIN)
    alone = explicit(pipe, lambda _, probs, *__: probs, prompt=[prompt, CAT], generator=noise(3, 3), **PLAIN)
    assert apart(found, expected) < 1e-10
    assert apart([one[1:] for one in found], [one[1:] for one in alone]) < 1e-10  # the source is itself
    assert apart(expected, alone) > 1e-5
    np.testing.assert_allclose(trace.latents[-1], found[-1][0], atol=1e-5)


def test_the_sources_attention_can_be_reweighted():
    pipe = double("sd")
    both = [sdx.Reweight("rocket", 3), sdx.Keep(CAT, self_attention=0)]  # Keep comes first, however they are given
    _, found = changed(pipe, DOG, change=both, **STEPS)
    reference = taken(SAME, range(3), scale={5: 3})
    assert apart(found, explicit(pipe, reference, prompt=[DOG, CAT], generator=noise(3, 3), **PLAIN)) < 1e-10


@pytest.mark.parametrize(("prepare", "prompt"), [(fused, "a big cat and a rocket"), (sliced, DOG)])
def test_fused_and_sliced_layers_keep_alike(prepare, prompt):
    pipe = stable_diffusion().to(torch.float64)
    _, expected = changed(pipe, prompt, change=sdx.Keep(CAT), **STEPS)
    prepare(pipe)
    _, found = changed(pipe, prompt, change=sdx.Keep(CAT), **STEPS)
    assert apart(found, expected) < 1e-10


@pytest.mark.parametrize(
    ("prompt", "columns"), [("a labradoodle and a rocket", INTO_TWO), ("a big cat and a rocket", REFINED)]
)
def test_recorded_maps_are_what_was_used(prompt, columns):
    """Of the last layer of the first step, whose input has been changed by all before it."""
    pipe, seen, last = double("sd"), {}, "up_blocks.1.attentions.1.transformer_blocks.0.attn2"
    edit = taken(columns, range(3))

    def watched(name, probs, cross, step):
        made = edit(name, probs, cross, step)
        if name == last:
            seen[step] = made[EDIT]
        return made

    record = sdx.Record(cross_attention="heads", columns="all", dtype="float32")
    change = sdx.Keep(CAT, cross_attention=1, self_attention=0)
    trace, _ = changed(pipe, prompt, change=change, record=record, **STEPS)
    explicit(pipe, watched, prompt=[prompt, CAT], generator=noise(3, 3), **PLAIN)
    for step, expected in seen.items():
        found = trace.attention("cond")[last].probs[step].reshape(expected.shape)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_blend_leaves_the_rest_of_the_picture_to_the_source():
    """Maps of 16² alone, summed over the steps so far; the union of both pictures' regions."""
    pipe, sums, edit = stable_diffusion().to(torch.float64), torch.zeros(2, 16, 16).double(), taken(SAME, range(5))
    for name, module in pipe.unet.named_modules():
        if name.endswith("attn2"):
            module.to_k.weight.data *= 100  # random layers look everywhere alike
            module.to_q.weight.data *= 3
    now, masks = [], []

    def watched(name, probs, cross, step):
        made = edit(name, probs, cross, step)
        if cross and probs.shape[2] == 256:
            now.append(torch.stack([made[EDIT, :, :, 2], made[SOURCE, :, :, 2]]).mean(1).reshape(2, 16, 16))
        return made

    def blended(_, latents):
        sums.add_(torch.stack(now).mean(0))
        now.clear()
        large = torch.nn.functional.max_pool2d(sums, 3, stride=1, padding=1)
        mask = (large / large.amax((1, 2), keepdim=True) > 0.3).any(0)
        masks.append(mask)
        return torch.stack([torch.where(mask, latents[0], latents[1]), latents[1]])

    size = {"height": 128, "width": 128}
    change = sdx.Keep(CAT, cross_attention=1, self_attention=0, blend=["dog", "cat"])
    _, found = changed(pipe, DOG, change=change, **size, **STEPS)
    expected = explicit(pipe, watched, blended, prompt=[DOG, CAT], generator=noise(3, 3), **size, **PLAIN)
    assert apart(found, expected) < 1e-10
    assert any(0 < mask.double().mean() < 1 for mask in masks)


def test_each_image_has_a_source_of_its_own_noise():
    pipe = double("sd")
    traces, _ = changed(pipe, [DOG, "a cat and a dog"], change=sdx.Keep(CAT, cross_attention=1), **STEPS)
    alone, _ = changed(pipe, "a cat and a dog", change=sdx.Keep(CAT, cross_attention=1), **{**STEPS, "seed": 4})
    assert [trace.prompt for trace in traces] == [DOG, "a cat and a dog"]
    np.testing.assert_allclose(traces[1].latents, alone.latents, atol=1e-6)
    assert traces[1].provenance["used"]["seeds"] == [3, 4]
