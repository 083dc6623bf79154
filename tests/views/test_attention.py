"""Views of attention by step, layer, head and run: what stands in the axes is what analysis found."""

import dataclasses
import json

import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, legend, panels, same_scale, shown, texts
from matplotlib.colors import to_hex
from synthetic import LAYERS, MID, STEPS, UP

import sdexplore as sdx
from sdexplore import views
from sdexplore.analysis.attention_mass import KINDS
from sdexplore.base.errors import TokenError, TraceError
from sdexplore.figures.titles import short_layers
from sdexplore.text.tokenization import Tokenizations
from sdexplore.theory import linear_preview

EVIL = "$x$ </script> 🌸"
SHORT = ["down 0.0", "down 1.0", "mid 0", "up 1.0", "up 10.0"]
SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


@pytest.fixture(scope="module")
def per_head():
    return synthetic.trace(heads=True, dtype=np.float32)


@pytest.fixture(scope="module")
def other():
    return synthetic.trace(seed=7, prompt="the cat or a rocketship")


# by step


def test_steps_are_maps_on_one_scale_beneath_what_they_predict(trace):
    picture = views.attention_steps(trace, "cat", steps=[0, 3, -1])
    above, below = panels(picture)[:3], panels(picture)[3:]
    assert [ax.get_title() for ax in above] == [
        *("step 0\nt 999, σ 14.6", "step 3\nt 400, σ 1.4", "step 5\nt 0, σ 0.1")
    ]
    assert (above[0].get_ylabel(), below[0].get_ylabel()) == ("predicted x0\ndecoded", "attention")
    for column, step in enumerate((0, 3, 5)):
        expected = sdx.word_map(trace, "cat", steps=step)
        np.testing.assert_array_equal(shown(below[column])[0], expected)
        np.testing.assert_array_equal(picture.data["maps"][column], expected)
        np.testing.assert_array_equal(shown(above[column])[0], trace.decoded_x0[step])
    top = picture.data["maps"].max()
    same_scale([image for ax in below for image in heat_maps(ax)], 0.0, top)
    (bar,) = bars(picture)
    assert (bar.get_ylabel(), bar.get_ylim()) == ("probability", (0.0, pytest.approx(float(top))))
    assert picture.figure.get_suptitle().endswith("“cat”: cond, mean over 5 layers, all heads")
    assert "at steps 0, 3, 5 of 6, on one scale from 0 to" in picture.alt
    assert "beneath the picture that the step predicts (decoded)" in picture.alt
    assert "bottom right" in picture.alt


def test_predicted_pictures_are_all_previews_where_one_step_was_not_decoded(trace):
    picture = views.attention_steps(trace, "cat", steps=[3, 4])
    above = panels(picture)[:2]
    assert above[0].get_ylabel() == "predicted x0\nlinear"
    for ax, step in zip(above, (3, 4), strict=True):
        x0 = linear_preview(trace.pred_original_sample[step], trace.latent_rgb)
        np.testing.assert_array_equal(shown(ax)[0], x0)
    assert "the step predicts (linear)" in picture.alt
    never = synthetic.trace(decoded_x0={}, latent_rgb=None)
    assert [ax.get_ylabel() for ax in panels(views.attention_steps(never, "cat", steps=[3, 4]))] == ["attention", ""]


def test_steps_default_to_eight_of_those_recorded(trace):
    assert list(views.attention_steps(trace, "cat").data["steps"]) == list(range(STEPS))
    some = {
        layer: dataclasses.replace(a, probs=a.probs[::2], steps=(0, 2, 4)) for layer, a in trace.attention().items()
    }
    picture = views.attention_steps(synthetic.trace(cross_attention={"cond": some}), "cat")
    assert list(picture.data["steps"]) == [0, 2, 4]
    with pytest.raises(TraceError, match=r"attention of step 1 was not recorded; there are \[0, 2, 4\]"):
        views.attention_steps(synthetic.trace(cross_attention={"cond": some}), "cat", steps=1)


