"""The Study tab: a study's table filtered, sorted and paged, a figure of it, and its runs opened."""

import shutil

import pytest
import study_sources as source
from dashboards import Page
from part_reads import part_reads

import sdexplore as sdx
from sdexplore.base.errors import RunError, TraceError
from sdexplore.dashboard.rows_table import RowsTable

PROMPTS = ["a cat", "a dog", "ein Hündchen 犬"]


@pytest.fixture(autouse=True)
def no_bars(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture
def study(tmp_path):
    """Makes a Study of fifteen quick runs, made already; arguments take the place of its own."""

    def made(*, run=True, **given):
        loads = given.pop("source", source.numbers)
        own = {"runs": sdx.grid(prompt=PROMPTS, seed=range(5)), "measure": source.ink, "to": tmp_path / "study"}
        found = sdx.Study(loads, **{**own, **given})
        if run:
            found.run()
        return found

    return made


class StudyPage(Page):
    """The open tab Study, as its user sees it."""

    @property
    def table(self):
        return next(one for one in self.tab if isinstance(one, RowsTable))

    def column(self, name):
        place = [one["name"] for one in self.table.page["columns"]].index(name)
        return [row["cells"][place] for row in self.table.page["rows"]]

    def sort(self, name):
        self.table._handle_custom_msg({"kind": "sort", "column": name}, [])

    def open_row(self, number):
        self.table._handle_custom_msg({"kind": "open", "identity": self.table.page["rows"][number]["identity"]}, [])
        assert self.explorer.wait(30.0)

    def filter(self, column, how=None, **values):
        self.set("rows where", column)
        if how is not None:
            self.set("condition", how)
        for label, value in values.items():
            self.set(label.rstrip("_"), value)
        self.press("Filter")


@pytest.fixture
def look():
    """Opens a dashboard of a study; it is closed after the test."""
    made = []

    def opened(what, **settings):
        made.append(sdx.explore(what, **settings))
        return StudyPage(made[-1])

    yield opened
    for one in made:
        one.close()


def test_a_study_s_folder_opens_at_its_table_and_a_heading_sorts_it(study, look):
    made = study()
    page = look(str(made.folder))
    assert page.title == "Study"
    assert "15 rows of 15 planned runs" in page.text
    assert page.column("run.prompt")[:6] == ["a cat"] * 5 + ["a dog"]
    assert len(page.column("seed")) == 12
    page.press("Next")
    assert page.column("seed") == ["2", "3", "4"]
    page.sort("ink")
    first = page.column("ink")
    assert first == [f"{one:.5g}" for one in made.table()["ink"].sort_values()[:12]]
    page.sort("ink")
    assert page.column("ink")[0] == f"{made.table()['ink'].max():.5g}"
    assert ".sort_values('ink', ascending=False)" in page.figure_code


def test_the_table_is_read_once_until_the_study_s_files_change(study, look):
    made = study(runs=sdx.grid(prompt=PROMPTS, seed=range(2)))
    with part_reads() as reads:
        page = look(str(made.folder))
        assert 0 < len(reads) <= 2  # whether there are pictures, and the table
        reads.clear()
        page.sort("ink")
        page.filter("run.prompt", text="cat")
        page.set("figure of", "ink")
        page.press("Refresh")
        assert page.has_figure
        assert page.column("seed") == ["0", "1"]
        assert reads == []
    study()
    page.press("Refresh")
    assert sorted(page.column("seed")) == ["0", "1", "2", "3", "4"]


def test_conditions_leave_the_rows_for_which_all_of_them_hold(study, look):
    page = look(study())
    page.filter("run.prompt", text="HÜND")
    assert set(page.column("run.prompt")) == {"ein Hündchen 犬"}
    page.filter("seed", from_="1", to="3")
    assert page.column("seed") == ["1", "2", "3"]
    assert "where={'run.prompt': ['ein Hündchen 犬'], 'seed': slice(1, 3, None)}" in page.figure_code
    page.filter("error", "has a value")
    assert page.column("seed") == []
    assert "No row" in page.section_message
    page.press("error has a value ✕")
    page.press("run.prompt = ein Hündchen 犬 ✕")
    assert len(page.column("seed")) == 9


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("seed", {"from_": "one"}, "'one'"),
        ("seed", {"from_": "nan"}, "'nan'"),
        ("seed", {"from_": "3", "to": "1"}, "3 to 1"),
        ("run.prompt", {"text": "a zebra"}, "'a zebra'"),
    ],
)
def test_a_condition_that_cannot_be_is_told_and_the_table_stays(study, look, column, values, told):
    page = look(study())
    page.filter(column, **values)
    assert told in page.alerts[0]
    assert len(page.column("seed")) == 12


