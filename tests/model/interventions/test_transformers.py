"""Changes of every family of transformers: against the kernel written out in float64, or refused by name."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from explicit_kernel import explicit_kernel, predictions, read
from transformer_matrix import PROMPT, SUBJECTS, TEXT

import sdexplore as sdx
from sdexplore.model.families import FAMILIES
from sdexplore.text.alignment import aligned

OTHER = "a big dog"
SOURCE = "a cat and a rocket"
SHORT = {"num_inference_steps": 2, "seed": 5}


def call_of(subject, **more):
    return {**subject.size, **subject.call, **SHORT, "record": sdx.Record(decode=0), **more}


def keys_of(trace, subject, word):
    """Where a word stands among the keys of a text."""
    found = ((first, trace.tokens["cond"][name]) for name, (_, first) in subject.encoders.items())
    return {first + position for first, tokens in found for position in tokens.positions(word)}


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_the_word_is_reweighted_and_a_head_is_taken_out_exactly(name, monkeypatch):
    subject = SUBJECTS[name]
    pipe = subject.make().to(torch.float64)
    first, last = subject.layers[0], subject.layers[-1]
    given = [
        sdx.Reweight("cat", 3.0, heads=[0]),
        sdx.Ablate(first, heads=1),
        sdx.Ablate(last, heads=1, to="mean", steps=[-1]),
    ]
    with predictions(pipe) as found:
        trace = sdx.run(pipe, PROMPT, change=given, **call_of(subject))
    keys = keys_of(trace, subject, "cat")
    assert keys
    assert [one["applied"] for one in trace.provenance["changed"]] == [2 * len(subject.layers), 2, 1]

    def edit(layer, call, probs, value):
        if layer not in subject.layers:
            return probs @ value
        step, part = divmod(call, len(subject.calls))
        probs, roles = probs.clone(), subject.calls[part]
        words = range(probs.shape[3])[subject.words]
        picture = torch.arange(probs.shape[2])[subject.picture] if subject.joint else torch.arange(probs.shape[2])
        rest = [one for one in range(probs.shape[2]) if one not in picture]
        for row in (row for row, role in enumerate(roles) if role == "cond"):
            for key in keys:
                probs[row, 0, picture, words[key]] *= 3
        out = probs @ value
        for row in (row for row, role in enumerate(roles) if role == "cond"):
            if layer == first:
                out[row, 1] = 0
            if layer == last and step == 1:
                for some in (picture, rest):
                    out[row, 1, some] = out[row, 1, some].mean(0)
        return out

    def drawn(work):
        with explicit_kernel(pipe, work, monkeypatch), predictions(pipe) as made:
            subject.drawn(pipe, num_inference_steps=2)
        return made

    expected, unchanged = drawn(edit), drawn(read)
    assert len(found) == len(expected) == 2 * len(subject.calls)
    apart = max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True))
    assert apart < 1e-10
    assert max(float((one - other).abs().max()) for one, other in zip(expected, unchanged, strict=True)) > 1e-5


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_what_changes_nothing_is_the_same_to_the_bit_and_keep_is_refused_by_name(name):
    """Times one, and all steps before the first that is changed; then a source's module, and what rode beside."""
    subject = SUBJECTS[name]
    pipe, call = subject.make(), call_of(subject)
    plain, other = (sdx.run(pipe, text, **call) for text in (PROMPT, OTHER))
    late = [
        sdx.Reweight("cat", 1.0),
        sdx.Reweight("rocket", 2.0, steps=[1]),
        sdx.Ablate(subject.layers, heads=0, steps=1),
    ]
    changed = sdx.run(pipe, PROMPT, change=late, **call)
    np.testing.assert_array_equal(changed.latents[:2], plain.latents[:2])
    for layer, attention in plain.cross_attention["cond"].items():
        np.testing.assert_array_equal(changed.cross_attention["cond"][layer].probs[0], attention.probs[0])
    assert np.abs(changed.latents[2] - plain.latents[2]).max() > 0
    patched = sdx.run(pipe, PROMPT, change=sdx.Patch(other, subject.layers), **call)
    assert patched.provenance["changed"][0]["applied"] >= 2 * len(subject.layers)
    assert patched.provenance["changed"][0]["deviation"] < 1e-3 * np.abs(other.latents).max()
    assert np.abs(patched.latents[2] - plain.latents[2]).max() > 0
    if "Keep" not in FAMILIES[name].no_change:
        return
    title = re.escape(FAMILIES[name].title)
    with pytest.raises(sdx.RunError, match=rf"^run: Keep\('a big dog'\).*{title}.*Reweight"):
        sdx.run(pipe, PROMPT, change=sdx.Keep(OTHER), **call)


