"""Studies of a source that needs no model, and one small cluster for the tests of a file."""

import os

import pytest
import study_sources as source

import sdexplore as sdx

os.environ.setdefault("TQDM_DISABLE", "1")
RUNS = sdx.grid(prompt=["a cat", "a dog"], seed=range(3))


@pytest.fixture
def study(tmp_path):
    """Makes a Study of six quick runs in a new folder; arguments take the place of its own."""

    def made(**given):
        own = {"runs": RUNS, "measure": source.ink, "to": tmp_path / "study"}
        return sdx.Study(given.pop("source", source.numbers), **{**own, **given})

    return made
