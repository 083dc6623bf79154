"""What holds for every record of an inspected pipeline: no torch, both reprs from the same facts, nothing unescaped."""

import re
import subprocess
import sys

from inspected import sample_components, sample_tree

from sdexplore.records.components import Component, Components
from sdexplore.records.configs import Config, ConfigDiff, Difference
from sdexplore.records.tree import ModuleNode, ModuleTree

EVIL = "</script><script>alert(1)</script>"


def test_no_torch_is_imported():
    modules = "components", "configs", "tree", "architecture"
    names = ", ".join(f"sdexplore.records.{name}" for name in modules)
    code = f"import {names}, sys; assert not {{'torch', 'diffusers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_text_and_html_list_the_same_facts():
    for record in (sample_components(), Config("unet", "UNet", {"a": 1, "b": (2, 3)}), sample_tree(9)):
        html = record._repr_html_()
        words = set(re.findall(r"\w+", repr(record)))
        assert words <= set(re.findall(r"\w+", html))


def test_foreign_text_is_escaped_and_bounded():
    shown = [
        Config(EVIL, EVIL, {EVIL: EVIL, "long": "x" * 100_000, "nul": "\x00\u202e"}),
        ConfigDiff(EVIL, EVIL, (Difference(EVIL, EVIL, EVIL),), 0),
        ModuleTree(EVIL, ModuleNode(EVIL, EVIL, children=(ModuleNode(EVIL, EVIL),)), 3, EVIL),
        Components(EVIL, {EVIL: Component(EVIL, EVIL, EVIL, 1, (EVIL,), (EVIL,))}, {EVIL: EVIL}),
        ModuleNode(EVIL, EVIL),
    ]
    for record in shown:
        html = record._repr_html_()
        assert "<script>" not in html
        assert "&lt;/script&gt;" in html
        assert len(html) < 20_000
        assert len(repr(record)) < 20_000
        assert "\x00" not in html + repr(record)
