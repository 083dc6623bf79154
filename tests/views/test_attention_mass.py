"""Where attention goes as a whole, as it is drawn."""

import dataclasses

import numpy as np
import pytest
import synthetic
from artists import legend, panels
from matplotlib.colors import to_hex
from synthetic import MID

import sdexplore as sdx
from sdexplore import views
from sdexplore.analysis.attention_mass import KINDS
from sdexplore.figures.many_texts import Written

SHORT = ["down 0.0", "down 1.0", "mid 0", "up 1.0", "up 10.0"]


SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


@pytest.fixture(scope="module")
def sink(trace):
    """Most of its attention goes to the padding, as a real model's does."""
    layers = {}
    for name, layer in trace.attention().items():
        probs = layer.probs.astype(np.float32) / 20
        probs[..., -1] = 1 - probs[..., :-1].sum(-1)
        layers[name] = dataclasses.replace(layer, probs=probs)
    return synthetic.trace(cross_attention={"cond": layers})


def test_mass_is_stacked_bars_by_layer_and_by_step_and_what_takes_most_is_a_number(sink):
    trace, picture = sink, views.attention_mass(sink)
    above, below = panels(picture)
    mass = sdx.attention_mass(trace)
    most = max(KINDS, key=mass.mean.get)
    assert most == "padding"
    kinds = ["words", *(kind for kind in KINDS if kind not in ("words", most))]
    places = [KINDS.index(kind) for kind in kinds]
    highest = max(np.nanmean(mass.shares, axis=axis)[:, places].sum(1).max() for axis in (0, 1))
    for ax, axis in ((above, 1), (below, 0)):
        expected = np.nanmean(mass.shares, axis=axis)[:, places]
        assert ax.get_ylim() == (0.0, pytest.approx(1.05 * highest))
        base = np.zeros(len(expected))
        for place, drawn in enumerate(ax.collections):
            bars = [path.get_extents() for path in drawn.get_paths()]
            np.testing.assert_allclose([bar.height for bar in bars], expected[:, place], atol=1e-6)
            np.testing.assert_allclose([bar.y0 for bar in bars], base, atol=1e-6)
            np.testing.assert_allclose([bar.x0 + bar.x1 for bar in bars], 2 * np.arange(len(bars)), atol=1e-6)
            base = base + expected[:, place]
        rest = np.nanmean(mass.shares, axis=axis)[:, KINDS.index(most)]
        np.testing.assert_allclose(base + rest, 1, atol=1e-3)
    for ax, named, axis in ((above, SHORT, 1), (below, list("012345"), 0)):
        names, words, number = (text for text in ax.texts if isinstance(text, Written))
        assert list(names.words) == named
        assert list(names.places) == list(range(len(named)))
        for written, kind in ((words, "words"), (number, most)):
            shares = np.nanmean(mass.shares, axis=axis)[:, KINDS.index(kind)]
            assert list(written.words) == [f"{100 * share:.1f}" for share in shares]
        heads = [text.get_text() for text in ax.texts if not isinstance(text, Written)]
        assert heads == ["words %", f"{most} %"]
    told = {kind: f"{kind} {mass.mean[kind]:.1%}" for kind in KINDS}
    assert list(legend(picture)) == [*(told[kind] for kind in kinds), f"{told[most]} (no bar)"]
    drawn = [to_hex(kind.get_facecolor()[0]) for kind in above.collections]
    assert list(legend(picture).values())[:3] == drawn
    assert len(set(drawn)) == 3
    np.testing.assert_array_equal(picture.data["shares"], mass.shares)
    assert all(one in picture.alt for one in told.values())
    assert f"{mass.mean[most]:.0%}" in picture.caption
    assert f"{mass.mean['words']:.1%}" in picture.caption


def test_where_the_words_take_most_every_kind_has_a_bar(trace):
    picture = views.attention_mass(trace)
    mean = sdx.attention_mass(trace).mean
    kinds = ("words", "start", "end", "padding")
    assert list(legend(picture)) == [f"{kind} {mean[kind]:.1%}" for kind in kinds]
    for ax in panels(picture):
        tops = [path.get_extents().y1 for path in ax.collections[-1].get_paths()]
        np.testing.assert_allclose(tops, 1, atol=2e-3)
        assert ax.get_ylim() == (0.0, 1.0)
        assert [text.get_text() for text in ax.texts if not isinstance(text, Written)] == ["words %"]
    assert f"{mean['words']:.1%}" in picture.caption


def test_names_and_shares_of_bars_have_their_room(sink):
    picture = views.attention_mass(sink)
    picture.html()
    above, below = panels(picture)
    names, words, number = (text.get_window_extent() for text in above.texts if isinstance(text, Written))
    *_, over = (text.get_window_extent() for text in below.texts if isinstance(text, Written))
    assert below.bbox.y1 < over.y1 < names.y0 < above.bbox.y0
    assert above.bbox.y1 < words.y1 < number.y0 < number.y1 < picture.figure._suptitle.get_window_extent().y0
    for head in (text.get_window_extent() for text in above.texts if not isinstance(text, Written)):
        assert 0 <= head.x0 < head.x1 <= above.bbox.x0


def test_mass_leaves_out_what_a_layer_did_not_see(trace):
    layers = dict(trace.attention())
    layers[MID] = dataclasses.replace(layers[MID], probs=layers[MID].probs[:2], steps=(0, 3))
    picture = views.attention_mass(synthetic.trace(cross_attention={"cond": layers}))
    for ax in panels(picture):
        tops = [path.get_extents().y1 for path in ax.collections[-1].get_paths()]
        np.testing.assert_allclose(tops, 1, atol=2e-3)
