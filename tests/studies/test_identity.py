"""A run is the same in every process and under every hash seed, and two that differ are never the same."""

import json
import os
import subprocess
import sys
from enum import StrEnum

import numpy as np
import pytest
from diffusers import DDIMScheduler
from PIL import Image

import sdexplore as sdx
from sdexplore.base.errors import RunError
from sdexplore.studies.identity import identity_of, name_of, plain


class Colour(StrEnum):
    RED = "red"


VALUES = """[
    {"seed": 7, "prompt": "a cat", "words": {"cat", "dog", "bird"}},
    Image.new("RGB", (3, 2), (1, 2, 3)),
    DDIMScheduler(),
    DDIMScheduler(timestep_spacing="leading"),
]"""
IN_ANOTHER_PROCESS = f"""
import json
from diffusers import DDIMScheduler
from PIL import Image
from sdexplore.studies.identity import identity_of
print(json.dumps([identity_of(value) for value in {VALUES}]))
"""


def test_another_process_with_another_hash_seed_finds_the_same():
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"},
    )
    here = [identity_of(value) for value in eval(VALUES)]  # noqa: S307  (the line above)
    assert json.loads(done.stdout) == here
    assert len(set(here)) == 4  # two schedulers that differ in one argument, given as its default, are two


def test_a_scheduler_is_known_by_what_was_given_too():
    same = identity_of(DDIMScheduler()), identity_of(DDIMScheduler())
    assert same[0] == same[1]
    assert identity_of(DDIMScheduler(timestep_spacing="leading")) != same[0]
    assert identity_of(DDIMScheduler(beta_start=0.001)) != same[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (7, 7.0),
        (np.float32(0.1), 0.1),
        (np.int64(3), 3),
        (Colour.RED, "red"),
        ((1, 2), [1, 2]),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        (-0.0, 0.0),
    ],
)
def test_equal_values_have_one_identity(one, other):
    assert identity_of(one) == identity_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("é", "e\u0301"),
        (True, 1),
        ("1", 1),
        ({1: "a"}, {"1": "a"}),
        (slice(0, 3), [0, 3, None]),
        (np.zeros(2), np.zeros(2, np.float32)),
        (Image.new("RGB", (2, 3)), Image.new("RGB", (3, 2))),
        (sdx.Reweight("cat", 2.0), sdx.Reweight("cat", 3.0)),
    ],
)
def test_other_values_have_another(one, other):
    assert identity_of(one) != identity_of(other)


def test_a_half_of_a_surrogate_pair_has_an_identity():
    assert len(identity_of("a \ud800")) == 32


@pytest.mark.parametrize("value", [float("nan"), object(), lambda: 0, {"a": [object()]}])
def test_what_another_process_does_not_know_is_refused(value):
    with pytest.raises(RunError):
        plain(value)


def test_a_function_is_known_by_its_importable_name():
    assert name_of(identity_of) == "sdexplore.studies.identity:identity_of"

    def inside():
        """A function that no other process finds."""

    with pytest.raises(RunError, match="Measure"):
        name_of(inside)
