"""Warnings name the line that the user wrote, whatever lies between it and sdexplore."""

import ast
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny_families import picture
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.base.user_warnings import warn_user

ROOT = Path(sdx.__file__).parent
PROMPT = "a photo of a cat"
MISSING = sdx.Record(layers=("mid_block", "up_blocs.1"), decode=0)  # which one layer of two fits
UNSEEN = sdx.Record(steps=slice(20, None), decode=0)  # which only the run can tell
SHORT = {"num_inference_steps": 1}

CALLS = {
    "run": lambda pipe: sdx.run(pipe, PROMPT, record=MISSING, **SHORT),
    "run, at its end": lambda pipe: sdx.run(pipe, PROMPT, record=UNSEEN, **SHORT),
    "run without a type checker": lambda pipe: unchecked("model.runs.run_pipeline").run(
        pipe, PROMPT, record=UNSEEN, **SHORT
    ),
    "compare": lambda pipe: sdx.compare(pipe, PROMPT, over={"seed": [0]}, record=MISSING, **SHORT),
    "compare, at its end": lambda pipe: sdx.compare(pipe, PROMPT, over={"seed": [0]}, record=UNSEEN, **SHORT),
    "look": lambda pipe: sdx.look(pipe, picture(), PROMPT, t=500, record=MISSING),
    "invert": lambda pipe: sdx.invert(pipe, picture(), PROMPT, record=MISSING, **SHORT),
    "interpolation": lambda pipe: sdx.interpolation(pipe, PROMPT, "a dog", (0.5,), record=MISSING, **SHORT),
    "cost": lambda pipe: sdx.cost(pipe, MISSING),
}


def lines_of(call):
    """The file and line of every warning of a call."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call()
    return {(one.filename, one.lineno) for one in told if "Record(" in str(one.message)}


@pytest.mark.parametrize("name", CALLS)
def test_a_warning_points_at_the_line_that_calls(tiny, name):
    call = CALLS[name]
    assert {file for file, _ in lines_of(lambda: call(tiny))} == {__file__}


def test_it_is_the_very_line(tiny):
    def call():
        return sdx.run(tiny, PROMPT, record=MISSING, **SHORT)

    assert lines_of(call) == {(__file__, call.__code__.co_firstlineno + 1)}


def test_a_dashboard_is_opened_without_a_warning_of_ours_at_its_own_lines(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, record=UNSEEN, **SHORT)
    try:
        found = lines_of(lambda: explorer.run(wait=True))
        assert not [file for file, _ in found if Path(file).is_relative_to(ROOT)]
    finally:
        explorer.wait(60.0)
        explorer.close()


def test_a_callback_of_the_user_is_the_users_line(tiny):
    def follow(_progress):
        warn_user("Record( of a callback")

    found = lines_of(lambda: sdx.run(tiny, PROMPT, record=sdx.Record(decode=0), on_step=follow, **SHORT))
    assert found == {(__file__, follow.__code__.co_firstlineno + 1)}


def test_a_thread_without_a_line_of_the_user_warns_all_the_same():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        thread = threading.Thread(target=warn_user, args=("from a thread",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(warn_user, "from a pool").result()
    assert [str(one.message) for one in told] == ["from a thread", "from a pool"]


def test_a_warning_is_shown_once_a_line():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(2):
            warn_user("twice from here")
    assert len(told) == 1


def test_every_warning_of_sdexplore_goes_this_way():
    """No other file calls `warnings.warn`, whose stack level would count frames."""
    found = [
        f"{path.relative_to(ROOT)}, line {node.lineno}"
        for path in ROOT.rglob("*.py")
        if path != ROOT / "base" / "user_warnings.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        and (getattr(node, "attr", None) in ("warn", "warn_explicit") or getattr(node, "id", None) == "warn")
    ]
    assert found == []