def moved(alignment):
    """M, and 1 − α."""
    matrix = torch.zeros(TEXT, TEXT, dtype=torch.float64)
    for one, other, share in alignment.pairs:
        matrix[one, other] = share
    return matrix, 1 - torch.tensor(alignment.taken).double()


def sharpen(pipe, layers):
    """Makes one head of these layers look at one token, and the others at all alike."""
    for layer in layers:
        for parameter in pipe.transformer.get_submodule(layer).to_q.parameters():
            parameter.data *= 200
            parameter.data[8:] = 0
    drawn_anew = torch.Generator().manual_seed(2)  # both masks hold a part of the picture
    for parameter in pipe.text_encoder.parameters():
        parameter.data.normal_(std=0.3, generator=drawn_anew)


def blending(step, now, masks):
    """A scheduler's step behind which the latents outside of the masks are the source's; `now` is filled meanwhile."""
    sums = []

    def stepped(*args, **named):
        latents = step(*args, **named)[0]
        if now:
            sums.append(torch.stack(now).mean(0))
            now.clear()
            large = torch.nn.functional.max_pool2d(torch.stack(sums).sum(0)[:, None], 3, stride=1, padding=1)
            large = torch.nn.functional.interpolate(large, size=latents.shape[-2:])[:, 0]
            masks.append((large / large.amax((1, 2), keepdim=True) > 0.3).any(0))
            latents = torch.stack([torch.where(masks[-1], *latents), latents[1]])
        return (latents,)

    return stepped


@pytest.mark.parametrize(
    ("prompt", "shares", "blend"),
    [
        ("a dog and a rocket", (1, 0.5), None),
        ("a labradoodle and a rocket", (0.5, 0), None),
        ("a big cat and a rocket", (1, 0), None),
        ("a dog in space and on fire", (1, 0), ["a"]),
    ],
    ids=["replace", "into more tokens", "refine", "blend"],
)
def test_pixart_keeps_a_source_whose_mask_is_another(prompt, shares, blend, monkeypatch):
    """Â = α ⊙ (A_source M) + (1 − α) ⊙ A, each with its own text's padding masked; and the maps that are recorded."""
    subject = replace(SUBJECTS["pixart"], size={"height": 192, "width": 128}, grid=(12, 8))
    pipe = subject.make().to(torch.float64)
    source = "a cat in space and on fire" if blend else SOURCE
    if blend:  # random layers look everywhere alike: one head alone looks
        sharpen(pipe, subject.layers)
    alone = sdx.run(pipe, source, **call_of(subject)).tokens["cond"]["tokenizer"]
    record = sdx.Record(cross_attention="heads", self_attention=("",), columns="all", dtype="float32", decode=0)
    change = sdx.Keep(source, cross_attention=shares[0], self_attention=shares[1], blend=blend)
    with predictions(pipe) as found:
        trace = sdx.run(pipe, prompt, change=change, **call_of(subject, record=record))
    tokens = trace.tokens["cond"]["tokenizer"]
    matrix, own = moved(aligned(alone, tokens))
    used, now, masks = {}, [], []

    def edit(layer, step, probs, value):
        made, theirs = probs.clone(), probs[3]  # two rows without the prompt, then the run's and the source's
        if layer in subject.alone and step < int(2 * shares[1]):
            made[2] = theirs
        if layer in subject.layers and step < min(int(3 * shares[0]), 2):
            made[2] = theirs @ matrix + own * probs[2]
        used[layer, step] = made[2]
        if layer in subject.layers and blend:
            words = tokens.positions("a"), alone.positions("a")
            both = [one[..., list(keys)].sum(-1).mean(0) for one, keys in zip((made[2], theirs), words, strict=True)]
            now.append(torch.stack(both).unflatten(1, subject.grid))
        return made @ value

    def drawn(work):
        both = [torch.Generator().manual_seed(5) for _ in range(2)]
        given = {**subject.size, **subject.call, "num_inference_steps": 2, "generator": both, "output_type": "latent"}
        with explicit_kernel(pipe, work, monkeypatch), predictions(pipe) as made, monkeypatch.context() as patch:
            patch.setattr(pipe.scheduler, "step", blending(pipe.scheduler.step, now, masks))
            pipe([prompt, source], **given)
        return made

    unchanged, expected = drawn(read), drawn(edit)
    assert max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True)) < 1e-10
    assert float((expected[1] - unchanged[1]).abs().max()) > 1e-5
    assert not blend or any(0 < mask.double().mean() < 1 for mask in masks)
    for (layer, step), probs in used.items() if not blend else ():  # what is so sharp is rounded more
        kept = trace.self_attention if layer in subject.alone else trace.cross_attention
        np.testing.assert_allclose(kept["cond"][layer].probs[step].reshape(probs.shape), probs, atol=1e-6)
