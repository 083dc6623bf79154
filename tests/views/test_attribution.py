"""Words and a region, by one method or several; heads by what they do and by what they look at."""

import numpy as np
import pytest
from artists import again, bars, equal, panels, shown, texts
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.figures.titles import short_layers
from sdexplore.records.attribution import DEFINITIONS, METHODS
from sdexplore.records.head_effects import FEWEST

PROMPT = "a cat and a rocket"
BOX = (8, 8, 40, 30)


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def trace(pipe):
    return sdx.run(pipe, PROMPT, num_inference_steps=2, height=64, width=64, record=sdx.Record(decode=0))


@pytest.fixture(scope="module")
def several(pipe, trace):
    return [sdx.attribution(pipe, trace, region=BOX, step=1, method=one) for one in METHODS]


def test_a_panel_a_method_with_the_words_in_one_order(pipe, trace, several):
    picture = sdx.views.attribution(*several)
    region, *axes = panels(picture)
    np.testing.assert_array_equal(shown(region)[0], trace.image)
    (frame,) = region.patches
    assert (frame.get_width(), frame.get_height()) == (32, 22)
    order = list(several[0].ranking)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [several[0].words[i] for i in order]
    assert [ax.get_title() for ax in axes] == list(METHODS)
    for ax, one in zip(axes, several, strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], one.scores[order])
        assert ax.get_xlim()[0] == 0
        assert ("all other columns" in ax.get_xlabel()) == (one.method != "occlusion")
    for method in METHODS:  # why they may disagree stands beneath the picture
        assert DEFINITIONS[method] in picture.caption
    equal(picture, again(picture, pipe=pipe, trace=trace))


def test_a_mask_is_shown_and_asked_for_again(pipe, trace):
    mask = np.zeros((16, 16), bool)
    mask[3:9, 4:12] = True
    found = sdx.attribution(pipe, trace, ["cat"], region=mask, step=0)
    picture = sdx.views.attribution(found)
    assert "region=mask" in picture.call
    equal(picture, again(picture, pipe=pipe, trace=trace, mask=mask))
    whole = sdx.views.attribution(sdx.attribution(pipe, trace, step=0, method="attention"))
    assert "the whole picture" in texts(whole)
    assert "region" not in whole.call


def test_what_differs_in_more_than_the_method_is_not_drawn_together(pipe, trace, several):
    other = sdx.run(pipe, PROMPT, seed=1, num_inference_steps=2, height=64, width=64, record=sdx.Record(decode=0))
    for wrong, message in (
        (sdx.attribution(pipe, other, region=BOX, method="attention"), "another of"),
        (sdx.attribution(pipe, trace, ["cat"], region=BOX, method="attention"), "the same words"),
        (sdx.attribution(pipe, trace, method="attention"), "different regions"),
    ):
        with pytest.raises(sdx.TraceError, match=message):
            sdx.views.attribution(several[0], wrong)
    steps = [sdx.attribution(pipe, trace, region=BOX, step=step, method="attention") for step in (0, 1)]
    assert [ax.get_title() for ax in panels(sdx.views.attribution(*steps))[1:]] == [
        "attention, step 0",
        "attention, step 1",
    ]


def test_heads_are_cells_and_dots(pipe, trace):
    found = sdx.head_effects(pipe, trace, "cat")
    picture = sdx.views.head_effects(found)
    paid, reading, whole, left, right = panels(picture)
    rows = [label.get_text() for label in paid.get_yticklabels()]
    assert [row.split()[0] for row in rows] == sorted((row.split()[0] for row in rows), key=["down", "mid", "up"].index)
    order = [list(short_layers(found.layers).values()).index(row) for row in rows]
    assert sorted(order) == list(range(len(found.layers)))
    for ax, values in ((paid, found.attention), (reading, found.reading), (whole, found.whole)):
        np.testing.assert_array_equal(shown(ax)[0], found.table(values)[order])
        assert ax.get_images()[0].get_clim() == (0, pytest.approx(values.max()))
    assert len(bars(picture)) == 3
    for ax, values, name in ((left, found.reading, "reading"), (right, found.whole, "whole")):
        np.testing.assert_allclose(ax.collections[0].get_offsets(), np.stack([found.attention, values], axis=1))
        assert f"{found.correlations[f'head: {name} ~ attention']:+.2f}" in ax.get_title()
    assert "up 1.0" in [label.get_text() for label in paid.get_yticklabels()]
    equal(picture, again(picture, pipe=pipe, trace=trace))
    part = sdx.views.head_effects(sdx.head_effects(pipe, trace, "cat", layers="mid_block", step=0))
    equal(part, again(part, pipe=pipe, trace=trace))


def test_a_correlation_over_few_heads_or_layers_is_not_printed(pipe, trace):
    found = sdx.head_effects(pipe, trace, "cat")
    assert len(found.layers) < FEWEST <= sum(found.heads)
    assert set(found.telling) == {name for name in found.correlations if name.startswith("head: ")}
    assert "over layers" not in sdx.views.head_effects(found).alt
    assert "layer: " not in repr(found)
    few = sdx.head_effects(pipe, trace, "cat", layers="mid_block", step=0)
    assert np.isfinite(list(few.correlations.values())).any()
    assert not few.telling
    picture = sdx.views.head_effects(few)
    assert all("no ρ" in ax.get_title() for ax in panels(picture)[-2:])
    assert "correlations" not in picture.alt
    assert "Too few" in repr(few)
