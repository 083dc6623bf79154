"""Every block of code in the README runs, in the order and the form in which a reader types it."""

import json
import re
from pathlib import Path

import matplotlib.image
import pytest

from sdexplore.model.interventions.family_table import changes_by_family

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_python_block_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 9
    names = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"README block {number}", "exec"), names)  # noqa: S102  (what a reader would type)
    assert "did you mean 'rocket'?" in capsys.readouterr().out
    assert names["trace"].latents.shape == (26, 4, 32, 32)  # as its comments say
    assert names["cat"].shape == (32, 32)
    assert names["cat"].max() > names["sdx"].word_map(names["trace"], "and").max()
    assert (tmp_path / "images" / "cat.png").stat().st_size > 10_000
    assert names["picture"].alt.startswith("Heat maps of the cross-attention to cat")


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", TEXT))
def test_every_link_and_picture_is_there(target):
    path = ROOT / target
    assert path.exists()
    if path.suffix == ".png":
        assert matplotlib.image.imread(path).std() > 0.05


@pytest.mark.parametrize("key", ["attention", "denoising", "guidance", "tokens"])
def test_its_pictures_are_those_of_the_project_s_own_article(key):
    article = ROOT / "images" / "a-small-model-from-inside"
    file = json.loads((article / "manifest.json").read_text(encoding="utf-8"))["pictures"][key]["file"]
    assert (ROOT / "images" / "readme" / f"{key}.png").read_bytes() == (article / file).read_bytes()


def test_the_two_commands_are_make_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"\$ make ([\w-]+)", TEXT)
    assert commands == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in commands)


def test_its_table_of_changes_is_what_the_families_say():
    assert f"\n{changes_by_family()}\n" in TEXT
