"""What guidance did, step by step."""

from dataclasses import replace

import numpy as np
import pytest
import synthetic
from artists import bars, heat_maps, panels, same_scale, shown
from synthetic import SIGMAS, STEPS

from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.theory import linear_preview


def test_guidance_draws_both_halves_where_they_differ_and_what_came_of_it(trace):
    picture = views.guidance(trace, steps=[0, 4])
    axes = panels(picture)
    assert len(axes) == 4 * 2
    labels = ["x0 uncond\nlinear", "x0 cond\nlinear", "|cond − uncond|", "x0 guided\nlinear"]
    assert [ax.get_ylabel() for ax in axes[::2]] == labels
    for column, step in enumerate((0, 4)):
        alpha_bar = 1 / (1 + SIGMAS[step] ** 2)
        for row, role in enumerate(("uncond", "cond")):
            noise = trace.noise_preds[role][step]
            x0 = (trace.latents[step] - np.sqrt(1 - alpha_bar) * noise) / np.sqrt(alpha_bar)
            np.testing.assert_allclose(picture.data[f"x0_{role}"][column], x0, atol=1e-4)
            drawn = shown(axes[2 * row + column])[0]
            np.testing.assert_array_equal(drawn, linear_preview(picture.data[f"x0_{role}"][column], trace.latent_rgb))
        difference = np.sqrt(((trace.noise_pred_cond[step] - trace.noise_pred_uncond[step]) ** 2).mean(0))
        np.testing.assert_allclose(shown(axes[4 + column])[0], difference, rtol=1e-6)
        np.testing.assert_allclose(picture.data["difference"][column], difference, rtol=1e-6)
        np.testing.assert_array_equal(picture.data["x0_guided"][column], trace.pred_original_sample[step])
        expected = linear_preview(trace.pred_original_sample[step], trace.latent_rgb)
        np.testing.assert_array_equal(shown(axes[6 + column])[0], expected)
    np.testing.assert_array_equal(picture.data["steps"], [0, 4])
    decoded = views.guidance(trace, steps=[0, 5])
    assert panels(decoded)[6].get_ylabel() == "x0 guided\ndecoded"
    np.testing.assert_array_equal(shown(panels(decoded)[7])[0], trace.decoded_x0[5])
    assert "(decoded)" in decoded.alt
    assert picture.figure.get_suptitle().endswith("seed 0, guidance_scale 7.5")
    told = replace(trace, call={"seed": 0}, provenance={**trace.provenance, "guidance": {"guidance_scale": [5.0, 0.0]}})
    assert views.guidance(told).figure.get_suptitle().endswith("seed 0, guidance_scale 5 to 0")  # as it said itself


def test_the_differences_share_one_printed_scale_from_zero(trace):
    picture = views.guidance(trace)
    top = float(picture.data["difference"].max())
    differences = panels(picture)[2 * STEPS : 3 * STEPS]
    same_scale([image for ax in differences for image in heat_maps(ax)], 0.0, top)
    (bar,) = bars(picture)
    assert (bar.get_ylabel().replace("\n", " "), bar.get_ylim()) == ("RMS over channels", (0.0, pytest.approx(top)))
    assert f"from 0 to {top:.2g}," in picture.alt


def test_guidance_on_the_exploding_scale_is_the_same():
    preserving, exploding = (
        views.guidance(synthetic.trace(space=f"variance {kind}")).data for kind in ("preserving", "exploding")
    )
    for name in preserving:
        np.testing.assert_allclose(preserving[name], exploding[name], atol=2e-4)


def test_guidance_that_was_cut_off_is_shown_as_far_as_it_went(trace):
    uncond = np.array(trace.noise_pred_uncond)
    uncond[2:] = np.nan
    cut = synthetic.trace(noise_preds={"uncond": uncond, "cond": trace.noise_pred_cond})
    picture = views.guidance(cut)
    np.testing.assert_array_equal(picture.data["steps"], [0, 1])
    assert not np.isnan(picture.data["difference"]).any()
    with pytest.raises(TraceError, match=r"step 3 had not both halves of guidance; these had: \[0, 1\]"):
        views.guidance(cut, steps=[0, 3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_preds": {}}, "this run had no classifier-free guidance: the unconditional half was never computed"),
        ({"sigmas": None}, "this trace holds no sigmas: the noise levels of its scheduler are not known"),
        ({"latents": None}, "this trace holds no latents: run with Record(latents=True)"),
        ({"latent_rgb": None}, "this trace holds no latent_rgb: "),
        ({"pred_original_sample": None}, "this trace holds no pred_original_sample: "),
        ({"provenance": {}}, "this trace does not say how its model predicts: prediction_type is None"),
    ],
)
def test_guidance_says_what_is_missing(changes, message):
    with pytest.raises(TraceError) as raised:
        views.guidance(synthetic.trace(**changes))
    assert str(raised.value).startswith(message)


def test_guidance_that_was_never_on_both_sides_is_refused(trace):
    never = synthetic.trace(
        noise_preds={"uncond": np.full_like(trace.noise_pred_uncond, np.nan), "cond": trace.noise_pred_cond}
    )
    with pytest.raises(TraceError, match="no step of this run computed both halves of guidance"):
        views.guidance(never)
