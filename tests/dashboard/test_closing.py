"""A dashboard that is closed, or whose cell is run again, leaves nothing behind."""

import gc
import sys
import threading
import weakref
from types import SimpleNamespace

import comm
import ipywidgets
import matplotlib.pyplot as plt
import pytest
import synthetic
from dashboards import PROMPT, Page
from matplotlib.figure import Figure

import sdexplore as sdx


def left(pipe=None):
    """How much there is of what a dashboard could leave behind."""
    gc.collect()
    held = gc.get_objects()
    modules = [] if pipe is None else [module for part in (pipe.unet, pipe.vae) for module in part.modules()]
    return {
        "widgets": len(ipywidgets.Widget.get_manager_state()["state"]),
        "comms": len(comm.get_comm_manager().comms),
        "threads": sum(thread.name.startswith("sdexplore") for thread in threading.enumerate()),
        "figures": sum(issubclass(type(one), Figure) for one in held),
        "pyplot": len(plt.get_fignums()),
        "hooks": sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules),
    }


def looked_at(explorer):
    """References to a dashboard and what it is made of, after each of its sections was opened."""
    page = Page(explorer)
    for title in page.titles:
        page.open(title)
    board = explorer.board
    return [weakref.ref(one) for one in (explorer, board, board.state, board.worker, explorer.history)]


def ended():
    """Waits for the threads of closed dashboards."""
    for thread in threading.enumerate():
        if thread.name.startswith("sdexplore"):
            thread.join(30)


def test_fifty_dashboards_of_a_trace_leave_nothing_behind():
    trace, gone = synthetic.trace(), []
    explorer = sdx.explore(trace)  # the first loads modules, and fills caches of texts and layouts
    looked_at(explorer)
    explorer.close()
    before = left()
    for number in range(50):
        explorer = sdx.explore(trace, section="Tokens")
        gone += looked_at(explorer) if number == 25 else [weakref.ref(explorer)]
        explorer.close()
    del explorer
    assert left() == before
    assert [one() for one in gone if one() is not None] == []


def test_dashboards_that_ran_a_pipeline_leave_nothing_behind(tiny):
    gone, before = [], None
    for _ in range(2):
        explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=1, section="Denoising")
        explorer.run(wait=True)
        gone += [*looked_at(explorer), weakref.ref(explorer.trace)]
        page = Page(explorer).open("Compare")
        page.set("values", "1, 2")
        page.press("Compare")
        assert explorer.wait(60.0)
        page.open("Change").press("Unchanged and changed")
        assert explorer.wait(60.0)
        assert page.has_figure
        explorer.close()
        ended()
        del explorer, page
        before = before or left(tiny)
    assert left(tiny) == before
    assert before["hooks"] == before["threads"] == 0
    assert [one() for one in gone if one() is not None] == []


def test_a_closed_dashboard_in_the_middle_of_a_run_ends_its_threads(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=50)
    page = Page(explorer)
    explorer.run()
    page.wait_for(lambda: page.steps_done)
    explorer.close()
    ended()
    assert left(tiny)["threads"] == left(tiny)["hooks"] == 0


@pytest.fixture
def cell(monkeypatch):
    """A function that says which cell is run, by which execution."""
    parent = {}
    shell = SimpleNamespace(get_parent=lambda: parent, user_ns={})
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)

    def run(cell, execution):
        parent.update(metadata={"cellId": cell}, header={"msg_id": execution})

    return run


def test_a_cell_that_is_run_again_closes_its_older_dashboards_and_no_others(cell, trace):
    cell("other", "0")
    other = sdx.explore(trace)
    cell("mine", "1")
    first, second = sdx.explore(trace), sdx.explore(trace)
    assert not first.board.closed
    cell("mine", "2")
    again = sdx.explore(trace)
    assert [one.board.closed for one in (first, second, again, other)] == [True, True, False, False]
    again.close()
    other.close()


def test_outside_of_cells_every_dashboard_stays(cell, trace):
    cell("", "1")
    first = sdx.explore(trace)
    cell("", "2")
    second = sdx.explore(trace)
    assert not first.board.closed
    first.close()
    second.close()