def test_steps_without_a_prediction_are_maps_only_and_an_occurrence_is_named():
    blind = synthetic.trace(pred_original_sample=None)
    picture = views.attention_steps(blind, "a", occurrence=1)
    assert len(panels(picture)) == STEPS
    assert "“a”, occurrence 1: cond" in picture.figure.get_suptitle()
    np.testing.assert_array_equal(picture.data["maps"][2], sdx.word_map(blind, "a", steps=2, occurrence=1))


# by layer and head


def test_layers_are_their_own_grids_in_the_network_s_order(trace):
    picture = views.attention_layers(trace, "rocketship", steps=[1, 2])
    axes = panels(picture)[: len(LAYERS)]
    for ax, layer, short in zip(axes, LAYERS, SHORT, strict=True):
        probs = trace.attention()[layer].probs[1:3].astype(float)
        expected = probs[..., 5:7].sum(-1).mean(axis=(0, 1))
        np.testing.assert_allclose(shown(ax)[0], expected, atol=1e-6)
        np.testing.assert_array_equal(picture.data[layer], shown(ax)[0])
        assert ax.get_title() == f"{short}\n{expected.shape[0]} × {expected.shape[1]}"
    top = max(float(pixels.max()) for pixels in picture.data.values())
    same_scale([image for ax in axes for image in heat_maps(ax)], 0.0, top)
    assert [bar.get_ylabel() for bar in bars(picture)] == ["attention probability"]
    assert picture.figure.get_suptitle().endswith("“rocketship”: cond, mean over 2 steps, all heads")
    assert all(shown(ax) == [] for ax in panels(picture)[len(LAYERS) :])


def test_with_scale_each_the_panel_s_own_scale_is_printed(trace, per_head):
    picture = views.attention_layers(trace, "cat", scale="each")
    assert bars(picture) == []
    for ax, layer in zip(panels(picture), LAYERS, strict=False):
        top = float(picture.data[layer].max())
        same_scale(heat_maps(ax), 0.0, top)
        assert ax.get_title().endswith(f"\n0 to {top:.2g}")
    by_head = panels(views.attention_layers(per_head, "cat", scale="each", layers=MID))
    for ax in by_head:
        assert ax.get_xlabel() == f"0 to {shown(ax)[0].max():.2g}"


def test_where_heads_were_recorded_a_row_is_a_layer_its_mean_first(per_head):
    picture = views.attention_layers(per_head, "cat")
    axes = np.array(panels(picture)).reshape(len(LAYERS), 3)
    assert [ax.get_title() for ax in axes[0]] == ["mean", "head 0", "head 1"]
    for row, layer, short in zip(axes, LAYERS, SHORT, strict=True):
        probs = per_head.attention()[layer].probs[..., 2].astype(float).mean(axis=0)
        for ax, expected in zip(row, [probs.mean(axis=0), *probs], strict=True):
            np.testing.assert_allclose(shown(ax)[0], expected, atol=1e-6)
        assert row[0].get_ylabel() == f"{short}\n{probs.shape[1]} × {probs.shape[2]}"
        assert picture.data[layer].shape == (3, *probs.shape[1:])
    assert len(panels(views.attention_layers(per_head, "cat", by_head=False))) == 6
    assert "head by head" in picture.alt


def test_layers_with_different_numbers_of_heads_leave_panels_empty(per_head):
    layers = dict(per_head.attention())
    layers[UP] = dataclasses.replace(layers[UP], probs=layers[UP].probs[:, :1])
    picture = views.attention_layers(synthetic.trace(cross_attention={"cond": layers}), "cat")
    axes = np.array(panels(picture)).reshape(len(LAYERS), 3)
    assert [len(shown(ax)) for ax in axes[LAYERS.index(UP)]] == [1, 1, 0]
    assert all(len(shown(ax)) == 1 for ax in axes[LAYERS.index(MID)])


