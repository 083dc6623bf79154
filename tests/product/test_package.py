"""The wheel carries the embedded model, and works in a fresh environment without the repository."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_carries_the_model_the_licences_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for needed in (
        "sdexplore/mini/pipeline/model_index.json",
        "sdexplore/mini/pipeline/unet/diffusion_pytorch_model.safetensors",
        "sdexplore/mini/pipeline/tokenizer/tokenizer.json",
        "sdexplore/mini/world/atlas.npz",
        "sdexplore/mini/MODEL_CARD.md",
        "sdexplore/browser/js/mounting.mjs",
        "sdexplore/browser/js/style.css",
        "sdexplore/py.typed",
    ):
        assert needed in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if name.split("/")[0] not in ("sdexplore", "sdexplore-0.1.0.dist-info")]
    assert not [name for name in names if "__pycache__" in name or re.search(r"(^|[/_])tests?([/_.]|$)", name)]


def required(requirements):
    """The installed distributions that these requirements ask for, directly or not, by name."""
    found, asked = {}, list(requirements)
    while asked:
        requirement = Requirement(asked.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        asked += found[name].requires or ()
    return found


def link(installed, site):
    """Puts a distribution into an environment without a copy of its files."""
    for name in {file.parts[0] for file in installed.files} - {"..", "__pycache__"}:
        if not (site / name).exists():
            (site / name).symlink_to(installed.locate_file(name))


def test_the_wheel_draws_in_a_fresh_environment(wheel, tmp_path):
    """It holds what the wheel requires and nothing else: what the tests need beside that is not there."""
    folder = tmp_path / "fresh"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", wheel], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (metadata,) = site.glob("sdexplore-*.dist-info")
    for installed in required(Distribution.at(metadata).requires).values():
        link(installed, site)
    script = (
        "import sdexplore as sdx; pipe = sdx.load(); pipe.set_progress_bar_config(disable=True);"
        "trace = sdx.run(pipe, 'a red circle on a white background', num_inference_steps=2);"
        "sdx.views.attention(trace, ['circle']).save('map.png'); print(sdx.__file__, trace.provenance['model'])"
    )
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path, env=alone)
    assert str(folder) in done.stdout
    assert done.stdout.split()[-1] == "mini"
    assert (tmp_path / "map.png").stat().st_size > 5_000
    done = subprocess.run(
        [python.parent / "sdexplore", "help"], check=True, capture_output=True, text=True, cwd=tmp_path, env=alone
    )
    assert "sdexplore page" in done.stdout
    done = subprocess.run([*pip, "check"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
