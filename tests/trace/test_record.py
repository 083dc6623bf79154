"""What a Record accepts, refuses, resolves to steps, and writes as JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unchecked import unchecked

from sdexplore.base.errors import RunError
from sdexplore.trace.record import Record

Anything = unchecked("trace.record").Record  # takes what no annotation allows


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"cross_attention": "max"}, "Record(cross_attention='max'): cross_attention is one of 'mean', 'heads', False"),
        ({"cross_attention": True}, "Record(cross_attention=True): cross_attention is one of 'mean', 'heads', False"),
        ({"columns": "words"}, "Record(columns='words'): columns is one of 'prompt', 'all'"),
        ({"dtype": "bfloat16"}, "Record(dtype='bfloat16'): dtype is one of 'float16', 'float32'"),
        ({"latents": None}, "Record(latents=None): latents is one of True, False"),
        ({"noise_pred": "yes"}, "Record(noise_pred='yes'): noise_pred is one of True, False"),
        ({"roles": None}, "Record(roles=None): roles are names, as in ('cond', 'uncond')"),
        ({"roles": ("cond", 1)}, "Record(roles=('cond', 1)): roles are names, as in ('cond', 'uncond')"),
        ({"layers": 16}, "Record(layers=16): layers are names, as in ('mid_block', 'up_blocks.1')"),
        ({"layers": [16]}, "Record(layers=[16]): layers are names, as in ('mid_block', 'up_blocks.1')"),
        ({"steps": 1.5}, "Record(steps=1.5): steps are step numbers, as in (0, 5, -1)"),
        ({"steps": "all"}, "Record(steps='all'): steps are step numbers, as in (0, 5, -1)"),
        ({"steps": (0, 1.5)}, "Record(steps=(0, 1.5)): steps are step numbers, as in (0, 5, -1)"),
        ({"decode": ["first"]}, "Record(decode=['first']): decode are step numbers, as in (0, 5, -1)"),
        ({"decode": -1}, "Record(decode=-1): decode is a number of steps"),
        ({"decode": None}, "Record(decode=None): decode is a number of steps"),
        ({"decode": 2.0}, "Record(decode=2.0): decode is a number of steps"),
        ({"self_attention": None}, "Record(self_attention=None): name layers ('up_blocks.1'), a resolution (16) or"),
        ({"self_attention": 0}, "Record(self_attention=0): name layers"),
        ({"self_attention": (16, -3)}, "Record(self_attention=-3): name layers"),
        ({"self_attention": ((1, 2, 3),)}, "Record(self_attention=(1, 2, 3)): name layers"),
    ],
)
def test_what_is_no_value_is_repeated_and_said_what_would_be(given_, message):
    with pytest.raises(RunError) as raised:
        Anything(**given_)
    assert str(raised.value).startswith(message)


def test_one_name_or_number_may_stand_for_a_sequence_of_one():
    record = Anything(roles="uncond", layers="mid_block", steps=-1, self_attention="up_blocks.1")
    assert (record.roles, record.layers, record.steps) == (("uncond",), ("mid_block",), (-1,))
    assert record.self_attention == ("up_blocks.1",)
    assert Anything(self_attention=16).self_attention == (16,)


def test_a_pair_in_self_attention_is_a_grid_and_two_numbers_are_two_sides():
    assert Anything(self_attention=((12, 16),)).self_attention == ((12, 16),)
    assert Anything(self_attention=[[12, 16]]).self_attention == ((12, 16),)
    assert Anything(self_attention=(12, 16)).self_attention == (12, 16)


def test_any_sequence_of_whole_numbers_will_do_and_is_kept_as_plain_numbers():
    for steps in ([0, 2, 4], range(0, 6, 2), np.array([0, 2, 4]), (np.int64(0), 2, 4), iter([0, 2, 4])):
        record = Anything(steps=steps)
        assert record.steps == (0, 2, 4)
        assert all(type(step) is int for step in record.steps)
    assert Anything(decode=np.array([1, 3])).decode == (1, 3)
    assert type(Anything(decode=np.int64(3)).decode) is int


def test_a_record_is_frozen_and_hashable():
    record = Anything(roles=["cond"], layers=["mid"], self_attention=[16], steps=[1], decode=[0])
    assert hash(record) == hash(Anything(roles="cond", layers="mid", self_attention=16, steps=1, decode=(0,)))
    with pytest.raises(AttributeError):
        record.latents = False


def test_steps_whose_attention_is_kept():
    assert Record().attention_steps(3) == {0, 1, 2}
    assert Record(steps=()).attention_steps(3) == frozenset()
    assert Record(steps=(0, -1)).attention_steps(5) == {0, 4}
    assert Record(steps=slice(1, None, 2)).attention_steps(6) == {1, 3, 5}
    assert Record(steps=slice(-2, None)).attention_steps(6) == {4, 5}


@pytest.mark.parametrize("field", ["steps", "decode"])
@pytest.mark.parametrize("step", [5, -6])
def test_a_step_beyond_the_run_says_how_many_there_are(field, step):
    record = Record(**{field: (0, step)})
    with pytest.raises(RunError) as raised:
        record.attention_steps(5) if field == "steps" else record.decoded_steps(5)
    assert str(raised.value) == f"Record({field}=…): there is no step {step}; this run has 5 steps, 0 to 4"


@given(st.integers(0, 60), st.integers(1, 60))
def test_decoded_steps_are_spread_evenly_from_first_to_last(decode, total):
    steps = Record(decode=decode).decoded_steps(total)
    assert len(steps) == len(set(steps)) == min(decode, total)
    assert list(steps) == sorted(steps)
    assert set(steps) <= set(range(total))
    if len(steps) >= 2:
        assert (steps[0], steps[-1]) == (0, total - 1)
        gaps = np.diff(steps)
        assert gaps.max() - gaps.min() <= 1
    elif steps:
        assert steps == (total - 1,)


def test_named_steps_are_decoded_ascending_and_once():
    assert Record(decode=(4, -1, 0, 4)).decoded_steps(5) == (0, 4)
    assert Record(decode=()).decoded_steps(5) == ()


@pytest.mark.parametrize(
    "record",
    [
        Record(),
        Record(latents=False, noise_pred=False, cross_attention=False, decode=0, steps=()),
        Record(cross_attention="heads", columns="all", roles=("cond", "uncond"), dtype="float32"),
        Record(self_attention=("up_blocks.1", 16, (12, 16)), layers=("mid_block",), steps=(0, -1), decode=(0, 3)),
        Record(steps=slice(None, None, 2)),
        Record(steps=slice(-3, None)),
    ],
)
def test_a_record_comes_back_from_json(record):
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record