def test_a_gallery_that_does_not_fit_says_what_would(trace, per_head):
    many = {f"up_blocks.{i}.attentions.0.transformer_blocks.0.attn2": per_head.attention()[MID] for i in range(70)}
    with pytest.raises(TraceError) as raised:
        views.attention_layers(synthetic.trace(cross_attention={"cond": many}), "cat")
    assert str(raised.value) == (
        "attention_layers: 210 panels do not fit in one figure (180 at most); give by_head=False, or layers"
    )
    wide = views.attention_layers(synthetic.trace(cross_attention={"cond": many}), "cat", by_head=False)
    assert len(panels(wide)) == 72
    with pytest.raises(TraceError, match=r"by_head=True\): only the mean over heads was recorded; run with Record"):
        views.attention_layers(trace, "cat", by_head=True)
    with pytest.raises(TraceError, match=r"attention_layers\(scale='log'\): scale is 'shared' or 'each'"):
        views.attention_layers.__wrapped__(trace, "cat", scale="log")


def test_short_names_tell_layers_apart():
    names = [f"down_blocks.1.attentions.{i}.transformer_blocks.{j}.attn2" for i in (0, 1) for j in (0, 1)]
    assert list(short_layers(names).values()) == ["down 1.0.0", "down 1.0.1", "down 1.1.0", "down 1.1.1"]
    assert short_layers([MID]) == {MID: "mid 0"}
    strange = "transformer." * 5 + "attn"
    assert short_layers([strange])[strange].startswith("…")
    assert len(short_layers([strange])[strange]) <= 24


# mass


def test_mass_is_stacked_bars_by_layer_and_by_step(trace):
    picture = views.attention_mass(trace)
    above, below = panels(picture)
    mass = sdx.attention_mass(trace)
    for ax, axis in ((above, 1), (below, 0)):
        expected = np.nanmean(mass.shares, axis=axis)
        assert ax.get_ylim() == (0.0, 1.0)
        base = np.zeros(len(expected))
        for place, drawn in enumerate(ax.collections):
            bars = [path.get_extents() for path in drawn.get_paths()]
            np.testing.assert_allclose([bar.height for bar in bars], expected[:, place], atol=1e-6)
            np.testing.assert_allclose([bar.y0 for bar in bars], base, atol=1e-6)
            np.testing.assert_allclose([bar.x0 + bar.x1 for bar in bars], 2 * np.arange(len(bars)), atol=1e-6)
            base = base + expected[:, place]
        np.testing.assert_allclose(base, 1, atol=1e-3)
    for ax, named, axis in ((above, SHORT, 1), (below, list("012345"), 0)):
        names, words = ax.texts
        assert list(names.words) == named
        assert list(names.places) == list(range(len(named)))
        shares = np.nanmean(mass.shares, axis=axis)[:, KINDS.index("words")]
        assert list(words.words) == [f"{share:.1%}" for share in shares]
    assert list(legend(picture)) == [f"{kind} {mass.mean[kind]:.1%}" for kind in KINDS]
    drawn = [to_hex(kind.get_facecolor()[0]) for kind in above.collections]
    assert list(legend(picture).values()) == drawn
    assert len(set(drawn)) == 4
    np.testing.assert_array_equal(picture.data["shares"], mass.shares)
    assert ", ".join(legend(picture)) in picture.alt


def test_names_and_shares_of_bars_have_their_room(trace):
    picture = views.attention_mass(trace)
    picture.html()
    above, below = panels(picture)
    names, words = above.texts
    over = below.texts[1].get_window_extent()
    assert below.bbox.y1 < over.y1 < names.get_window_extent().y0 < above.bbox.y0
    assert above.bbox.y1 < words.get_window_extent().y1 < picture.figure._suptitle.get_window_extent().y0


def test_mass_leaves_out_what_a_layer_did_not_see(trace):
    layers = dict(trace.attention())
    layers[MID] = dataclasses.replace(layers[MID], probs=layers[MID].probs[:2], steps=(0, 3))
    picture = views.attention_mass(synthetic.trace(cross_attention={"cond": layers}))
    for ax in panels(picture):
        tops = [path.get_extents().y1 for path in ax.collections[-1].get_paths()]
        np.testing.assert_allclose(tops, 1, atol=2e-3)


