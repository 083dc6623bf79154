"""Maps of any origin over the picture: each with its own scale, or all with one."""

import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, panels, same_scale, shown
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.base.errors import TraceError

RNG = np.random.default_rng(0)
MAPS = {"a dog": RNG.random((8, 12)).astype(np.float32), "other": 7 * RNG.random((16, 24))}


def test_every_map_has_its_own_grid_and_scale(trace):
    picture = sdx.views.maps(trace, MAPS)
    axes = np.array(panels(picture)).reshape(2, 3)
    np.testing.assert_array_equal(shown(axes[0, 0])[0], trace.image)
    assert shown(axes[1, 0]) == []
    for ax, (name, pixels) in zip(axes[:, 1:].T, MAPS.items(), strict=True):
        assert ax[0].get_title() == name
        np.testing.assert_array_equal(shown(ax[1])[0], pixels)
        np.testing.assert_array_equal(shown(ax[0])[0], trace.image)
        same_scale([*heat_maps(ax[0]), *heat_maps(ax[1])], 0.0, pixels.max())
        assert ax[1].get_xlabel() == f"0 to {pixels.max():.3g}\n{pixels.shape[0]} × {pixels.shape[1]}"
        np.testing.assert_array_equal(picture.data[name], pixels)
    assert axes[1, 0].get_ylabel() == "own grid"
    assert not bars(picture)
    assert "each on its own scale" in picture.alt
    equal(picture, again(picture, trace=trace, maps=MAPS))


def test_one_scale_for_all_is_at_the_colour_bar_and_reaches_below_zero(trace):
    signed = {"one": MAPS["a dog"] - 0.5, "two": MAPS["a dog"]}
    what = "“dog”, cond, step 2, layers of side 16"
    picture = sdx.views.maps(trace, signed, scale="shared", label="change", title=what)
    assert picture.figure.get_suptitle().startswith(f"{what}\n“")
    assert picture.alt.startswith(f"{what}: ")
    assert "on one scale" in picture.alt
    images = [image for ax in panels(picture) for image in heat_maps(ax)]
    same_scale(images, signed["one"].min(), signed["two"].max())
    assert [bar.get_ylabel() for bar in bars(picture)] == ["change"]
    equal(picture, again(picture, trace=trace, maps=signed))
    bare = sdx.views.maps(synthetic.trace(image=None), {"flat": np.zeros((2, 3))})
    assert len(panels(bare)) == 1
    bare.png(dpi=40)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({}, "maps: these are 0; give 1 to 12"),
        ({"x": np.zeros(3)}, r"maps: 'x' is no map \(y, x\) of finite numbers; its shape is \(3,\)"),
        ({"x": np.full((2, 2), np.nan)}, "maps: 'x' is no map"),
        ({str(n): np.zeros((2, 2)) for n in range(13)}, "maps: these are 13"),
    ],
)
def test_what_is_no_map_is_said(trace, maps, message):
    with pytest.raises(TraceError, match=message):
        unchecked("views._maps").maps(trace, maps)
    with pytest.raises(TraceError, match="scale='all': scale is 'shared' or 'each'"):
        unchecked("views._maps").maps(trace, MAPS, scale="all")
