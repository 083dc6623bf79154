"""Lines of code name the user's own variables."""

import sys
from types import SimpleNamespace

import pytest
import synthetic
from dashboards import PROMPT, Page

import sdexplore as sdx
from sdexplore.dashboard import names
from sdexplore.dashboard.names import written


@pytest.fixture
def variables(monkeypatch):
    """The variables of a notebook."""
    found = {}
    monkeypatch.setattr(names, "notebook", lambda: found)
    return found


@pytest.mark.parametrize(
    ("line", "own"),
    [
        (
            "sdx.views.attention(trace, ['trace'])  # from trace 0a",
            "sdx.views.attention(mine, ['trace'])  # from trace 0a",
        ),
        ("trace = sdx.run(pipe, 'a pipe', seed=0)", "mine = sdx.run(sd, 'a pipe', seed=0)"),
        ("trace, = sdx.compare(pipe, over={'seed': [1]})", "mine, = sdx.compare(sd, over={'seed': [1]})"),
        ("f(trace=trace, x=trace.trace)", "f(trace=mine, x=mine.trace)"),
        ("not 'code (trace", "not 'code (trace"),
    ],
)
def test_a_name_is_replaced_where_it_is_a_variable(variables, line, own):
    trace, pipe = object(), object()
    variables |= {"_3": trace, "mine": trace, "sd": pipe}
    assert written(line, {"trace": trace, "pipe": pipe, "explorer": None}) == own
    variables["trace"], variables["pipe"] = trace, pipe  # the usual names are the user's too
    assert written(line, {"trace": trace, "pipe": pipe}) == line


def test_the_variables_are_those_of_ipython(monkeypatch):
    shell = SimpleNamespace(user_ns={"mine": 3})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert names.notebook() == {"mine": 3}


def test_outside_of_a_notebook_names_are_the_usual_ones(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert written("trace", {"trace": object()}) == "trace"


def test_every_line_of_a_dashboard_has_the_users_names(variables, tiny):
    variables["sd"] = tiny
    explorer = variables["board"] = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=1, section="Denoising")
    explorer._repr_mimebundle_()  # the cell shows it
    page = Page(explorer)
    assert page.code.startswith("trace = sdx.run(sd, ")
    variables["first"] = explorer.run(wait=True)
    explorer.show(variables["first"])
    assert page.code.startswith("first = sdx.run(sd, ")
    assert "board.state.update(section=" in page.code
    assert "sdx.views.guidance(first" in page.open("Guidance").figure_code
    explorer.close()


def test_a_stored_traces_line_opens_its_file_and_there_is_no_bar(variables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.trace().save("one.safetensors")
    explorer = sdx.explore("one.safetensors")
    page = Page(explorer)
    scope = {"sdx": sdx}
    exec(page.code.splitlines()[0], scope)  # noqa: S102  (the line that is shown must be the truth)
    assert scope["trace"].fingerprint == explorer.trace.fingerprint
    assert "sdx.Trace.load('one.safetensors')" in page.code
    assert page.bar is None
    explorer.close()
    variables["kept"] = sdx.Trace.load("one.safetensors")
    explorer = sdx.explore(variables["kept"])
    assert Page(explorer).code.startswith("kept = sdx.Trace.load('one.safetensors')")
    explorer.close()
    explorer = sdx.explore(synthetic.trace())
    assert Page(explorer).code.startswith("trace  # trace ")
    explorer.close()