# two runs


def test_two_runs_share_one_scale_and_their_difference_has_its_own(trace, other):
    picture = views.attention_compare(trace, other, ["cat", "rocketship"])
    axes = np.array(panels(picture)).reshape(3, 3)
    first, second = ([sdx.word_map(t, w) for w in ("cat", "rocketship")] for t in (trace, other))
    np.testing.assert_array_equal(shown(axes[0, 0])[0], trace.image)
    np.testing.assert_array_equal(shown(axes[1, 0])[0], other.image)
    assert shown(axes[2, 0]) == []
    for column in (0, 1):
        np.testing.assert_array_equal(shown(axes[0, column + 1])[0], first[column])
        np.testing.assert_array_equal(shown(axes[1, column + 1])[0], second[column])
        np.testing.assert_array_equal(shown(axes[2, column + 1])[0], second[column] - first[column])
    top = max(map(np.max, first + second))
    reach = max(np.abs(b - a).max() for a, b in zip(first, second, strict=True))
    same_scale([image for ax in axes[:2, 1:].flat for image in heat_maps(ax)], 0.0, top)
    same_scale([image for ax in axes[2, 1:] for image in heat_maps(ax)], -reach, reach)
    assert [bar.get_ylabel() for bar in bars(picture)] == ["attention probability", "difference"]
    np.testing.assert_allclose(bars(picture)[1].get_ylim(), (-reach, reach), rtol=1e-6)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["a", "b", "b − a"]
    assert list(picture.data) == [f"{row}/{w}" for row in ("a", "b", "difference") for w in ("cat", "rocketship")]
    title = picture.figure.get_suptitle().splitlines()
    assert title[0] == "a: “a cat and a rocketship”, synthetic, DDIM, seed 0"
    assert title[1] == "b: “the cat or a rocketship”, synthetic, DDIM, seed 7"
    assert picture.call.endswith(f"# traces {trace.fingerprint} and {other.fingerprint}")
    equal(picture, again(picture, a=trace, b=other))


def test_the_words_that_both_prompts_hold_are_the_default(trace, other):
    data = views.attention_compare(trace, other).data
    assert [name for name in data if name.startswith("a/")] == ["a/a", "a/cat", "a/rocketship"]
    stranger = synthetic.trace(prompt="the dog")
    with pytest.raises(TraceError, match="attention_compare: the two prompts share no word; give positions"):
        views.attention_compare(trace, stranger)
    assert "a/position 2" in views.attention_compare(trace, stranger, [2]).data


def test_equal_runs_differ_by_nothing(trace):
    picture = views.attention_compare(trace, trace, "cat")
    assert not picture.data["difference/cat"].any()
    picture.png(dpi=40)


def test_traces_of_different_grids_and_missing_words_are_said(trace, other):
    small = synthetic.trace(
        latents=np.zeros((STEPS + 1, 4, 4, 6), np.float32),
        noise_preds={},
        noise_pred=None,
        pred_original_sample=None,
    )
    with pytest.raises(TraceError) as raised:
        views.attention_compare(trace, small, "cat")
    assert str(raised.value) == (
        "attention_compare: a's latent grid is 8 × 12 and b's 4 × 6; maps are compared pixel by pixel, "
        "so run both at the same height and width"
    )
    with pytest.raises(TokenError, match="trace b: no word 'and' in the prompt"):
        views.attention_compare(trace, other, "and")
    with pytest.raises(TokenError, match="trace a: no word 'or' in the prompt"):
        views.attention_compare(trace, other, "or")
    pictureless = views.attention_compare(synthetic.trace(image=None), other, "cat")
    assert len(panels(pictureless)) == 3


# what holds for all of them

