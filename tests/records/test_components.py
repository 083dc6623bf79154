"""The records of loading and inspection: no torch, both reprs from the same facts, nothing unescaped."""

import dataclasses
import re
import subprocess
import sys

import pytest
from unchecked import unchecked

from sdexplore.base.errors import InspectionError
from sdexplore.records.components import (
    ABSENT,
    AttentionLayer,
    Component,
    Components,
    Config,
    ConfigDiff,
    Difference,
    ModuleNode,
    ModuleTree,
)

EVIL = "</script><script>alert(1)</script>"


def sample_components():
    entries = {
        "unet": Component("unet", "UNet", "diffusers", 1_000, ("float16",), ("cpu",), 2_048),
        "tokenizer": Component("tokenizer", "CLIPTokenizer", "transformers"),
        "safety_checker": Component("safety_checker"),
    }
    return Components("StableDiffusionPipeline", entries, {"guidance": "not run yet"})


def sample_tree(depth=1):
    attention = AttentionLayer("mid.0.attn2", "cross", 8, 40, 768, (9, 7))
    leaf = ModuleNode("mid.0.attn2", "Attention", 30, (1, 63, 320), attention)
    inner = ModuleNode("mid.0", "Block", 5, children=(leaf,))
    mid = ModuleNode("mid", "ModuleList", children=(inner,))
    again = ModuleNode("again", "ModuleList", shared_with="mid")
    return ModuleTree("unet", ModuleNode("", "UNet", 7, None, children=(mid, again)), depth, "a note")


def test_no_torch_is_imported():
    code = "import sdexplore.records.components, sys; assert not {'torch', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_components_are_a_mapping_and_say_what_they_hold():
    found = sample_components()
    assert list(found) == ["unet", "tokenizer", "safety_checker"]
    assert found["unet"].parameters == 1_000
    assert (found.parameters, found.bytes) == (1_000, 2_048)
    text = repr(found)
    assert "3 components, 1 of them null; 1,000 parameters, 2.0 KiB" in text
    assert re.search(r"unet +UNet +diffusers +1,000 +float16 +cpu +2.0 KiB", text)
    assert re.search(r"safety_checker +null", text)
    assert "guidance: not run yet" in text


def test_an_unknown_name_names_the_near_miss_and_is_a_key_error_too():
    with pytest.raises(InspectionError, match=r"no component in the .* is called 'unett'; did you mean 'unet'"):
        sample_components()["unett"]
    with pytest.raises(KeyError):
        sample_components()["unett"]
    assert sample_components().get("unett") is None
    assert "unett" not in sample_components()


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


def test_a_repr_never_raises():
    free = unchecked("records.components")
    broken = free.ModuleTree("unet", free.ModuleNode("", "UNet", children=(None,)), 2)
    assert "cannot be shown" in repr(broken)
    assert "cannot be shown" in broken._repr_html_()


def test_config_shows_key_and_value():
    config = Config("vae", "AutoencoderKL", {"scaling_factor": 0.18215})
    assert config["scaling_factor"] == 0.18215
    assert dict(config) == {"scaling_factor": 0.18215}
    assert repr(config).splitlines()[0] == "vae: AutoencoderKL"
    with pytest.raises(InspectionError, match="'scaling_faktor'; did you mean 'scaling_factor'"):
        config["scaling_faktor"]


def test_config_diff_says_which_side_has_a_key():
    diff = ConfigDiff("one", "two", (Difference("x", 1, 2), Difference("y", a=3), Difference("z", b=None)), 5)
    assert [row.only_in for row in diff] == [None, "a", "b"]
    assert diff["y"].b is ABSENT
    assert len(diff) == 3
    assert "one against two: 3 differ, 5 equal" in repr(diff)
    assert re.search(r"z +— +None +only in b", repr(diff))
    assert not ConfigDiff("one", "one", (), 5)
    with pytest.raises(InspectionError, match="no differing key is called 'w'"):
        diff["w"]


def test_attention_layer_reads_as_a_sentence():
    layer = AttentionLayer("mid.attn2", "cross", 8, 40, 768, (9, 7))
    assert str(layer) == "cross-attention, 8 heads of 40, keys of 768, 9 × 7"
    assert str(dataclasses.replace(layer, kind="self", resolution=None)).startswith("self-attention")


def test_tree_counts_own_and_inner_parameters_once():
    tree = sample_tree()
    assert tree.parameters == 42
    assert tree["mid"].parameters == 35
    assert tree["mid.0"].root.own_parameters == 5
    assert [node.name for node in tree] == ["", "mid", "mid.0", "mid.0.attn2", "again"]
    assert [layer.name for layer in tree.attention_layers] == ["mid.0.attn2"]


def test_tree_text_goes_to_depth_and_html_to_the_leaves():
    shallow, deep = sample_tree(1), sample_tree(3)
    assert "attn2" not in repr(shallow)
    assert "2 modules inside" in repr(shallow)
    assert "cross-attention, 8 heads of 40, keys of 768, 9 × 7" in repr(deep)
    assert "42 parameters, 7 its own · a note" in repr(shallow)
    assert "shared with mid" in repr(shallow)
    for tree in (shallow, deep):
        assert "cross-attention, 8 heads of 40" in tree._repr_html_()
    assert shallow._repr_html_().count("<details open") == 0
    assert deep._repr_html_().count("<details open") == 2
    assert repr(sample_tree(0)).splitlines() == ["unet: UNet", "42 parameters, 7 its own · a note"]


def test_a_branch_is_a_tree_and_an_unknown_one_names_the_near_miss():
    assert repr(sample_tree()["mid.0"]).splitlines()[0] == "unet.mid.0: Block"
    with pytest.raises(InspectionError, match=r"no module in unet is called 'mid.1'; did you mean 'mid.0'"):
        sample_tree()["mid.1"]


def test_a_tree_too_large_for_a_page_is_cut_at_one_level_for_all_branches():
    def grown(name, levels):
        children = tuple(grown(f"{name}.{n}", levels - 1) for n in range(10)) if levels else ()
        return ModuleNode(name, "Block", 1, children=children)

    tree = ModuleTree("unet", ModuleNode("", "UNet", children=(grown("a", 4), grown("b", 4))), 4)
    assert tree.parameters == 2 * 11_111
    html = tree._repr_html_()
    assert html.count(": Block") == 2 * 111  # levels 0, 1 and 2 of both; the third has 1000 each
    assert html.count("110 modules inside") == 2 * 100
    assert "left out" not in html
    assert len(repr(tree).splitlines()) == 2 + 2 * 111
