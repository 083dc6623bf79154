"""Changes of every family of transformers: against the kernel written out in float64, or refused by name."""

import numpy as np
import pytest
import torch
from explicit_kernel import explicit_kernel, predictions, read
from transformer_matrix import PROMPT, SIZE, STEPS, SUBJECTS, TEXT

import sdexplore as sdx

OTHER = "a big dog"
SHORT = {"num_inference_steps": 2, "seed": 5}


def call_of(subject, **more):
    return {**subject.size, **subject.call, **SHORT, "record": sdx.Record(decode=0), **more}


def keys_of(trace, subject, word):
    """Where a word stands among the keys of a text."""
    return [
        first + position
        for name, (_, first) in subject.encoders.items()
        for position in trace.tokens["cond"][name].positions(word)
    ]


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_the_word_is_reweighted_and_a_head_is_taken_out_exactly(name, monkeypatch):
    subject = SUBJECTS[name]
    pipe = subject.make().to(torch.float64)
    first, last = subject.layers[0], subject.layers[-1]
    given = [
        sdx.Reweight("cat", 3.0, heads=[0, 2]),
        sdx.Ablate(first, heads=1),
        sdx.Ablate(last, heads=3, to="mean", steps=[-1]),
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
            for head in (0, 2):
                for key in keys:
                    probs[row, head, picture, words[key]] *= 3
        out = probs @ value
        for row in (row for row, role in enumerate(roles) if role == "cond"):
            if layer == first:
                out[row, 1] = 0
            if layer == last and step == 1:
                for some in (picture, rest):
                    out[row, 3, some] = out[row, 3, some].mean(0)
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
