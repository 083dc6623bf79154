"""Studies on executors of `concurrent.futures`."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
import study_sources as source

import sdexplore as sdx
from sdexplore.base.errors import RunError
from sdexplore.studies.keeping import Keep
from sdexplore.studies.packs import packed, rows_of_pack
from sdexplore.studies.planned import planned_run
from sdexplore.studies.work import Task, Work


def test_threads_make_the_rows_that_this_thread_makes(study, tmp_path):
    here = study()
    here.run()
    with ThreadPoolExecutor(2) as pool:
        made = study(to=tmp_path / "pool")
        assert made.run(pool).rows == 6
    columns = ["identity", "ink", "fingerprint"]
    one, other = (found.table(columns).sort_values("identity").to_numpy().tolist() for found in (here, made))
    assert one == other


def test_a_process_that_is_killed_breaks_the_executor_and_the_next_goes_on(study, tmp_path):
    killed = tmp_path / "killed"
    runs = [{"prompt": "a cat"}, *({"prompt": f"run {n}", "kill_once": str(killed)} for n in range(4))]
    made = study(runs=runs)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool, pytest.raises(RunError, match="new executor"):
        made.run(pool, window=1)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert made.run(pool, per_task=2).rows == 5
    assert made.errors().empty


def test_a_stop_ends_threads_after_their_step(study):
    made = study(runs=[{"prompt": "short"}, *({"prompt": f"{n}", "steps": 1000, "seconds": 0.05} for n in range(8))])
    with ThreadPoolExecutor(2) as pool:
        assert made.run(pool, on_row=lambda _: made.stop()).stopped
    assert made.table()["run.prompt"].tolist() == ["short"]


def test_what_takes_no_work_is_refused(study):
    with pytest.raises(RunError, match=r"dask\.distributed"):
        study().run(object())
    with pytest.raises(RunError, match="resources"):
        study().run(resources={"GPU": 1})
    with pytest.raises(RunError, match="window=0"):
        study().run(window=0)
    with ThreadPoolExecutor(1) as pool:
        pool.shutdown()
        with pytest.raises(RunError, match="new one"):
            study(source=source.numbers).run(pool)


def test_what_travels_with_a_pack_of_runs_is_small_and_all_that_a_worker_needs(study):
    made = study()
    kept = Work(source.numbers, {}, sdx.Record(decode=0), (), Keep(), str(made.folder))
    tasks = tuple(Task(planned_run({"prompt": "a cat", "seed": seed}, seed, {})) for seed in range(25))
    sent = packed(kept), packed(tasks)
    assert sum(map(len, sent)) < 4000  # Dask's logs keep a thousand of these, more than once
    assert [row["seed"] for row in rows_of_pack(*sent)] == list(range(25))
