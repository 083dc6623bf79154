"""Which module may import which: levels of rooms, outside packages, private names; and a light `import sdexplore`."""

import ast
import inspect
import subprocess
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sdexplore
from sdexplore import views

ROOT = Path(sdexplore.__file__).parent
MOST_LINES = 400

# A room is a folder. It imports from rooms of lower levels, and from itself.
LEVELS = (
    ("base", "theory"),
    ("text", "strings"),
    ("trace", "mini.world"),
    ("mini",),
    ("records", "analysis", "changes"),
    ("figures", "browser", "model"),
    ("views", "calibration", "mini.training"),
    ("mini.evaluation",),
    ("studies",),
    ("publish",),
    ("dashboard", "reproduction"),
    ("magics", "bench"),
    ("",),
)
# The rooms inside model/, which is one room to the others.
MODEL_LEVELS = (
    ("families", "schedulers"),
    ("components",),
    ("interventions",),
    ("capture",),
    ("compiled",),
    ("runs", "loading"),
    ("inspection", "experiments", "series"),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
MODEL_LEVEL = {room: level for level, rooms in enumerate(MODEL_LEVELS) for room in rooms}
# A stored trace opens, is analysed, drawn and published without a model.
WITHOUT_MODEL = ("text", "trace", "records", "analysis", "changes", "figures", "browser", "views", "publish")
LATE = ("publish", "studies", "dashboard", "magics")  # they import model/ in the function that needs it

ARRAYS = {"numpy", "jaxtyping"}
MODEL = ARRAYS | {"torch", "diffusers", "transformers", "torchinfo", "safetensors", "huggingface_hub", "psutil", "PIL"}
OUTSIDE = {
    "base": ARRAYS,
    "theory": ARRAYS,
    "text": set(),
    "strings": set(),
    "trace": ARRAYS | {"safetensors"},
    "mini": ARRAYS,
    "mini.world": ARRAYS | {"PIL"},
    "mini.training": MODEL | {"tokenizers"},
    "mini.evaluation": MODEL,
    "records": ARRAYS,
    "analysis": ARRAYS,
    "changes": set(),
    "figures": ARRAYS | {"matplotlib", "PIL"},
    "browser": ARRAYS | {"PIL"},
    "model": MODEL,
    "views": ARRAYS | {"matplotlib"},
    "calibration": ARRAYS,
    "studies": ARRAYS | {"pandas", "pyarrow", "distributed", "tqdm"},
    "publish": ARRAYS | {"PIL", "matplotlib", "av"},
    "dashboard": ARRAYS | {"ipywidgets", "anywidget", "traitlets", "PIL"},
    "reproduction": ARRAYS | {"PIL"},
    "magics": {"IPython"},
    "bench": {"numpy"},
    "": set(),
}
OUTSIDE_OF_FILE = {
    "trace.preview": {"PIL"},
    "trace.xarray": {"xarray"},
    "bench.batches": {"torch"},
    "bench.studies": {"distributed", "psutil", "pyarrow", "torch"},  # a cluster beside two plain processes
    "bench.peers": {"daam", "attention_map_diffusers"},  # other tools, measured where they are installed
}


@dataclass(frozen=True)
class Arrow:
    """One name that one module imports: `target` is the module it comes from, `inside` whether a function does it."""

    line: int
    target: str
    name: str
    inside: bool

    @property
    def ours(self):
        return self.target.split(".")[0] == "sdexplore"

    @property
    def module(self):
        return self.target.removeprefix("sdexplore").removeprefix(".")


def name_of(path, root=ROOT):
    """The dotted name of a file's module, without "sdexplore."."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def statements(body, *, inside=False):
    """(statement, whether a function holds it), and the same of the statements within: no other node is visited."""
    for statement in body:
        yield statement, inside
        within = inside or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from statements(getattr(statement, part, ()), inside=within)


def imports(path, tree, modules, root=ROOT):
    """Every import of a parsed file as an Arrow, relative ones resolved."""
    package = ["sdexplore", *path.relative_to(root).parent.parts]
    for node, inside in statements(tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Arrow(node.lineno, alias.name, "", inside)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                target = whole if whole.removeprefix("sdexplore.") in modules else source
                yield Arrow(node.lineno, target, alias.name, inside)


SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
TREES = {path: ast.parse(source) for path, source in SOURCES.items()}
MODULES = {name_of(path) for path in SOURCES}
ARROWS = {name_of(path): tuple(imports(path, tree, MODULES)) for path, tree in TREES.items()}


def room_of(module):
    """The folder that a module belongs to: the longest one that has a level."""
    parts = module.split(".")
    names = (".".join(parts[:depth]) for depth in range(len(parts), -1, -1))
    return next(name for name in names if name in LEVEL)


def model_room_of(module):
    return [*module.split("."), ""][1]


def ours():
    """(importing module, arrow) of every arrow within sdexplore."""
    return [(module, arrow) for module, arrows in ARROWS.items() for arrow in arrows if arrow.ours]


def told(module, arrow):
    return f"{module}, line {arrow.line}: imports {arrow.target} ({arrow.name})"


def test_every_module_lies_in_a_room():
    assert not [module for module in MODULES if module and not room_of(module)]
    assert {model_room_of(module) for module in MODULES if room_of(module) == "model"} <= {"", *MODEL_LEVEL}


def test_a_room_imports_from_lower_levels_and_itself():
    wrong = [
        told(module, arrow)
        for module, arrow in ours()
        if room_of(module) != room_of(arrow.module) and LEVEL[room_of(arrow.module)] >= LEVEL[room_of(module)]
    ]
    assert not wrong


def test_the_rooms_of_the_model_import_from_lower_levels_and_themselves():
    wrong = [
        told(module, arrow)
        for module, arrow in ours()
        if room_of(module) == room_of(arrow.module) == "model"
        and model_room_of(module) != model_room_of(arrow.module)
        and MODEL_LEVEL[model_room_of(arrow.module)] >= MODEL_LEVEL[model_room_of(module)]
    ]
    assert not wrong


def test_no_module_leads_back_to_itself():
    graph = {module: {arrow.module for arrow in arrows if arrow.ours} - {module} for module, arrows in ARROWS.items()}
    graph.pop("")  # it loads names on first use
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle of imports: {' -> '.join(circle.args[1])}")


def test_private_names_stay_in_their_room():
    def private(arrow):
        parts = [*arrow.module.split("."), arrow.name]
        return any(part.startswith("_") and not part.startswith("__") for part in parts)

    def home(module):
        return (room_of(module), model_room_of(module) if room_of(module) == "model" else "")

    assert not [told(m, arrow) for m, arrow in ours() if private(arrow) and home(m) != home(arrow.module)]


def test_rooms_without_a_model_import_none():
    wrong = [
        told(module, arrow)
        for module, arrow in ours()
        if room_of(module) in WITHOUT_MODEL
        and room_of(arrow.module) in ("model", "mini", "mini.training", "mini.evaluation")
    ]
    assert not wrong


def test_rooms_that_work_on_stored_traces_too_import_the_model_late():
    wrong = [
        told(module, arrow)
        for module, arrow in ours()
        if room_of(module) in LATE and room_of(arrow.module) == "model" and not arrow.inside
    ]
    assert not wrong


def test_a_room_imports_only_its_own_packages():
    wrong = [
        told(module, arrow)
        for module, arrows in ARROWS.items()
        for arrow in arrows
        if arrow.target.split(".")[0]
        not in OUTSIDE[room_of(module)] | OUTSIDE_OF_FILE.get(module, set()) | sys.stdlib_module_names | {"sdexplore"}
    ]
    assert not wrong


def test_nothing_is_imported_by_a_name_that_this_test_cannot_read():
    called = {
        name_of(path)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
    }
    assert called <= {""}  # __init__ loads names on first use


def test_pyplot_is_imported_nowhere():
    assert not [
        told(module, arrow)
        for module, arrows in ARROWS.items()
        for arrow in arrows
        if arrow.target.startswith("matplotlib.pyplot") or arrow.name == "pyplot"
    ]


def test_the_walker_reads_every_kind_of_import(tmp_path):
    path = tmp_path / "views" / "_new.py"
    tree = ast.parse(
        "import torch.nn, numpy as np\nfrom ..model import runs\nfrom .. import trace\nfrom ._maps import bare\n"
        "from sdexplore.base.errors import TraceError\n"
        "def f():\n    from ..model.runs.cost import cost\n    import diffusers\n"
    )
    found = imports(path, tree, MODULES, tmp_path)
    assert sorted((arrow.line, arrow.target, arrow.inside) for arrow in found) == [
        (1, "numpy", False),
        (1, "torch.nn", False),
        (2, "sdexplore.model.runs", False),
        (3, "sdexplore.trace", False),
        (4, "sdexplore.views._maps", False),
        (5, "sdexplore.base.errors", False),
        (7, "sdexplore.model.runs.cost", True),
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
    (block,) = (
        node
        for node in TREES[ROOT / "__init__.py"].body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {alias.name: (node.module or alias.name) for node in block.body for alias in node.names}
    assert set(seen) == set(sdexplore.__all__)
    assert {name: home for name, home in seen.items() if home != name} == sdexplore._HOMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sdexplore' has no attribute 'imagine'"):
        sdexplore.imagine  # noqa: B018


def test_no_module_shadows_a_public_function():
    """Importing `sdexplore.run` as a module would put it in the place of the function `sdexplore.run`."""
    functions = {name for name in sdexplore.__all__ if inspect.isfunction(getattr(sdexplore, name))}
    assert "word_map" in functions
    assert not functions & {path.stem for path in ROOT.iterdir()}
    assert not set(views.__all__) & {path.stem for path in (ROOT / "views").iterdir()}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_of_a_size_to_be_read(path):
    assert SOURCES[path].count("\n") <= MOST_LINES
    assert ast.get_docstring(TREES[path]), "a file says what it holds"
