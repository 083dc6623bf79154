"""The tree of a network's modules: parameters count once, text goes to a depth, HTML to the leaves."""

import dataclasses

import pytest
from inspected import sample_tree
from unchecked import unchecked

from sdexplore.base.errors import InspectionError
from sdexplore.records.tree import AttentionLayer, ModuleNode, ModuleTree


def test_a_repr_never_raises():
    free = unchecked("records.tree")
    broken = free.ModuleTree("unet", free.ModuleNode("", "UNet", children=(None,)), 2)
    assert "cannot be shown" in repr(broken)
    assert "cannot be shown" in broken._repr_html_()


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
