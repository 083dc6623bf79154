"""The module tree of a network, as lines and bars."""

import numpy as np
import pytest
from boxes import again, boxes, colour, equal, written

from sdexplore import views
from sdexplore.base.errors import InspectionError
from sdexplore.records.tree import AttentionLayer, ModuleNode, ModuleTree


def modules(depth=2):
    cross = AttentionLayer("mid.0.attn2", "cross", 8, 40, 768, (9, 7))
    own = AttentionLayer("mid.0.attn1", "self", 8, 40, 320, (9, 7))
    inner = ModuleNode(
        "mid.0",
        "Block",
        50,
        (1, 320, 9, 7),
        children=(
            ModuleNode("mid.0.attn1", "Attention", 10, (1, 63, 320), own),
            ModuleNode("mid.0.attn2", "Attention", 30, (1, 63, 320), cross),
        ),
    )
    mid = ModuleNode("mid", "ModuleList", children=(inner,))
    return ModuleTree("unet", ModuleNode("", "UNet", 10, None, children=(mid, ModuleNode("out", "Conv2d"))), depth)


ORANGE, BLUE, GREEN, GREY = "#d55e00", "#0072b2", "#009e73", "#8c8c8c"


def test_a_tree_is_a_line_for_each_module_to_its_depth():
    assert list(views.tree(modules()).data) == ["", "mid", "mid.0", "out"]
    assert list(views.tree(modules(), depth=0).data) == [""]
    assert list(views.tree(modules(), depth=9).data) == ["", "mid", "mid.0", "mid.0.attn1", "mid.0.attn2", "out"]


def test_bars_of_a_tree_are_shares_of_the_whole_by_kind_of_attention():
    picture = views.tree(modules(), depth=3)
    lines = {}
    for box in boxes(picture):
        lines.setdefault(round(box.get_y() + box.get_height() / 2), []).append((colour(box), box.get_width()))
    whole = sum(width for _, width in lines[0])
    shares = {line: {kind: round(100 * width / whole) for kind, width in bars} for line, bars in lines.items()}
    assert shares[0] == shares[1] | {GREY: 60} == {ORANGE: 30, BLUE: 10, GREY: 60}
    assert shares[3] == {ORANGE: 0, BLUE: 10, GREY: 0}
    assert shares[4] == {ORANGE: 30, BLUE: 0, GREY: 0}
    assert shares[5] == {ORANGE: 0, BLUE: 0, GREY: 0}
    (legend,) = picture.figure.legends
    named = {
        text.get_text(): colour(handle) for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert named == {"cross-attention": ORANGE, "self-attention": BLUE, "the rest": GREY}
    assert {name: array.item() for name, array in picture.data.items()} == {
        "": 100,
        "mid": 90,
        "mid.0": 90,
        "mid.0.attn1": 10,
        "mid.0.attn2": 30,
        "out": 0,
    }


def test_a_line_of_a_tree_names_class_shape_and_heads():
    picture = views.tree(modules(), depth=3)
    assert written(picture)[12:15] == ["30", "attn2", "Attention, cross, 8 heads of 40 → 1 × 63 × 320"]
    assert written(picture)[:3] == ["100", "unet", "UNet"]
    left = [text.get_position()[0] for text in picture.figure.axes[0].texts[1::3]]
    np.testing.assert_allclose(np.array(left) / left[1], [0, 1, 2, 3, 3, 1])
    assert picture.figure.axes[0].get_title(loc="left") == "unet: 100 parameters"
    for fact in ("unet (UNet)", "depth 3", "100 parameters", "1 of cross-attention", "1 of self-attention"):
        assert fact in picture.alt
    assert "UNet" in picture.caption


def test_the_call_of_a_tree_makes_it_again_also_of_a_branch():
    for tree in (modules(), modules(3), modules()["mid"], modules()["mid.0.attn2"]):
        picture = views.tree(tree)
        equal(picture, again(picture, tree=lambda _, name: modules() if name == "unet" else None))
    assert views.tree(modules()["mid"]).figure.axes[0].get_title(loc="left") == "unet.mid: 90 parameters"


def test_a_tree_that_does_not_fit_names_a_depth_that_does():
    leaves = tuple(ModuleNode(f"mid.0.{n}", "Linear", 1) for n in range(200))
    below = ModuleNode(
        "mid.0", "Block", children=(*leaves, ModuleNode("mid.0.x", "B", children=(ModuleNode("y", "C"),)))
    )
    wide = ModuleTree("unet", ModuleNode("", "UNet", children=(ModuleNode("mid", "List", children=(below,)),)), 4)
    with pytest.raises(InspectionError) as raised:
        views.tree(wide)
    assert str(raised.value) == (
        "tree(depth=4): 205 modules do not fit in one figure (120 at most); draw depth=2, or a branch: tree['mid']"
    )
    assert len(views.tree(wide, depth=2).data) == 3


def test_joint_attention_is_a_kind_of_its_own():
    joint = AttentionLayer("blocks.0.attn", "joint", 4, 16, 64, (9, 7))
    block = ModuleNode(
        "blocks.0", "Block", 50, (1, 63, 64), children=(ModuleNode("blocks.0.attn", "Attention", 30, None, joint),)
    )
    picture = views.tree(ModuleTree("transformer", ModuleNode("", "Transformer", 20, children=(block,))))
    bars = {}
    for box in boxes(picture):
        bars.setdefault(round(box.get_y() + box.get_height() / 2), {})[colour(box)] = box.get_width()
    whole = sum(bars[0].values())
    assert {kind: round(100 * width / whole) for kind, width in bars[0].items() if width} == {GREEN: 30, GREY: 70}
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == [
        "joint attention",
        "the rest",
    ]
    assert "1 of joint attention" in picture.alt
