"""The modules of the explorer: node's own tests of them, and the one file that they are joined into."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from sdexplore.browser.front_end import ENTRY, PAIR, front_end, joined
from sdexplore.dashboard.linked_explorer import LinkedExplorer
from sdexplore.publish.pages import page

NODE = shutil.which("node")
HERE = Path(__file__).parent / "js"
MODULES = {file.name: file.read_text(encoding="utf-8") for file in files("sdexplore.browser").joinpath("js").iterdir()}
IMPORTED = re.compile(r'^import (?:\{([^}]*)\}|(\w+)) from "\./([\w.-]+)";', re.MULTILINE)


def node(*arguments):
    """What node prints; the test fails with it where node does not end well."""
    assert NODE, "these tests need node 18 or newer: apt-get install nodejs"
    done = subprocess.run([NODE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.fail(f"{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


def test_the_modules_pass_their_own_tests():
    told = node("--test", *sorted(HERE.glob("*.test.mjs")))
    assert int(re.search(r"pass (\d+)", told)[1]) > 0
    assert re.search(r"(?:fail|skipped|todo|cancelled) [1-9]", told) is None, told


def test_the_joined_file_is_one_module_that_node_reads(tmp_path):
    file = tmp_path / "joined.mjs"
    file.write_text(front_end(), encoding="utf-8")
    program = f"console.log(Object.keys(await import({json.dumps(file.as_uri())})))"
    exported = node("--input-type=module", "--eval", program)
    assert sorted(re.findall(r"\w+", exported)) == ["default", "mount", "mountPage"]
    file.write_text(front_end(PAIR), encoding="utf-8")
    exported = node("--input-type=module", "--eval", program)
    assert sorted(re.findall(r"\w+", exported)) == ["Pair", "default"]
    assert "</" not in front_end()  # a page holds it in a script element
    assert "<!--" not in front_end()


def test_every_module_is_joined_once_and_all_that_it_imports_is_there_and_used():
    alone_in_pair = {PAIR, "pair.css"}
    for name, text in MODULES.items():
        whole = front_end(PAIR if name in alone_in_pair else ENTRY)
        if name.endswith(".css"):
            assert whole.count(json.dumps(text)) == 1
            continue
        assert len(text.splitlines()) <= 300, name
        assert whole.count(text.splitlines()[0]) == 1, name
        alone = IMPORTED.sub("", text)
        for several, bound, imported in IMPORTED.findall(text):
            for wanted in filter(None, (part.strip() for part in several.split(","))):
                declared = rf"^export (?:const|function\*?|class) (?:\w+ = [^;]*, )?{wanted}\b"
                assert re.search(declared, MODULES[imported], re.MULTILINE), (name, wanted, imported)
            for used in re.findall(r"\w+", several) + [bound] * bool(bound):
                assert re.search(rf"\b{used}\b", alone), f"{name} imports {used} and does not use it"


def test_notebook_and_page_have_the_same_way_in(trace, tmp_path):
    assert LinkedExplorer._esm.strip() == front_end().strip()
    assert front_end() in page(trace, tmp_path / "page.html").read_text(encoding="utf-8")


def test_modules_join_in_the_order_in_which_they_need_each_other():
    sources = {
        ENTRY: 'import { a } from "./one.mjs";\nimport LOOKS from "./style.css";\nexport const b = a + LOOKS;\n',
        "one.mjs": 'import {\n  c,\n  d,\n} from "./two.mjs";\nexport const a = c() + d;\n',
        "two.mjs": 'export function c() {\n  return "</b>";\n}\nexport const d = 1;\n',
        "style.css": 'p::after { content: "`${x}`"; }\n',
        "alone.mjs": "export const e = 1;\n",
    }
    found = joined(sources)
    assert found.index("function c") < found.index("const a") < found.index("export const b")
    assert found.count("export") == 1
    assert json.dumps(sources["style.css"]) in found
    assert "const e" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('import { a as b } from "./one.mjs";', "a as b"),
        ('import a from "./one.mjs";', "import a from"),
        ('import { a } from "./one.css";', "one.css"),
        ('import * as one from "./one.mjs";', r"\* as one"),
        ('import { a } from "https://example.org/one.mjs";', "example.org"),
        ('import { a } from "./two.mjs";', "mounting.mjs imports two.mjs"),
        ('import LOOKS from "./none.css";', "mounting.mjs imports none.css"),
    ],
)
def test_an_import_that_cannot_be_joined_is_an_error_that_repeats_it(text, said):
    with pytest.raises(ValueError, match=said):
        joined({ENTRY: f"{text}\n", "one.mjs": "export const a = 1;\n"})


def test_a_circle_and_another_way_to_export_are_errors():
    circle = {ENTRY: 'import { a } from "./one.mjs";\n', "one.mjs": f'import {{ b }} from "./{ENTRY}";\n'}
    with pytest.raises(ValueError, match=r"mounting\.mjs → one\.mjs → mounting\.mjs"):
        joined(circle)
    for export in ("export { a };", "export default a;", 'export * from "./two.mjs";', "export let a = 1;"):
        with pytest.raises(ValueError, match=r"one\.mjs.*export"):
            joined({ENTRY: 'import { a } from "./one.mjs";\n', "one.mjs": f"const a = 1;\n{export}\n"})
