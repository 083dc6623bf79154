"""One word's map in every layer and head."""

import dataclasses
import inspect

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown
from synthetic import LAYERS, MID, UP

from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.figures.titles import short_layers

SHORT = ["down 0.0", "down 1.0", "mid 0", "up 1.0", "up 10.0"]


SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


@pytest.fixture(scope="module")
def per_head():
    return synthetic.trace(heads=True, dtype=np.float32)


def test_layers_are_their_own_grids_in_the_network_s_order(trace):
    picture = views.attention_layers(trace, "rocketship", steps=[1, 2])
    given, *axes = panels(picture)[: 1 + len(LAYERS)]
    assert given.get_title() == "picture"
    np.testing.assert_array_equal(shown(given)[0], trace.image)
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
    assert all(shown(ax) == [] for ax in panels(picture)[1 + len(LAYERS) :])
    alone = views.attention_layers(synthetic.trace(image=None), "rocketship")
    assert [ax.get_title().partition("\n")[0] for ax in panels(alone) if shown(ax)] == SHORT


def test_layers_stand_in_the_order_of_the_data_whatever_order_the_trace_has(trace):
    backwards = synthetic.trace(cross_attention={"cond": dict(reversed(trace.attention().items()))})
    picture = views.attention_layers(backwards, "cat")
    assert list(picture.data) == list(LAYERS)
    assert [ax.get_title().partition("\n")[0] for ax in panels(picture)[1 : 1 + len(LAYERS)]] == SHORT
    for ax, layer in zip(panels(picture)[1:], LAYERS, strict=False):
        np.testing.assert_array_equal(shown(ax)[0], views.attention_layers(trace, "cat").data[layer])


def test_a_gallery_is_no_higher_than_a_page():
    layer = synthetic.trace().attention()[MID]
    for count in (5, 16, 70):
        many = {f"up_blocks.{i}.attentions.0.transformer_blocks.0.attn2": layer for i in range(count)}
        figure = views.attention_layers(synthetic.trace(cross_attention={"cond": many}), "cat").figure
        wide, high = figure.get_size_inches()
        assert wide <= 8
        assert high <= 1.5 * wide


def test_with_scale_each_the_panel_s_own_scale_is_printed(trace, per_head):
    picture = views.attention_layers(trace, "cat", scale="each")
    assert bars(picture) == []
    for ax, layer in zip(panels(picture)[1:], LAYERS, strict=False):
        top = float(picture.data[layer].max())
        same_scale(heat_maps(ax), 0.0, top)
        assert ax.get_xlabel() == f"0 to {top:.2g}"
    by_head = panels(views.attention_layers(per_head, "cat", scale="each", layers=MID))
    for ax in by_head[3:]:
        assert ax.get_xlabel() == f"0 to {shown(ax)[0].max():.2g}"


def test_where_heads_were_recorded_a_row_is_a_layer_its_mean_first(per_head):
    picture = views.attention_layers(per_head, "cat")
    given, *axes = np.array(panels(picture)).reshape(1 + len(LAYERS), 3)
    np.testing.assert_array_equal(shown(given[0])[0], per_head.image)
    assert [ax.get_title() for ax in axes[0]] == ["mean", "head 0", "head 1"]
    for row, layer, short in zip(axes, LAYERS, SHORT, strict=True):
        probs = per_head.attention()[layer].probs[..., 2].astype(float).mean(axis=0)
        for ax, expected in zip(row, [probs.mean(axis=0), *probs], strict=True):
            np.testing.assert_allclose(shown(ax)[0], expected, atol=1e-6)
        assert row[0].get_ylabel() == f"{short}\n{probs.shape[1]} × {probs.shape[2]}"
        assert picture.data[layer].shape == (3, *probs.shape[1:])
    assert len([ax for ax in panels(views.attention_layers(per_head, "cat", by_head=False)) if shown(ax)]) == 6
    assert "head by head" in picture.alt


def test_layers_with_different_numbers_of_heads_leave_panels_empty(per_head):
    layers = dict(per_head.attention())
    layers[UP] = dataclasses.replace(layers[UP], probs=layers[UP].probs[:, :1])
    picture = views.attention_layers(synthetic.trace(cross_attention={"cond": layers}), "cat")
    axes = np.array(panels(picture)).reshape(1 + len(LAYERS), 3)[1:]
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
    assert len([ax for ax in panels(wide) if shown(ax)]) == 71
    with pytest.raises(TraceError, match=r"by_head=True\): only the mean over heads was recorded; run with Record"):
        views.attention_layers(trace, "cat", by_head=True)
    with pytest.raises(TraceError, match=r"attention_layers\(scale='log'\): scale is 'shared' or 'each'"):
        inspect.unwrap(views.attention_layers)(trace, "cat", scale="log")


TRANSFORMERS = [
    "transformer_blocks.0.attn",
    "blocks.12.attn2",
    "single_transformer_blocks.0.attn",
    "joint_transformer_blocks.1.attn",
    "layers.3.attention",
]


def test_short_names_tell_layers_apart():
    names = [f"down_blocks.1.attentions.{i}.transformer_blocks.{j}.attn2" for i in (0, 1) for j in (0, 1)]
    assert list(short_layers(names).values()) == ["down 1.0.0", "down 1.0.1", "down 1.1.0", "down 1.1.1"]
    assert short_layers([MID]) == {MID: "mid 0"}
    assert list(short_layers(TRANSFORMERS).values()) == ["block 0", "block 12", "single 0", "joint 1", "layer 3"]
    strange = "transformer." * 5 + "attn"
    assert short_layers([strange])[strange].startswith("…")
    assert len(short_layers([strange])[strange]) <= 24
