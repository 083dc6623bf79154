"""Every block of code in the README runs, in the order and the form in which a reader types it."""

import json
import re
from pathlib import Path

import diffusers
import matplotlib.image
import pytest

import sdexplore as sdx
from sdexplore.base.options import options
from sdexplore.model.interventions.family_table import changes_by_family

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = TEXT[TEXT.index("## 日本語") : TEXT.index("## How it is built")]
ENGLISH = TEXT.replace(JAPANESE, "")


@pytest.fixture
def hub(monkeypatch):
    """In place of the hub: `from_pretrained` gives the embedded model, and `.to("cuda")` leaves it where it is."""
    asked, of_files, moved = [], diffusers.DiffusionPipeline.from_pretrained, diffusers.DiffusionPipeline.to

    def from_pretrained(source, **options):
        if "/" not in str(source) or Path(source).exists():
            return of_files(source, **options)
        asked.append(source)
        return sdx.load()

    def to(self, *args, **options):
        return asked.append("cuda") if args == ("cuda",) else moved(self, *args, **options)

    monkeypatch.setattr(diffusers.DiffusionPipeline, "to", to)
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", from_pretrained)
    return asked


def run_blocks(text):
    """The names that the Python blocks of a text leave, run one after the other."""
    names = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
        exec(compile(block, f"README block {number}", "exec"), names)  # noqa: S102  (what a reader would type)
    return names


def test_every_python_block_runs(tmp_path, monkeypatch, capsys, hub):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    names = run_blocks(ENGLISH)
    assert hub == ["stable-diffusion-v1-5/stable-diffusion-v1-5", "cuda"]
    assert "did you mean 'rocket'?" in capsys.readouterr().out
    assert names["trace"].latents.shape == (26, 4, 32, 32)  # as its comments say
    assert names["cat"].shape == (32, 32)
    assert names["cat"].max() > names["sdx"].word_map(names["trace"], "and").max()
    assert (tmp_path / "images" / "cat.png").stat().st_size > 10_000
    assert "cat" in names["picture"].alt
    assert len(names["study"].table()) == 4


def test_every_python_block_of_the_japanese_section_runs(tmp_path, monkeypatch, hub):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    names = run_blocks(JAPANESE)
    assert hub == ["stable-diffusion-v1-5/stable-diffusion-v1-5", "cuda"]
    assert names["picture"].lang == "ja"
    assert options().lang == "en"
    assert (tmp_path / "articles" / "hajimete-no-zukai.md").is_file()
    assert (tmp_path / "images" / "hajimete-no-zukai" / "001.png").is_file()


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", TEXT))
def test_every_link_and_picture_is_there(target):
    if target.startswith("#"):
        assert f"\n## {target[1:]}\n" in TEXT
        return
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
    commands = re.findall(r"\$ make ([\w-]+)", ENGLISH)
    assert commands == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in commands)


def test_its_table_of_changes_is_what_the_families_say():
    assert f"\n{changes_by_family()}\n" in TEXT