def test_a_measure_over_a_factor_is_drawn_of_the_rows_that_are_filtered(study, look):
    page = look(study())
    with pytest.raises(TraceError, match="figure of"):
        page.explorer.figure()
    page.filter("seed", from_="1", to="2")
    page.set("figure of", "ink")
    page.set("over", "run.prompt")
    assert page.has_figure
    assert "sdx.views.study_distribution(study, 'ink', over='run.prompt', where={'seed'" in page.figure_code
    assert set(page.explorer.figure().data) == set(PROMPTS)


def test_a_row_s_run_is_opened_as_it_was_kept_or_made_again(study, look, tmp_path):
    page = look(study(keep=source.is_bright))
    page.sort("ink")
    page.open_row(0)
    assert page.explorer.trace.latents[0, 0, 0, 0] == pytest.approx(float(page.column("ink")[0]), rel=1e-3)
    assert "Shown is the run" in page.section_message
    assert [row["opened"] for row in page.table.page["rows"]].count(True) == 1
    shutil.rmtree(tmp_path / "study" / "_traces")
    page.sort("ink")
    page.open_row(0)
    assert [len(page.explorer.history.traces), page.alerts] == [2, []]
    assert page.explorer.trace is page.explorer.history.traces[0]


def test_a_folder_calls_no_function(study, look):
    page = look(str(study().folder))
    page.open_row(0)
    assert "study_sources:numbers" in page.alerts[0]
    assert page.explorer.trace is None


def test_a_run_that_is_made_again_stops_after_its_step(study, look, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    page = look(study(runs=[{"prompt": "long", "wait_for": str(gate), "steps": 50}]))
    gate.unlink()
    page.table._handle_custom_msg({"kind": "open", "identity": page.table.page["rows"][0]["identity"]}, [])
    page.press("Stop")
    gate.touch()
    assert page.explorer.wait(30.0)
    assert page.explorer.trace is None
    assert page.find("Stop").disabled


def test_a_run_that_comes_out_otherwise_is_told_and_shown_when_asked_for(study, look, tmp_path):
    mended = tmp_path / "mended"
    page = look(study(source=source.changing, load={"flag": str(mended)}))
    mended.touch()
    page.open_row(0)
    assert "ink was" in page.alerts[0]
    page.set("compared with its row", value=False)
    page.open_row(0)
    assert page.alerts == []
    assert page.explorer.trace is not None


def test_the_table_follows_a_study_that_grows_and_gets_a_measure(study, look):
    first = study(runs=sdx.grid(prompt=["a cat"], seed=range(2)))
    page = look(str(first.folder))
    assert page.column("seed") == ["0", "1"]
    with pytest.warns(UserWarning, match="made again"):
        study(measure=[source.ink, source.letters])
    page.press("Refresh")
    assert "15 rows" in page.text
    assert set(page.column("letters.letters")) == {"5", "14"}


def test_an_empty_study_one_of_errors_and_one_that_is_gone_are_told_in_words(study, look, tmp_path):
    page = look(study(run=False))
    assert "0 rows of 15 planned runs" in page.text
    bad = study(runs=[{"prompt": "bad", "fail": "no <b>luck</b>"}] * 1, to=tmp_path / "bad")
    other = look(bad)
    assert other.column("error") == ["ValueError: no <b>luck</b>"]
    assert "1 with an error" in other.text
    other.open_row(0)
    assert "no <b>luck</b>" in other.alerts[0]
    shutil.rmtree(bad.folder)
    torn = study(to=tmp_path / "torn")
    next(torn.folder.glob("part-*")).write_bytes(b"PAR1")
    with pytest.warns(UserWarning, match="damaged"):
        assert "is damaged and left out" in look(torn).text
    gone = look(study(to=tmp_path / "third").folder)
    shutil.rmtree(tmp_path / "third")
    gone.press("Refresh")
    assert str(tmp_path / "third") in gone.alerts[0]
    assert gone.table.page == {}


def test_a_study_has_no_setting_of_a_run_and_other_sections_say_what_they_wait_for(study, look):
    made = study()
    with pytest.raises(RunError, match="strength"):
        sdx.explore(made, strength=0.5)
    page = look(made)
    page.open("Attention")
    assert "Study" in page.section_message
