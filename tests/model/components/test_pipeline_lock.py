"""Runs of one pipeline wait in the order in which they came; a run that is given up leaves the queue."""

import threading
import time

import pytest

import sdexplore as sdx
from sdexplore.model.components.pipeline_lock import PipelineLock, lock_of
from sdexplore.model.series.queued_runs import run_unless

SHORT = {"num_inference_steps": 3, "record": sdx.Record(decode=0)}


def waiting(lock, number):
    """Returns once so many threads are queued behind the one that runs."""
    while len(lock._queue) <= number:
        time.sleep(0.001)


def test_who_came_first_runs_first():
    lock, order, threads = PipelineLock(), [], []

    def run(name):
        with lock:
            order.append(name)

    with lock:
        for name in range(5):
            threads.append(threading.Thread(target=run, args=(name,)))
            threads[-1].start()
            waiting(lock, name + 1)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_who_gives_up_leaves_the_queue_and_ran_nothing():
    lock, given_up, order = PipelineLock(), threading.Event(), []

    def impatient():
        try:
            with lock.turn(given_up.is_set):
                order.append("impatient")
        except sdx.Stopped as stopped:
            order.append(stopped)

    def patient():
        with lock:
            order.append("patient")

    first, second = threading.Thread(target=impatient), threading.Thread(target=patient)
    with lock:
        first.start()
        waiting(lock, 1)
        second.start()
        waiting(lock, 2)
        given_up.set()
        first.join()
        assert len(order) == 1
        assert "nothing was run" in str(order[0])
        assert order[0].trace is None
    second.join()
    assert order[1] == "patient"


def test_the_lock_is_free_after_an_error(tiny):
    def fail(_progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sdx.run(tiny, "a cat", on_step=fail, **SHORT)
    assert not lock_of(tiny)._queue
    sdx.run(tiny, "a cat", **SHORT)


def test_a_run_within_its_own_run_is_refused(tiny):
    with pytest.raises(sdx.RunError, match="in the middle of a run of this very thread"):
        sdx.run(tiny, "a cat", on_step=lambda _: sdx.run(tiny, "a dog", **SHORT), **SHORT)


def test_a_run_given_up_after_a_step_holds_its_steps_and_its_preview(tiny):
    steps = []

    def seen(progress):
        progress.preview()
        steps.append(progress.step)

    with pytest.raises(sdx.Stopped) as stopped:
        run_unless(lambda: len(steps) == 2, tiny, "a cat", seed=0, on_step=seen, num_inference_steps=5)
    assert steps == [0, 1]
    trace = stopped.value.trace
    assert trace.num_steps == 3  # asked after each step, so the third was the last
    assert trace.image is None
    assert not trace.decoded
    assert trace.latent_rgb.shape == (5, 3)  # known before the stop: kept, so that the steps can be looked at
    sdx.views.denoising(trace)
