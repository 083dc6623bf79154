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

SHORT = ["down 0.0", "down 1.0", "mid 0", "up 1.0", "up 10.0"]


SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


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
