"""Studies on a real Dask cluster of two workers, with what can go wrong there."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import distributed
import pytest
import study_sources as source

from sdexplore.base.errors import RunError

MEMORY = "0"  # no limit, so that nothing watches it


@pytest.fixture(scope="module")
def cluster():
    """Two workers, processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=MEMORY, silence_logs="CRITICAL"
    ) as found:
        yield found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as found:
        found.wait_for_workers(2)
        yield found


def runs(count, **arguments):
    return [{"prompt": f"run {number}", **arguments} for number in range(count)]


def test_each_worker_loads_the_source_once_and_every_run_has_one_row(study, client, tmp_path):
    note = tmp_path / "loads"
    made = study(load={"loads": str(note)}, runs=runs(20, seconds=0.02))
    seen = []
    done = made.run(client, on_row=seen.append)
    assert (done.rows, done.errors) == (20, 0)
    assert [one.made for one in seen] == list(range(1, 21))
    loads = note.read_text().split()
    assert len(loads) == len(set(loads)) == 2
    assert str(os.getpid()) not in loads
    assert made.table()["identity"].nunique() == 20
    assert made.run(client).made == 0


def test_a_killed_worker_s_runs_are_made_again(study, client, tmp_path):
    made = study(runs=runs(10, kill_once=str(tmp_path / "killed"), seconds=0.02))
    done = made.run(client)
    assert (tmp_path / "killed").exists()
    assert (done.rows, done.errors) == (10, 0)
    assert made.table()["identity"].nunique() == 10


def test_a_run_that_raises_is_a_row_and_the_study_goes_on(study, client, tmp_path):
    mended = tmp_path / "mended"
    made = study(runs=[*runs(4), {"prompt": "a bad one", "fail": "no luck", "then": str(mended)}])
    assert made.run(client).errors == 1
    assert made.errors()["run.prompt"].tolist() == ["a bad one"]
    mended.touch()
    with pytest.warns(UserWarning, match="failed"):
        made.run(client, retry_errors=True)
    assert made.errors().empty


def test_a_source_that_no_worker_can_load_is_told_once(study, client):
    with pytest.raises(RunError, match="no weights here"):
        study(source=source.no_source).run(client)


def test_a_resource_that_no_worker_has_is_told_at_once(study, client):
    made = study()
    with pytest.raises(RunError, match=r"no worker has 1 of 'GPU'.*none"):
        made.run(client, resources={"GPU": 1})
    assert made.run(client).rows == 6


@pytest.mark.parametrize("way", ["stop", "Ctrl-C"])
def test_a_stop_ends_runs_in_their_middle(study, client, way):
    long = [{"prompt": f"long {number}", "steps": 1000, "seconds": 0.1} for number in range(12)]
    made = study(runs=[{"prompt": "short"}, *long])

    def end(_):
        if way == "stop":
            made.stop()
        else:
            raise KeyboardInterrupt

    if way == "stop":
        assert made.run(client, on_row=end).stopped
    else:
        with pytest.raises(KeyboardInterrupt):
            made.run(client, on_row=end)
    assert not any(client.processing().values())
    assert made.table()["run.prompt"].tolist() == ["short"]
    assert client.submit(os.getpid, pure=False).result(timeout=30)  # the workers are free


DRIVER = """
    import json, sys
    import distributed
    import sdexplore as sdx, study_sources as source

    address, folder, runs = sys.argv[1:]
    study = sdx.Study(source.numbers, runs=json.loads(runs), measure=source.ink, to=folder)
    study.run(distributed.Client(address), on_row=lambda progress: print(progress.rows, flush=True))
"""


def test_a_killed_driver_loses_only_the_runs_that_were_under_way(study, client, cluster, tmp_path):
    folder, note, gate = tmp_path / "study", tmp_path / "note", tmp_path / "gate"
    asked = [
        *runs(10, note=str(note)),
        *({"prompt": f"late {number}", "note": str(note), "wait_for": str(gate)} for number in range(30)),
    ]
    support = str(Path(source.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DRIVER), cluster.scheduler_address, str(folder), json.dumps(asked)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([support, *filter(None, [os.environ.get("PYTHONPATH")])])},
    ) as driver:
        assert [int(next(driver.stdout)) for _ in range(10)] == list(range(1, 11))
        with pytest.raises(RunError, match="driver"):
            study(to=folder).run()
        driver.send_signal(signal.SIGKILL)
    gate.touch()
    made = study(runs=asked, to=folder)
    done = made.run(client)
    assert (done.made, done.rows) == (30, 40)
    assert made.table()["identity"].nunique() == len(made.table()) == 40
    often = Counter(note.read_text().split("\n"))
    assert all(often[f"run {number}"] == 1 for number in range(10))


def test_no_more_runs_are_under_way_than_the_window(study, client):
    asked = []

    def lazily():
        for number in range(60):
            asked.append(number)
            yield {"prompt": f"run {number}"}

    ahead = []
    study(runs=lazily()).run(client, window=3, on_row=lambda progress: ahead.append(len(asked) - progress.made))
    assert max(ahead) <= 3


def test_what_the_nanny_sets_for_malloc_is_undone_where_a_source_is_loaded(study, client):
    assert all(client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values())
    made = study(source=source.faults, measure=source.page_faults, runs=runs(4))
    made.run(client)
    assert made.table()["page_faults"].max() < 10_000  # without it each of 20 arrays takes 1,024
