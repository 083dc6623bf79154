"""`sdexplore` in a terminal: what is printed where, and with which status it ends."""

import subprocess
import sys

import pytest
import synthetic

from sdexplore.magics.command_line import main


def typed(capsys, *arguments):
    """The status, and what was written to stdout and stderr."""
    status = 0
    try:
        main(arguments)
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return synthetic.trace().save(tmp_path_factory.mktemp("saved here") / "a cat.safetensors")


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_without_a_command_it_says_what_there_is(arguments, capsys):
    status, out, err = typed(capsys, *arguments)
    assert (status, err) == (0, "")
    assert all(f"\n  {name} " in out for name in ("inspect", "doctor", "page"))
    assert "%sdexplore COMMAND" not in out


def test_the_page_of_a_trace_lies_beside_it_or_where_one_says(saved, tmp_path, capsys):
    status, out, _ = typed(capsys, "page", str(saved))
    assert (status, out) == (0, f"{saved.with_suffix('.html')}\n")
    status, out, _ = typed(capsys, "page", "--to", str(tmp_path / "new" / "cat.html"), str(saved))
    assert (status, out) == (0, f"{tmp_path / 'new' / 'cat.html'}\n")
    pages = [saved.with_suffix(".html"), tmp_path / "new" / "cat.html"]
    assert [path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>") for path in pages] == [True, True]


def test_a_checkpoint_is_inspected_and_a_pipeline_is_examined(capsys):
    status, out, _ = typed(capsys, "inspect", "mini")
    assert (status, "loads as StableDiffusionPipeline" in out) == (0, True)
    status, out, _ = typed(capsys, "doctor", "mini", "--scheduler", "Euler", "--device", "cpu")
    assert (status, "EulerDiscreteScheduler" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("pag", "x"), 2, "'page'"),
        (("run", "a cat"), 2, "'run'"),
        (("page",), 2, "path of a saved trace"),
        (("page", "x.safetensors", "--too", "y.html"), 2, "did you mean '--to'?"),
        (("page", "x.safetensors", "--trace", "t"), 2, "--trace"),
        (("page", "x.safetensors", "--to"), 2, "--to"),
        (("page", "nothing here.safetensors"), 1, "'nothing here.safetensors'"),
        (("inspect", "min"), 1, "did you mean 'mini'?"),
        (("doctor", "mini", "--scheduler", "Eulr"), 1, "'Eulr'"),
    ],
)
def test_what_is_not_valid_ends_with_a_line_that_says_why(arguments, status, said, capsys):
    found, out, err = typed(capsys, *arguments)
    assert (found, out, err.count("\n")) == (status, "", 1)
    assert said in err
    assert "%sdexplore" not in err


def test_help_of_a_command_names_its_options_alone(capsys):
    status, out, _ = typed(capsys, "page", "--help")
    assert status == 0
    assert "sdexplore page [options] TEXT" in out
    assert "--to" in out
    assert "--trace" not in out
    assert "%" not in out


def test_it_starts_without_torch():
    code = "import sys; from sdexplore.magics import command_line; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
