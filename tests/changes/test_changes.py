"""Changes are values: checked when they are made, equal where they say the same, JSON and back, and in words."""

import json

import numpy as np
import pytest
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.changes.several import changes_of

REWEIGHT, ABLATE = unchecked("changes.reweight").Reweight, unchecked("changes.ablate").Ablate
EVERY = (
    sdx.Reweight("cat", 2),
    sdx.Reweight(
        [np.int64(1), 2], -0.5, occurrence=None, layers="up_blocks", heads=[np.int64(1), 0], roles=("cond", "uncond")
    ),
    sdx.Reweight(5, 0, steps=slice(2, None)),
    sdx.Reweight("cat", 1, occurrence=1, steps=[0, -1]),
    sdx.Ablate("mid_block"),
    sdx.Ablate(["mid_block", "up_blocks.1"], to="mean", heads=3, steps=slice(None, 4, 2)),
)


@pytest.mark.parametrize("change", EVERY, ids=repr)
def test_json_reads_back_as_the_same_change(change):
    told = json.loads(json.dumps(change.to_json()))
    assert changes_of(told, "run") == (change,)
    assert changes_of([change, told], "run") == (change, change)
    assert eval(repr(change), vars(sdx) | {"Reweight": sdx.Reweight, "Ablate": sdx.Ablate}) == change  # noqa: S307


@pytest.mark.parametrize("change", EVERY, ids=repr)
def test_words_say_what_is_changed(change):
    said = change.in_words()
    named = change.word if isinstance(change, sdx.Reweight) else change.names[0]
    assert str(named[0] if isinstance(named, tuple) else named) in said
    assert ("steps" in said) == (change.steps is not None)


def test_only_what_was_given_is_in_the_json():
    assert sdx.Reweight("cat", 2).to_json() == {"change": "Reweight", "word": "cat", "scale": 2.0}
    assert sdx.Ablate("mid_block", roles=["cond"]).to_json() == {"change": "Ablate", "modules": "mid_block"}


def test_reweights_come_before_ablations():
    ablate, reweight = sdx.Ablate("mid_block"), sdx.Reweight("cat", 2)
    assert changes_of([ablate, reweight], "run") == (reweight, ablate)
    assert changes_of(None, "run") == changes_of([], "run") == ()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: REWEIGHT(" ", 2), "' '"),
        (lambda: REWEIGHT(word=True, scale=2), "True"),
        (lambda: REWEIGHT(1.5, 2), "1.5"),
        (lambda: REWEIGHT((), 2), "()"),
        (lambda: REWEIGHT("cat", "2"), "'2'"),
        (lambda: REWEIGHT("cat", float("inf")), "inf"),
        (lambda: REWEIGHT("cat", 2, occurrence=-1), "-1"),
        (lambda: REWEIGHT("cat", 2, layers=[]), "[]"),
        (lambda: REWEIGHT("cat", 2, heads="all"), "'all'"),
        (lambda: REWEIGHT("cat", 2, steps=slice(0, 5, 0)), "slice(0, 5, 0)"),
        (lambda: REWEIGHT("cat", 2, steps=0.5), "0.5"),
        (lambda: REWEIGHT("cat", 2, roles=()), "()"),
        (lambda: ABLATE(""), "''"),
        (lambda: ABLATE(3), "3"),
        (lambda: ABLATE("mid_block", to="nothing"), "'nothing'"),
        (lambda: ABLATE("mid_block", heads=[-1]), "[-1]"),
    ],
)
def test_values_that_are_none_are_refused_and_repeated(make, said):
    with pytest.raises(sdx.RunError) as told:
        make()
    assert said in str(told.value)


def test_a_change_cannot_be_changed():
    with pytest.raises(AttributeError):
        sdx.Reweight("cat", 2).scale = 3


def test_steps_are_those_of_the_run():
    assert sdx.Ablate("mid_block", steps=[0, -1]).steps_of(5) == {0, 4}
    assert sdx.Ablate("mid_block", steps=slice(1, None, 2)).steps_of(5) == {1, 3}
    for beyond in ([5], [-6], slice(5, None)):
        with pytest.raises(sdx.RunError, match="0 to 4"):
            sdx.Ablate("mid_block", steps=beyond).steps_of(5)
