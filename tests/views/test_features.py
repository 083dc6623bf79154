"""Features as they are drawn: their main directions, and the places that are alike to one."""

import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, panels, same_scale, shown

import sdexplore as sdx
from sdexplore import views


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(features={"cond": {"mid_block": synthetic.features()}})


def test_three_components_are_one_picture_in_colours_and_each_alone_on_one_signed_scale(trace):
    picture = views.feature_components(trace, "mid_block", step=2, count=4)
    found = sdx.feature_components(trace, "mid_block", step=2, count=4)
    image, colours, *alone = [ax for ax in panels(picture) if shown(ax)]
    np.testing.assert_array_equal(shown(image)[0], trace.image)
    assert image.get_images()[0].get_extent() == [-0.5, 5.5, 3.5, -0.5]
    rgb = shown(colours)[0]
    np.testing.assert_array_equal(rgb, picture.data["colours"])
    for channel, one in enumerate(found.maps[:3]):
        share = (one - one.min()) / (one.max() - one.min())
        np.testing.assert_allclose(rgb[..., channel], 255 * share, atol=0.51)
    assert colours.get_xlabel() == "each from least\nto greatest"
    for ax, one in zip(alone, found.maps, strict=True):
        np.testing.assert_array_equal(shown(ax)[0], one)
    reach = np.abs(found.maps).max()
    same_scale([drawn for ax in alone for drawn in heat_maps(ax)], -reach, reach)
    assert [ax.get_title() for ax in alone] == [
        f"component {number}: {share:.0%}" for number, share in enumerate(found.explained, start=1)
    ]
    assert [bar.get_ylabel() for bar in bars(picture)] == ["score"]
    assert picture.figure.get_suptitle().endswith("features of mid_block, step 2, cond, 4 × 6")
    assert "each from its least to its greatest" in picture.caption
    assert f"{found.explained[0]:.0%}" in picture.alt


def test_with_fewer_than_three_there_is_no_picture_in_colours(trace):
    picture = views.feature_components(trace, "mid_block", count=2)
    assert [ax.get_title().partition(":")[0] for ax in panels(picture) if shown(ax)] == [
        "picture",
        "component 1",
        "component 2",
    ]
    assert set(picture.data) == {"components"}
    assert "colours" not in picture.caption


def test_a_pixel_is_marked_in_every_panel_beside_the_places_alike(trace):
    pixel = (40, 70)  # of 64 × 96
    picture = views.feature_similarity(trace, pixel, "mid_block", step=1)
    found = sdx.feature_similarity(trace, pixel, "mid_block", step=1)
    drawn = [ax for ax in panels(picture) if shown(ax)]
    assert [ax.get_title() for ax in drawn] == ["picture", "alike to the marked cell", "cosine, cell by cell"]
    row, column = found.cell
    for ax in drawn:
        assert {tuple(mark.get_bbox().extents) for mark in ax.patches} == {
            (column - 0.5, row - 0.5, column + 0.5, row + 0.5)
        }
    np.testing.assert_array_equal(shown(drawn[2])[0], found.values)
    np.testing.assert_array_equal(shown(drawn[1])[1], found.values)
    same_scale(heat_maps(drawn[2]), -1.0, 1.0)
    assert f"pixel {pixel} of 64 × 96" in picture.alt


def test_a_trace_without_a_picture_shows_the_map_alone():
    provenance = {"model": "x", "used": {"height": 64, "width": 96}}
    bare = synthetic.trace(
        image=None, decoded={}, decoded_x0={}, provenance=provenance, features={"cond": {"m": synthetic.features()}}
    )
    assert len([ax for ax in panels(views.feature_similarity(bare, (0, 0), "m")) if shown(ax)]) == 1
    assert len([ax for ax in panels(views.feature_components(bare, "m")) if shown(ax)]) == 4


def test_the_call_makes_an_equal_picture(trace):
    for picture in (
        views.feature_components(trace, "mid_block"),
        views.feature_components(trace, "mid_block", step=0, count=5),
        views.feature_similarity(trace, (3, 4), "mid_block", step=-2),
    ):
        equal(picture, again(picture, trace=trace))
