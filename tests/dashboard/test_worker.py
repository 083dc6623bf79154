"""The worker's thread and the way back to the main thread."""

import asyncio
import threading

from sdexplore.dashboard.worker import MainThread, Worker


def test_the_newest_job_wins_and_the_one_before_is_asked_to_stop():
    worker, started, order = Worker(), threading.Event(), []

    def long(cancelled):
        started.set()
        while not cancelled():
            started.wait(0.001)
        order.append("first was stopped")

    worker.submit(long)
    started.wait()
    worker.submit(lambda _: order.append("second never ran"))
    worker.submit(lambda cancelled: order.append(("third ran", cancelled())))
    assert worker.wait(30.0)
    assert order[0] == "first was stopped"
    assert order[-1] == ("third ran", False)
    assert not worker.busy
    worker.close()


def test_stop_ends_what_runs_and_forgets_what_waits():
    worker, started, order = Worker(), threading.Event(), []

    def long(cancelled):
        started.set()
        while not cancelled():
            started.wait(0.001)
        order.append(worker.waiting)

    worker.submit(long)
    started.wait()
    worker.stop()
    assert worker.wait(30.0)
    assert order == [False]
    worker.submit(lambda _: order.append("works again"))
    assert worker.wait(30.0)
    assert order[-1] == "works again"
    worker.close()


def test_a_closed_worker_ends_its_thread():
    worker, threads = Worker(), []
    worker.submit(lambda _: threads.append(threading.current_thread()))
    assert worker.wait(30.0)
    (thread,) = threads
    worker.close()
    thread.join(30)
    assert not thread.is_alive()


def test_calls_come_back_to_the_main_thread_in_order():
    async def main():
        place, seen = MainThread(), []

        def elsewhere():
            for number in range(5):
                place.call(lambda number=number: seen.append((number, threading.get_ident())))

        await asyncio.to_thread(elsewhere)
        await asyncio.sleep(0)
        place.call(lambda: seen.append((5, threading.get_ident())))
        return seen

    seen = asyncio.run(main())
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4, 5]
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_without_a_loop_calls_wait_to_be_flushed():
    place, seen = MainThread(), []
    thread = threading.Thread(target=lambda: place.call(lambda: seen.append(1)))
    thread.start()
    thread.join()
    assert seen == []
    place.flush()
    assert seen == [1]
