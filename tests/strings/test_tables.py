"""Every language has every string, with the same fields; and every string is used."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import sdexplore
from sdexplore.base.options import LANGUAGES
from sdexplore.strings.wording import table

ROOT = Path(sdexplore.__file__).parent
OTHERS = [lang for lang in LANGUAGES if lang != "en"]


def fields_of(template):
    """The names of the fields of a template; one without a name would depend on an order."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    assert all(name.isidentifier() for name in names), template
    return set(names)


def used():
    """Keys as the code asks for them: whole ones, and the fixed beginnings and ends of those with a part filled in."""
    whole, partly = set(), []
    for path in ROOT.rglob("*.mjs"):
        whole |= set(re.findall(r'"([a-z_]+\.[\w.]+)"', path.read_text(encoding="utf-8")))
    for path in ROOT.rglob("*.py"):
        if path.is_relative_to(ROOT / "strings") and path.name != "wording.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(first := node.values[0], ast.Constant):
                last = node.values[-1]
                partly.append((first.value, last.value if isinstance(last, ast.Constant) else ""))
    return whole, partly


@pytest.mark.parametrize("lang", OTHERS)
def test_a_language_has_the_keys_of_english(lang):
    assert table(lang).keys() == table("en").keys()


@pytest.mark.parametrize("lang", OTHERS)
def test_a_string_has_the_fields_of_its_english(lang):
    ours = {key: fields_of(template) for key, template in table("en").items()}
    assert {key: fields_of(template) for key, template in table(lang).items()} == ours


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_string_stands_twice_in_a_language(lang):
    files = sorted((ROOT / "strings" / lang).glob("*.py"))
    found = [
        key.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    ]
    assert sorted(found) == sorted(table(lang)), "a key stands twice, or a file is not in __init__"


def test_every_string_is_used():
    whole, partly = used()
    partly = [(first, last) for first, last in partly if first.count(".") and first.strip(".")]
    lost = [
        key
        for key in table("en")
        if not {key, key.removesuffix(".tip")} & whole  # a label is asked for together with its tooltip
        and not any(key.startswith(a) and key.endswith(b) for a, b in partly)
    ]
    assert not lost


@pytest.mark.parametrize("lang", OTHERS)
def test_a_translated_string_has_no_mathematics(lang):
    # mathtext has one font and no other behind it: Japanese between two $ would be boxes
    assert not [key for key, template in table(lang).items() if "$" in template]