EVERY = [
    (views.attention_steps, ("cat",), {"steps": slice(0, 3), "layers": 6}),
    (views.attention_steps, ((5, 6),), {"role": "uncond"}),
    (views.attention_layers, ("cat",), {"steps": 2, "scale": "each", "layers": "up_blocks"}),
    (views.attention_layers, (2,), {}),
    (views.attention_mass, (), {}),
    (views.attention_mass, (), {"role": "uncond", "layers": (3, 12), "steps": [0]}),
    (views.region, ((0, 0, 10, 10),), {}),
    (views.region, ((0.5, 0, 10, 10.5),), {"words": ["a cat", 3], "steps": -1}),
    (views.self_attention, (6,), {}),
    (views.self_attention, (6,), {"pixel": (0, 0), "components": 1, "steps": 2}),
    (views.segmentation, (), {}),
    (views.segmentation, (["cat", "and"],), {"layers": MID}),
]


@pytest.mark.parametrize(("view", "arguments", "kwargs"), EVERY)
def test_the_call_makes_an_equal_picture(trace, view, arguments, kwargs):
    picture = view(trace, *arguments, **kwargs)
    assert picture.call.endswith(f"  # trace {trace.fingerprint}")
    assert picture.figure.get_suptitle().startswith("“a cat and a rocketship”\nsynthetic, DDIM, seed 0")
    equal(picture, again(picture, trace=trace))
    json.dumps(picture.alt)
    assert picture.alt.endswith(".")


def test_zeroed_embeddings_are_said():
    zeroed = synthetic.trace(provenance={"zeroed_roles": ["uncond"]})
    for picture in (
        views.attention_steps(zeroed, 2, role="uncond"),
        views.attention_layers(zeroed, 2, role="uncond"),
        views.attention_mass(zeroed, role="uncond"),
        views.region(zeroed, (0, 0, 8, 8), role="uncond"),
        views.segmentation(zeroed, role="uncond"),
    ):
        assert "its embeddings are all zeros: attention is uniform" in picture.figure.get_suptitle()


def test_hostile_text_is_drawn_as_it_is(recwarn):
    layers = {f"{EVIL}.{layer}": attention for layer, attention in synthetic.trace().attention().items()}
    tokens = Tokenizations({"tokenizer": synthetic.tokenization(f"{EVIL} " + "word " * 300)})
    trace = synthetic.trace(
        provenance={"model": EVIL, "scheduler": {"class": "$a$", "prediction_type": "epsilon"}},
        cross_attention={"cond": layers},
        tokens={"cond": tokens},
        self_attention={"cond": {EVIL: synthetic.self_attention()}},
    )
    for picture in (
        views.attention_steps(trace, EVIL[:3]),
        views.attention_layers(trace, 1),
        views.attention_mass(trace),
        views.region(trace, (0, 0, 8, 8), [EVIL[:3], 2]),
        views.attention_compare(trace, trace, [EVIL[:3]]),
        views.self_attention(trace, 6, (0, 0)),
        views.segmentation(trace, [EVIL[:3], 2]),
    ):
        html = picture._html(picture.png(dpi=40))
        assert "U+1F338" in texts(picture)
        assert "<script" not in html
        assert len(picture.alt) < 2000
        assert len(picture.figure.get_suptitle()) < 1000
    assert [str(w.message) for w in recwarn if "Glyph" in str(w.message)] == []


def test_another_prompt_than_the_figure_names_is_named():
    """What the negative prompt looked at, under a title that else names the prompt only."""
    negative = Tokenizations({"tokenizer": synthetic.tokenization("a bad cat or rocketship")})
    tokens = {**synthetic.trace().tokens, "uncond": negative}
    trace = synthetic.trace(tokens=tokens, cross_attention={"uncond": synthetic.trace().attention()})
    title = views.attention_steps(trace, "bad", role="uncond", steps=2).figure.get_suptitle()
    assert title.startswith("“a cat and a rocketship”")
    assert title.endswith("uncond: “a bad cat or rocketship”")
    plain = views.attention_steps(synthetic.trace(), "cat", steps=2).figure.get_suptitle()
    assert plain.endswith("“cat”: cond, mean over 5 layers, all heads")
