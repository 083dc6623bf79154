"""Outputs of modules of every family, as a hook by hand sees them in an untraced run, laid out as the picture."""

import numpy as np
import pytest
import torch
from transformer_matrix import PROMPT, SIZE, STEPS, SUBJECTS

import sdexplore as sdx
from sdexplore.base.errors import InspectionError, RunError


def block_of(layer):
    return layer.rpartition(".")[0]


def outputs_by_hand(subject, pipe, names):
    """Module -> what it returned at each call of an untraced run, its floating tensors."""
    seen = {name: [] for name in names}

    def note(name):
        def hook(_, __, output):
            several = output if isinstance(output, tuple) else (output,)
            seen[name].append([one.clone() for one in several if isinstance(one, torch.Tensor)])

        return pipe.transformer.get_submodule(name).register_forward_hook(hook)

    hooks = [note(name) for name in names]
    subject.drawn(pipe, output_type="latent")
    for hook in hooks:
        hook.remove()
    return seen


def picture_by_hand(subject, tensors, row):
    """The picture's tokens as (channel, y, x): a stream of their own, or where they stand behind or before words."""
    y, x = subject.grid
    alone = [one for one in tensors if one.shape[1] == y * x]
    tokens = alone[0][row, : y * x] if alone else tensors[0][row, subject.picture]
    return tokens.T.reshape(-1, y, x)


@pytest.mark.parametrize("name", SUBJECTS)
def test_blocks_and_a_layer_are_what_a_hook_by_hand_sees(name):
    subject = SUBJECTS[name]
    pipe = subject.make()
    names = tuple(dict.fromkeys(map(block_of, subject.layers)))
    record = sdx.Record(features=names, dtype="float32", decode=0, cross_attention=False)
    given = {**subject.size, **subject.call, "num_inference_steps": STEPS, "output_type": "latent"}
    trace = sdx.run(pipe, PROMPT, seed=5, record=record, **given)
    seen = outputs_by_hand(subject, pipe, names)
    calls = len(subject.calls)
    number = next(place for place, roles in enumerate(subject.calls) if "cond" in roles)
    row = subject.calls[number].index("cond")
    assert set(trace.features) == {"cond"}
    for module in names:
        found = trace.features["cond"][module]
        assert found.steps == tuple(range(STEPS))
        for step, values in enumerate(found.values):
            by_hand = picture_by_hand(subject, seen[module][step * calls + number], row)
            assert np.array_equal(values, by_hand.float().numpy()), (module, step)
    assert not any(one._forward_hooks for one in pipe.transformer.modules())
    try:
        cost = sdx.cost(pipe, record, prompt=PROMPT, **given)
    except InspectionError as error:
        pytest.fail(str(error))
    assert {key: cost.parts[f"features/{key}"] for key in names} == {
        key: trace.features["cond"][key].part.nbytes for key in names
    }


@pytest.mark.parametrize(("name", "module"), [("sd3", "context_embedder"), ("flux", "time_text_embed")])
def test_what_is_no_picture_is_refused_by_name(name, module):
    subject = SUBJECTS[name]
    with pytest.raises(RunError, match=f"{module!r} cannot be laid out as a picture"):
        sdx.run(subject.make(), PROMPT, record=sdx.Record(features=(module,)), **SIZE, **subject.call)
