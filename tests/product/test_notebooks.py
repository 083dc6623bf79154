"""Every notebook runs from top to bottom on the embedded model, and is committed with its output and pictures."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def pictures(notebook):
    return [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, kernels, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    folder = tmp_path / "notebooks"  # so that ../images is not the folder of the project
    folder.mkdir()
    (tmp_path / "images" / "demo").mkdir(parents=True)
    if (table := path.with_suffix("")).is_dir():  # a study that was made once
        shutil.copytree(table, folder / table.name)
    notebook = nbformat.read(path, as_version=4)
    committed = len(pictures(notebook))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    assert len(pictures(notebook)) == committed
    if path.stem.startswith("01"):
        found = sorted(file.name for file in (tmp_path / "images" / "demo").iterdir())
        assert found == sorted(
            [
                "astronaut.safetensors",
                *(
                    f"{name}.png"
                    for name in (
                        "attention",
                        "components",
                        "denoising",
                        "guidance",
                        "guidance_on_off",
                        "latents",
                        "story",
                        "tokens",
                        "tokens_japanese",
                        "tree",
                    )
                ),
            ]
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_as_a_reader_should_find_it(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 25
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))  # run once, in order
    assert pictures(notebook)
    assert "widgets" not in notebook.metadata
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert os.path.expanduser("~") + os.sep not in text  # noqa: PTH111  (a string is wanted)
    assert path.stat().st_size < 5 * 2**20
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert "0%|" not in "".join(output.get("data", {}).get("text/plain", ""))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_code_cell_names_the_model_in_one_line(path):
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert first.source.startswith('MODEL = "mini"')
    assert len(first.source.splitlines()) == 1
