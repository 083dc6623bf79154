"""Changes of every family of transformers: against the kernel written out in float64, or refused by name."""

import re

import numpy as np
import pytest
import torch
from explicit_kernel import explicit_kernel, predictions, read
from transformer_matrix import PROMPT, SUBJECTS

import sdexplore as sdx
from sdexplore.model.families import FAMILIES

OTHER = "a big dog"
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
    title = re.escape(FAMILIES[name].title)
    with pytest.raises(sdx.RunError, match=rf"^run: Keep\('a big dog'\).*{title}.*Reweight"):
        sdx.run(pipe, PROMPT, change=sdx.Keep(OTHER), **call)
