"""A study's table that is looked at again and again: read once, and again when the study's files have changed."""

import pytest
import study_sources as source
from part_reads import part_reads

import sdexplore as sdx
from sdexplore.base.errors import TraceError
from sdexplore.studies import kept_table
from sdexplore.studies.kept_table import KeptTable
from sdexplore.studies.rows import page_of, usual_columns, values_of


@pytest.fixture
def reads():
    """The readings of a study's parts."""
    with part_reads() as found:
        yield found


def look(table):
    """Everything that is read of a table without pictures, as one looks at it."""
    return (
        page_of(table, ["seed", "ink"], sort="ink", where={"seed": slice(1, None)}),
        values_of(table, "run.prompt", 10),
        table.progress(),
        table.damaged,
        table.table(["run.prompt", "ink"]).to_dict("list"),
        table.kinds,
    )


def test_it_is_the_study_s_own_table_and_is_read_once(study, reads):
    made = study()
    made.run()
    kept = KeptTable(sdx.studies.read(made.folder))
    assert look(kept) == look(made)
    reads.clear()
    look(kept)
    assert reads == []


def test_a_study_that_grows_is_read_again(study, reads):
    study(runs=sdx.grid(prompt="a cat", seed=range(2))).run()
    kept = KeptTable(study(runs=sdx.grid(prompt="a cat", seed=range(2))))
    assert len(kept.table("seed")) == 2
    with pytest.warns(UserWarning, match="made again"):
        study(runs=sdx.grid(prompt="a cat", seed=range(5)), measure=[source.ink, source.odd_number]).run()
    reads.clear()
    assert sorted(kept.table("seed")["seed"]) == [0, 1, 2, 3, 4]
    assert "odd_number" in kept.columns
    assert len(kept.table(["odd_number", "seed"], where={"seed": [3, 4]})) == 2
    assert len(reads) == 1


def test_a_large_study_s_columns_are_read_when_they_are_asked_for(study, reads, monkeypatch):
    monkeypatch.setattr(kept_table, "WHOLE", 0)
    made = study()
    made.run()
    kept = KeptTable(made)
    for columns in (["seed"], ["ink", "seed"], ["ink"]):
        assert kept.table(columns).equals(made.table(columns))
    reads.clear()
    for columns in (["seed"], ["ink", "seed"], ["run.prompt"]):
        kept.table(columns, where={"seed": [0]})
    assert len(reads) == 1  # the prompts


def test_pictures_are_read_for_the_rows_that_are_asked_for_and_never_kept(study, reads):
    made = study(keep="thumbnails")
    made.run()
    kept = KeptTable(made)
    assert usual_columns(kept)[0] == "thumbnail"
    reads.clear()
    assert page_of(kept, ["thumbnail"], most=2).rows == page_of(made, ["thumbnail"], most=2).rows
    assert len(reads) == 3  # the study's own two, and the page's pictures


def test_what_is_refused_and_what_was_not_run_is_as_of_the_study(study):
    kept = KeptTable(study())
    assert kept.progress().rows == 0
    assert list(kept.table()) == list(kept.columns)
    with pytest.raises(TraceError, match=r"no column 'inc'"):
        kept.table("inc")


def test_a_part_that_is_damaged_meanwhile_is_left_out(study):
    study(runs=sdx.grid(prompt="a cat", seed=range(2))).run()
    made = study(runs=sdx.grid(prompt="a cat", seed=range(2)))
    kept = KeptTable(made)
    assert len(kept.table("seed")) == 2
    next(made.folder.glob("part-*")).write_bytes(b"PAR1")
    with pytest.warns(UserWarning, match="damaged"):
        assert len(kept.table("seed")) == 0
    assert len(kept.damaged) == 1
