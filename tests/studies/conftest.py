"""Studies of a source that needs no model, and one small cluster for the tests of a file."""

import pytest
import study_sources as source

import sdexplore as sdx

RUNS = sdx.grid(prompt=["a cat", "a dog"], seed=range(3))


@pytest.fixture(scope="module", autouse=True)
def no_bars():
    """Other processes print no bars either; the tests of other folders keep theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture
def study(tmp_path):
    """Makes a Study of six quick runs in a new folder; arguments take the place of its own."""

    def made(**given):
        own = {"runs": RUNS, "measure": source.ink, "to": tmp_path / "study"}
        return sdx.Study(given.pop("source", source.numbers), **{**own, **given})

    return made
