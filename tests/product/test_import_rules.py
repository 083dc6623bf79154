"""Who may import whom: levels, rooms, outside packages; and that importing sdexplore stays light."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sdexplore
from sdexplore import views

ROOT = Path(sdexplore.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MOST_LINES = 400

# A room is a folder, or the single files of one level; it imports from lower levels and from itself.
LEVELS = {
    0: {"base": ("errors", "display", "drafts", "naming", "theory", "ddpm", "embeddings")},
    1: {
        "records": (
            *(
                "tokenization",
                "words",
                "pieces",
                "tokenparts",
                "anatomy",
                "checkpoint",
                "fit",
                "record",
                "picture",
                "placements",
                "rasters",
                "pngs",
                "theming",
                "previews",
                "costs",
                "calibrations",
                "diagnosis",
                "benchmarks",
            ),
            *("trace", "traceparts", "traceassembly", "tracefile", "traces", "tracedraft", "datatree", "schedules"),
            *("textencodings", "occlusions", "reconstructions", "architectures", "checks"),
        )
    },
    2: {"analysis": ("analysis",), "model": ("model",), "mini": ("mini",)},
    3: {"views": ("views",), "canvas": ("canvas",), "calibration": ("calibration",)},
    4: {"publish": ("publish",)},
    5: {"widgets": ("widgets",)},
    6: {"faces": ("magics", "reproduction", "bench", "")},
}
ROOMS = {top: (room, level) for level, rooms in LEVELS.items() for room, tops in rooms.items() for top in tops}
WITHOUT_MODEL = (
    "analysis",
    "views",
    "canvas",
    "publish",
)  # a saved trace is opened and shown without torch

MODEL = {
    "numpy",
    "jaxtyping",
    "torch",
    "diffusers",
    "transformers",
    "torchinfo",
    "safetensors",
    "huggingface_hub",
    "psutil",
    "PIL",
}
OUTSIDE = {
    "base": {"numpy", "jaxtyping"},
    "records": {"numpy", "jaxtyping", "safetensors"},
    "analysis": {"numpy", "jaxtyping"},
    "model": MODEL,
    "mini": MODEL | {"tokenizers"},
    "views": {"numpy", "jaxtyping", "matplotlib"},
    "canvas": {"numpy", "jaxtyping", "PIL"},
    "calibration": {"numpy", "jaxtyping"},
    "publish": {"numpy", "jaxtyping", "PIL", "matplotlib", "av"},
    "widgets": {"numpy", "jaxtyping", "ipywidgets", "anywidget", "traitlets", "PIL"},
    "faces": {"IPython"},
}
OUTSIDE_OF_FILE = {
    "picture": {"matplotlib"},
    "placements": {"matplotlib"},
    "rasters": {"matplotlib"},
    "theming": {"matplotlib"},
    "previews": {"PIL"},
    "views._panels": {"PIL"},
    "datatree": {"xarray"},
    "bench.peers": {"numpy", "daam", "attention_map_diffusers"},  # what is measured beside us, where installed
    "bench.stored": {"numpy"},
    "bench.subjects": {"numpy"},
    "bench.tracing": {"numpy"},
}


def name_of(path):
    """The dotted name of a file's module, without "sdexplore."."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {name_of(path) for path in FILES}


