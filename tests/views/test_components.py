"""Views of what a pipeline is made of and what its tokenizers did: bars, boxes and what is written beside them."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from sdexplore import views
from sdexplore.base.errors import InspectionError, TokenError
from sdexplore.records.components import Component, Components
from sdexplore.records.tree import AttentionLayer, ModuleNode, ModuleTree
from sdexplore.text.tokenization import Tokenization, Tokenizations

EVIL = "$x$ </script> 🌸"


def written(picture):
    return [text.get_text() for text in picture.figure.axes[0].texts]


def boxes(picture):
    return [patch for patch in picture.figure.axes[0].patches if isinstance(patch, Rectangle)]


def colour(patch):
    return to_hex(patch.get_facecolor())


def again(picture, **functions):
    return eval(picture.call, {"pipe": None, "sdx": SimpleNamespace(views=views, **functions)})  # noqa: S307  (our own)


def equal(a, b):
    assert {name: array.tolist() for name, array in a.data.items()} == {
        n: array.tolist() for n, array in b.data.items()
    }
    assert (a.alt, a.call, a.png(dpi=40)) == (b.alt, b.call, b.png(dpi=40))


# components


def parts():
    entries = {
        "unet": Component("unet", "UNet", "diffusers", 3_000, ("float16",), ("cuda",), 6_000),
        "vae": Component("vae", "AutoencoderKL", "diffusers", 1_000, ("float32", "float16"), ("cpu",), 4_000),
        "tokenizer": Component("tokenizer", "CLIPTokenizer", "transformers"),
        "safety_checker": Component("safety_checker"),
    }
    return Components("StableDiffusionPipeline", entries, {"guidance": "not run yet", "latents": "4 × 64 × 64"})


def test_components_are_bars_by_parameters():
    picture = views.components(parts())
    widths = [box.get_width() for box in boxes(picture)]
    np.testing.assert_allclose(widths, [1, 1 / 3, 0, 0])
    assert {name: array.item() for name, array in picture.data.items()} == {
        "unet": 3_000,
        "vae": 1_000,
        "tokenizer": 0,
        "safety_checker": 0,
    }
    assert written(picture) == [
        *("unet", "UNet: 3,000 parameters, float16, cuda, 5.9 KiB"),
        *("vae", "AutoencoderKL: 1,000 parameters, float32, float16, cpu, 3.9 KiB"),
        *("tokenizer", "CLIPTokenizer"),
        *("safety_checker", "null"),
    ]
    faint = {text.get_text(): text.get_color() for text in picture.figure.axes[0].texts}
    assert faint["safety_checker"] != faint["tokenizer"] == faint["unet"]
    title = picture.figure.axes[0].get_title(loc="left")
    assert title == "StableDiffusionPipeline: 4,000 parameters, 9.8 KiB"
    assert picture.figure.get_supxlabel() == "guidance: not run yet\nlatents: 4 × 64 × 64"
    assert picture.alt.startswith("The components of a StableDiffusionPipeline: unet, UNet: 3,000 parameters, ")
    assert picture.alt.endswith("safety_checker, null.")
    equal(picture, again(picture, components=lambda _: parts()))


def test_components_of_a_hostile_and_of_an_empty_pipeline():
    hostile = Components("Pipe", {EVIL: Component(EVIL, EVIL)}, {EVIL: EVIL})
    assert written(views.components(hostile)) == [r"\$x\$ </script> U+1F338"] * 2
    views.components(hostile).png(dpi=40)
    assert views.components(Components("Pipe", {}, {})).alt == "The components of a Pipe: ."


# tree


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


ORANGE, BLUE, GREY = "#d55e00", "#0072b2", "#8c8c8c"


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
    legend = picture.figure.axes[0].get_legend()
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
    assert picture.alt == (
        "The modules of unet (UNet) to depth 3: 100 parameters, 1 cross-attention and 1 self-attention layers."
    )


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


# tokens


def test_tokens_are_boxes_coloured_by_word_with_position_and_id():
    picture = views.tokens(synthetic.tokenization())
    assert written(picture) == [
        "tokenizer, 8 of 12 positions",
        *("start", "0: 49406", "a", "1: 300", "cat", "2: 301", "and", "3: 302", "a", "4: 303"),
        *("rocket", "5: 304", "ship", "6: 305", "end", "7: 49407", "padding × 4", "8–11"),
    ]
    blue, orange, grey = "#cfe3fa", "#fde3c8", "#eeeeee"
    assert [colour(box) for box in boxes(picture)] == [grey, blue, orange, blue, orange, blue, blue, grey, grey]
    np.testing.assert_array_equal(picture.data["tokenizer"], synthetic.tokenization().ids)
    assert picture.alt == "The prompt 'a cat and a rocketship' as 6 tokens: a | cat | and | a | rocket | ship."
    equal(picture, again(picture, tokens=lambda _, text: synthetic.tokenization(text)))


def test_boxes_do_not_overlap_and_lines_break_inside_the_figure():
    words = "wonderfully elaborate descriptions of extraordinary landscapes " * 8
    picture = views.tokens(synthetic.tokenization(words.strip()))
    left, right = picture.figure.axes[0].get_xlim()
    lines = {}
    for box in boxes(picture):
        lines.setdefault(box.get_y(), []).append((box.get_x(), box.get_x() + box.get_width()))
    assert len(lines) > 3
    for spans in lines.values():
        assert all(stop < start for (_, stop), (start, _) in pairwise(spans))
        assert left <= spans[0][0]
        assert spans[-1][1] <= right + 0.05


def test_each_tokenizer_has_its_own_rows():
    both = Tokenizations(
        {
            "tokenizer": synthetic.tokenization("a cat"),
            "tokenizer_2": synthetic.tokenization("a dog", "tokenizer_2"),
        }
    )
    picture = views.tokens(both)
    assert [text for text in written(picture) if "positions" in text] == [
        *("tokenizer, 4 of 12 positions", "tokenizer_2, 4 of 12 positions")
    ]
    assert list(picture.data) == ["tokenizer", "tokenizer_2"]


def test_what_was_cut_off_is_red_and_said():
    cut = Tokenization.of(
        tokenizer="tokenizer",
        text="a cat sat",
        max_length=3,
        ids=[0, 5, 9, 6, 7],
        pieces=["<s>", "a</w>", "<e>", "cat</w>", "sat</w>"],
        kinds=["start", "text", "end", "truncated", "truncated"],
        spans=[None, (0, 1), None, (2, 5), (6, 9)],
    )
    picture = views.tokens(cut)
    assert [colour(box) for box in boxes(picture)][-2:] == ["#f3c6c6"] * 2
    assert written(picture)[-4:] == ["cat", "cut off: 6", "sat", "cut off: 7"]
    assert picture.alt.endswith("2 more were cut off.")


def test_padding_in_front_is_drawn_in_front_and_no_limit_is_no_none():
    front = Tokenization.of(
        tokenizer="tokenizer",
        text="cat",
        max_length=None,
        ids=[0, 0, 5, 1],
        pieces=["<pad>", "<pad>", "▁cat", "</s>"],
        kinds=["padding", "padding", "text", "end"],
        spans=[None, None, (0, 3), None],
    )
    assert written(views.tokens(front))[:5] == ["tokenizer, 2 positions", "padding × 2", "0–1", "cat", "2: 5"]
    one = synthetic.tokenization("b c d e f g h i j")  # leaves one place
    assert written(views.tokens(one))[-2:] == ["padding × 1", "11"]


def test_a_character_of_several_tokens_stands_in_each_with_its_part():
    split = Tokenization.of(
        tokenizer="tokenizer",
        text="桜",
        max_length=5,
        ids=[0, 7, 8, 1],
        pieces=["<s>", "æ¡", "ľ</w>", "<e>"],
        kinds=["start", "text", "text", "end"],
        spans=[None, (0, 1), (0, 1), None],
    )
    texts = written(views.tokens(split))
    assert [text for text in texts if text.endswith(("1/2", "2/2"))] == [texts[3], texts[5]]
    views.tokens(split).png(dpi=40)


def test_hostile_prompts_are_drawn_as_they_are(recwarn):
    picture = views.tokens(synthetic.tokenization("$x$ </script> 🌸 <b>"))
    assert r"\$x\$" in written(picture)
    assert "U+1F338" in written(picture)
    assert "&lt;/script&gt;" in picture._html(picture.png(dpi=40))
    assert [w for w in recwarn if "Glyph" in str(w.message)] == []


@pytest.mark.parametrize("lost", [150, 1950])
def test_what_was_cut_off_is_counted_where_it_is_too_much_to_draw(lost):
    text = " ".join(["word"] * (75 + lost))
    spans = [(5 * n, 5 * n + 4) for n in range(75 + lost)]
    long = Tokenization.of(
        tokenizer="tokenizer",
        text=text,
        max_length=77,
        ids=[0, *[7] * 75, 1, *[7] * lost],
        pieces=["<s>", *["word</w>"] * 75, "<e>", *["word</w>"] * lost],
        kinds=["start", *["text"] * 75, "end", *["truncated"] * lost],
        spans=[None, *spans[:75], None, *spans[75:]],
    )
    picture = views.tokens(long)
    assert len(boxes(picture)) == 77
    assert written(picture)[0] == f"tokenizer, 77 of 77 positions; {lost:,} more tokens were cut off"
    assert picture.alt.endswith(f"; {lost} more were cut off.")


def test_too_many_tokens_and_none_at_all_are_said():
    with pytest.raises(
        TokenError, match=r"tokenizer made 302 tokens: too many for a figure; sdx\.tokens shows them as a"
    ):
        views.tokens(synthetic.tokenization("word " * 299 + "word"))
    with pytest.raises(TokenError, match="there is nothing to draw: this pipeline has no tokenizer"):
        views.tokens(Tokenizations({}))