def imports(path):
    """(line, dotted name, whether inside a function) of every import, relative ones resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    package = ["sdexplore", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, node in inside
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield node.lineno, whole if whole.removeprefix("sdexplore.") in MODULES else source, node in inside


def room_of(module):
    return ROOMS[module.split(".")[0]]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_from_lower_levels_and_itself(path):
    room, level = room_of(name_of(path))
    for line, target, inside in imports(path):
        if target.split(".")[0] != "sdexplore":
            continue
        other, lower = room_of(target.removeprefix("sdexplore").removeprefix("."))
        where = f"{name_of(path)}, line {line}: imports {target}"
        assert other == room or lower < level, f"{where}, of level {lower}, from level {level}"
        if room in WITHOUT_MODEL:
            assert other not in ("model", "mini"), f"{where}: {room} works without a model"
        if level >= 4 and other == "model":
            assert inside or room == "faces", f"{where}: import it in the function that needs it"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_its_own_packages(path):
    name = name_of(path)
    allowed = OUTSIDE[room_of(name)[0]] | OUTSIDE_OF_FILE.get(name, set()) | sys.stdlib_module_names | {"sdexplore"}
    found = {(line, target) for line, target, _ in imports(path) if target.split(".")[0] not in allowed}
    assert not found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_imported_by_a_name_that_this_test_cannot_read(path):
    called = {
        ast.unparse(node.func).rpartition(".")[2]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert name_of(path) == "" or not called & {"import_module", "__import__"}  # __init__ loads names on first use


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_pyplot_is_imported_nowhere(path):
    assert not [line for line, target, _ in imports(path) if target.startswith("matplotlib.pyplot")]
    assert "pyplot" not in {
        alias.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_walker_reads_every_kind_of_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "views" / "_new.py"
    path.parent.mkdir()
    path.write_text(
        "import torch.nn, numpy as np\nfrom ..model import running\nfrom .. import trace\nfrom ._figure import bare\n"
        "from sdexplore.base.errors import TraceError\ndef f():\n    from ..model.running import run\n    import diffusers\n"
    )
    assert sorted(imports(path)) == [
        (1, "numpy", False),
        (1, "torch.nn", False),
        (2, "sdexplore.model.runs.run_pipeline", False),
        (3, "sdexplore.trace.trace", False),
        (4, "sdexplore.figures.titles", False),
        (5, "sdexplore.base.errors", False),
        (7, "sdexplore.model.runs.run_pipeline", True),
        (8, "diffusers", True),
    ]


HEAVY = "{'torch', 'diffusers', 'transformers', 'matplotlib.pyplot', 'torchinfo', 'ipywidgets', 'IPython'}"


@pytest.mark.parametrize(
    "code",
    [
        "import sdexplore",
        "import sdexplore; dir(sdexplore); sdexplore.__version__; repr(sdexplore)",
        "from sdexplore import Trace, Traces, Comparison, Record, Picture, SdexploreError, Stopped, word_map",
        "from sdexplore import theory, views",
        "from sdexplore import mini",
        "import sdexplore.analysis.guidance, sdexplore.analysis.trajectory, sdexplore.records.cost",
    ],
)
def test_importing_loads_nothing_heavy(code):
    check = f"import sys; {code}; found = {HEAVY} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_bare_import_loads_nothing_of_its_own_but_itself():
    check = "import sys, sdexplore; assert [m for m in sys.modules if m.startswith('sdexplore')] == ['sdexplore']"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_every_public_name_resolves_and_is_listed():
    assert len(sdexplore.__all__) == len(set(sdexplore.__all__))
    assert set(sdexplore.__all__) <= set(dir(sdexplore))
    for name in sdexplore.__all__:
        value = getattr(sdexplore, name)
        assert value.__name__.rpartition(".")[2] == name
        assert value.__doc__, f"{name} says nothing about itself"


def test_what_the_type_checker_sees_is_what_there_is():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.name: (node.module or alias.name) for node in block.body for alias in node.names}
    assert set(seen) == set(sdexplore.__all__)
    assert {name: home for name, home in seen.items() if home != name} == sdexplore._HOMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sdexplore' has no attribute 'imagine'"):
        sdexplore.imagine  # noqa: B018


def test_no_module_bears_the_name_of_a_public_function():
    functions = {name for name in sdexplore.__all__ if inspect.isfunction(getattr(sdexplore, name))}
    assert "word_map" in functions
    assert not functions & {path.stem for path in FILES if path.name != "__init__.py"}
    assert not functions & {path.name for path in ROOT.iterdir()}
    assert not set(views.__all__) & {path.stem for path in (ROOT / "views").iterdir()}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_of_a_size_to_be_read(path):
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MOST_LINES
    assert ast.get_docstring(ast.parse(source)), "a file says what it holds"
